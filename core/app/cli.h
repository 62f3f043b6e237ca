/* What the client commands share: arguments, the server, retries, progress. Thread: main. */
#pragma once
#include "core/app/app.h"
#include "core/base/base.h"
#include "core/net/net.h"

/** An option of a command: a value or a flag. */
struct pl_cli_option {
    const char *name, *value_name, *help; /* value_name NULL: a flag, set to "true" */
    const char **value;
};
struct pl_cli {
    const char *command, *arguments, *about;
    const struct pl_cli_option *options;
    size_t n_options;
    const char *url, *tenant; /* every command has --url and --tenant where `server` is set */
    bool server;
    const char **args; /* what is not an option */
    size_t n_args;
};
/** Reads argv into the options; prints --help. `--` ends the options. @return -1 to go on, else the
 * exit code. */
int pl_cli_parse(struct pl_cli *c, int argc, char **argv);
void pl_cli_fini(struct pl_cli *c);
/** "perilune push: why" on stderr; returns `code`. */
int pl_cli_fail(const struct pl_cli *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** Connect by --url (default http://127.0.0.1:1969, PERILUNE_URL). */
int pl_cli_client(const struct pl_cli *c, struct pl_client **out);
/** A request; 429 and 503 are tried again, as Retry-After says, for about a minute.
 *  @return 0 and the reply, whatever its status, or an exit code (> 0) */
int pl_cli_request_any(const struct pl_cli *c, struct pl_client *client, const char *method,
                       const char *path, const char *content_type, pl_str body,
                       struct pl_client_reply *out);
/** The same; an answer that is not 2xx is told on stderr, and is an exit code. */
int pl_cli_request(const struct pl_cli *c, struct pl_client *client, const char *method,
                   const char *path, const char *content_type, pl_str body,
                   struct pl_client_reply *out);
/** An answer that is not 2xx: the words of {"error":"..."}, or the body as it is, on stderr. */
void pl_cli_tell_error(const struct pl_cli *c, int status, pl_str body);
/** The same of a query: below it the line of the text with a caret under the place, and the hint.
 */
void pl_cli_tell_query_error(const struct pl_cli *c, int status, pl_str body, pl_str query);
/** Append `&name=value` (or `?` first), encoded. */
void pl_cli_param(struct pl_buf *path, const char *name, pl_str value);

/** A line on stderr that is overwritten, at most ten times a second; only on a terminal, else every
 *  10 s. `total` 0: unknown. */
struct pl_progress {
    const char *what;
    int64_t begun_ns, told_ns;
    bool terminal, shown;
};
void pl_progress_begin(struct pl_progress *p, const char *what);
void pl_progress_at(struct pl_progress *p, uint64_t done, uint64_t total, const char *unit);
void pl_progress_end(struct pl_progress *p, uint64_t done, const char *unit);
