/* The head of a request: where it ends, and what it says. Pure. */
#pragma once
#include "core/net/http.h"

#define PL__HEADERS_MAX 100

struct pl__header {
    pl_str name, value;
};

struct pl__head {
    enum pl_http_method method;
    pl_str method_text, target;
    struct pl__header header[PL__HEADERS_MAX];
    size_t n_headers;
    bool http_1_1, keep_alive, chunked, expect_continue;
    bool has_length;
    uint64_t content_length;
};

/** Look for the end of a head. Every line must end in CRLF, none may begin with white space: what
 *  ends where must look the same to every reader of the bytes (request smuggling).
 *  @param scan  0 before the first call; where to go on when more bytes have come
 *  @param end  length of the head with its empty line
 *  @return 1: found, 0: more is needed, PL_EPARSE with *why */
int pl__head_end(pl_str bytes, size_t *scan, size_t *end, const char **why);
/** Parse a whole head; what h holds points into it.
 *  @return 0, or the status to refuse with (400, 417, 431, 501, 505) and *why */
int pl__head_parse(pl_str head, struct pl__head *h, const char **why);
