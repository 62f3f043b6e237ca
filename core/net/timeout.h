/* Coarse timeouts: one list per kind. All entries of a kind have the same span, so the list is in
 * the order of its deadlines and a tick looks at the expired ones only. Owned by one loop. */
#pragma once
#include "core/net/list.h"
#include <stdint.h>

struct pl__timeout {
    struct pl__list link; /* first */
    struct pl__timeouts *in;
    int64_t deadline_ms;
};

struct pl__timeouts {
    struct pl__list list;
    int64_t span_ms;
    void (*expired)(struct pl__timeout *t); /* t is in no list when this is called */
};

void pl__timeouts_init(struct pl__timeouts *ts, int64_t span_ms,
                       void (*expired)(struct pl__timeout *t));
/** Start t anew in ts, and leave the list it is in. A span of 0 or less never expires. */
void pl__timeout_start(struct pl__timeouts *ts, struct pl__timeout *t, int64_t now_ms);
/** Start t unless it runs in ts already: the deadline counts from the first call. */
void pl__timeout_keep(struct pl__timeouts *ts, struct pl__timeout *t, int64_t now_ms);
void pl__timeout_stop(struct pl__timeout *t);
/** Call `expired` of all that are due. */
void pl__timeouts_tick(struct pl__timeouts *ts, int64_t now_ms);
