/* Light queries: those that are done sooner than two threads have handed them over and back. A loop
 * runs one itself if one of the same shape took no time when it ran last, under limits so low that
 * what is not light after all ends at once and goes to the pool like any other.
 *
 * The shape of a query is its text without what stands in quotes (another host costs the same), the
 * length of its range, and its step; an expression with regular expressions is its own shape. A
 * small table of hashes remembers; it may forget. Thread: loops and the pool. */
#include "core/api/internal.h"
#include <stdatomic.h>

#define LEARN_NS    300000  /* on the pool */
#define FORGET_NS   1000000 /* on a loop */
#define TEXT_MAX    1024
#define SERIES_MAX  32
#define SAMPLES_MAX 10000
#define STEPS_MAX   1000

/** The length of the text without what is in quotes, copied to out. */
static size_t without_quoted(pl_str text, char *out)
{
    size_t n = 0;
    char quote = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quote) {
            i += c == '\\' && quote != '`';
            quote = c == quote ? 0 : quote;
        } else {
            out[n++] = c;
            quote = c == '"' || c == '\'' || c == '`' ? c : 0;
        }
    }
    return n;
}

/** 0: never light. */
static uint64_t shape_of(const struct pl_job *job)
{
    const struct pl_job_args *args = &job->args;
    pl_str text = args->text;
    char shape[TEXT_MAX];
    uint64_t range = (uint64_t)args->t1 - (uint64_t)args->t0; /* of any two times */
    if (job->work != pl__query_run || text.n > TEXT_MAX || args->stats == PL__STATS_ALL ||
        (args->step && range / (uint64_t)args->step > STEPS_MAX)) {
        return 0;
    }
    if (!memchr(text.p, '~', text.n)) {
        text = pl_str_mem(shape, without_quoted(text, shape));
    }
    uint64_t seed[2] = {range, (uint64_t)args->step};
    uint64_t hash = pl_hash64(text.p, text.n, pl_hash64(seed, sizeof seed, 0));
    return hash ? hash : 1;
}

static _Atomic uint64_t *slot(struct pl_api *a, uint64_t shape)
{
    return &a->light[shape % PL__LIGHT];
}

void pl__light_learn(struct pl_job *job, const struct pl_query_stats *s, int64_t ns)
{
    bool light = ns <= LEARN_NS && s->samples <= SAMPLES_MAX && s->series <= SERIES_MAX;
    uint64_t shape = light && !job->light ? shape_of(job) : 0;
    if (shape) {
        atomic_store_explicit(slot(job->api, shape), shape, memory_order_relaxed);
    }
}

void pl__light_limits(const struct pl_job *job, struct pl_query_conf *conf)
{
    if (job->light) {
        conf->pool = NULL;
        conf->max_samples = SAMPLES_MAX;
        conf->max_series = SERIES_MAX;
    }
}

bool pl__light_run(struct pl_job *job)
{
    uint64_t shape = shape_of(job);
    _Atomic uint64_t *known = slot(job->api, shape);
    if (!shape || atomic_load_explicit(known, memory_order_relaxed) != shape) {
        return false;
    }
    int64_t begun = job->begun_ns;
    job->light = true;
    pl__flight_begin(job);
    job->work(job);
    job->light = false;
    if (job->heavy || pl_mono_ns(job->api->conf.clock) - begun > FORGET_NS) {
        atomic_store_explicit(known, 0, memory_order_relaxed);
    }
    bool done = !job->heavy;
    job->heavy = false;
    return done;
}
