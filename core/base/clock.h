/* Time as a value: every deadline comes from a pl_clock, so a test can own time. Any thread. */
#pragma once
#include <stdint.h>

struct pl_clock {
    int64_t (*now_ms)(void *ctx);  /* wall clock, ms since the epoch */
    int64_t (*mono_ns)(void *ctx); /* never goes back */
    void *ctx;
};
static inline int64_t pl_now_ms(const struct pl_clock *c) { return c->now_ms(c->ctx); }
static inline int64_t pl_mono_ns(const struct pl_clock *c) { return c->mono_ns(c->ctx); }
extern const struct pl_clock pl_clock_real;

/** A clock that stands until it is advanced; both of its times move together. */
struct pl_clock_manual {
    _Atomic int64_t ms;
};
struct pl_clock pl_clock_manual(struct pl_clock_manual *m);
