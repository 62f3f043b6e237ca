/* The real clock and one that a test advances. Any thread. */
#include "core/base/clock.h"
#include <time.h>

static int64_t real_now_ms(void *ctx)
{
    (void)ctx;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t real_mono_ns(void *ctx)
{
    (void)ctx;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

const struct pl_clock pl_clock_real = {.now_ms = real_now_ms, .mono_ns = real_mono_ns};

static int64_t manual_now_ms(void *ctx) { return ((struct pl_clock_manual *)ctx)->ms; }

static int64_t manual_mono_ns(void *ctx) { return ((struct pl_clock_manual *)ctx)->ms * 1000000; }

struct pl_clock pl_clock_manual(struct pl_clock_manual *m)
{
    return (struct pl_clock){.now_ms = manual_now_ms, .mono_ns = manual_mono_ns, .ctx = m};
}
