/* Structured log: one logfmt (or JSON) line an event. Any thread. A NULL log discards. */
#pragma once
#include "core/base/clock.h"
#include <stdbool.h>
#include <stdio.h>

enum pl_level { PL_DEBUG, PL_INFO, PL_WARN, PL_ERROR };

struct pl_log {
    enum pl_level level;
    bool json;
    int fd;
    struct pl_clock clock;
};
/** `pl_logf(log, PL_INFO, "store", "flushed", "samples=%zu path=%s", n, path)`.
 *  @param fields printf format that yields space separated key=value pairs, or NULL. A value with
 *         spaces is quoted by the caller as key="...". */
void pl_logf(const struct pl_log *log, enum pl_level level, const char *component, const char *msg,
             const char *fields, ...) __attribute__((format(printf, 5, 6)));
int pl_level_parse(const char *name, enum pl_level *out);
