/* The Date header's text, made once a second. Owned by one loop. */
#pragma once
#include <stdint.h>

#define PL__DATE_LEN 29

struct pl__date {
    int64_t second;
    char text[PL__DATE_LEN + 1]; /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

/** The text for now_ms (since the epoch; before it: the epoch), PL__DATE_LEN bytes. */
const char *pl__date(struct pl__date *d, int64_t now_ms);
