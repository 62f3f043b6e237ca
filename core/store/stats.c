/* What the store says about itself: metrics, and the numbers behind the status pages. Any thread.
 */
#include "core/store/tenant.h"

static double head_bytes(void *ctx)
{
    struct pl_store *s = ctx;
    return (double)(atomic_load(&s->cur_bytes) + atomic_load(&s->frozen_bytes));
}

static double head_frozen_bytes(void *ctx)
{
    return (double)atomic_load(&((struct pl_store *)ctx)->frozen_bytes);
}

/** Sum of something over tenants. */
static uint64_t sum(struct pl_store *s, uint64_t (*of)(struct pl_tenant *t))
{
    uint64_t n = 0;
    unsigned n_tenants = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    for (unsigned i = 0; i < n_tenants; i++) {
        n += s->tenants[i] ? of(s->tenants[i]) : 0;
    }
    return n;
}

static uint64_t samples_of(struct pl_tenant *t)
{
    pthread_mutex_lock(&t->heads_lock);
    uint64_t n = pl_head_samples(t->cur);
    for (const struct pl__pending *p = t->pending; p; p = p->next) {
        n += p->gen ? pl_head_samples(p->gen) : 0;
    }
    pthread_mutex_unlock(&t->heads_lock);
    return n;
}

static uint64_t series_of(struct pl_tenant *t) { return pl_series_count(t->series); }
static uint64_t series_bytes_of(struct pl_tenant *t) { return pl_series_bytes(t->series); }
static uint64_t keys_of(struct pl_tenant *t) { return pl_idem_table_count(t->idem); }
static uint64_t one(struct pl_tenant *t) { return t != NULL; }

static double head_samples(void *ctx) { return (double)sum(ctx, samples_of); }
static double series(void *ctx) { return (double)sum(ctx, series_of); }
static double series_bytes(void *ctx) { return (double)sum(ctx, series_bytes_of); }
static double idem_keys(void *ctx) { return (double)sum(ctx, keys_of); }
static double tenants(void *ctx) { return (double)sum(ctx, one); }

static uint64_t exemplars_of(struct pl_tenant *t) { return pl_exemplars_count(t->exemplars); }
static double exemplars(void *ctx) { return (double)sum(ctx, exemplars_of); }

static double disk_full(void *ctx) { return atomic_load(&((struct pl_store *)ctx)->full); }
static double disk_free(void *ctx)
{
    return (double)atomic_load(&((struct pl_store *)ctx)->disk_free);
}

static double scrub_last(void *ctx)
{
    struct pl_store *s = ctx;
    return (double)atomic_load(&s->scrubbed_ms) / 1000;
}

void pl__store_metrics(struct pl_store *s)
{
    struct pl_metrics *m = s->conf.metrics;
    const struct {
        struct pl_counter **c;
        const char *name, *help;
    } counters[] = {
        {&s->n_samples, "perilune_store_samples_total", "Samples taken into the head."},
        {&s->n_duplicates, "perilune_store_duplicate_samples_total",
         "Samples identical to the last one of their series: not kept twice."},
        {&s->n_out_of_order, "perilune_store_out_of_order_samples_total",
         "Samples older than the last one of their series."},
        {&s->n_batches, "perilune_store_batches_total", "Batches durable and visible."},
        {&s->n_batches_failed, "perilune_store_batches_failed_total",
         "Batches that were not stored."},
        {&s->n_flushes, "perilune_store_flushes_total", "Flushes of the head to the engine."},
        {&s->n_flush_failures, "perilune_store_flush_failures_total",
         "Flushes that failed and are tried again."},
        {&s->n_flushed_samples, "perilune_store_flushed_samples_total",
         "Samples written to the engine."},
        {&s->n_compactions, "perilune_store_compactions_total", "Compaction rounds."},
        {&s->n_erasures, "perilune_store_erasures_total", "Deletions by matcher and range."},
        {&s->n_dropped, "perilune_store_series_dropped_total",
         "Series forgotten because no sample of them is left."},
        {&s->n_idem_hits, "perilune_store_repeated_requests_total",
         "Requests answered by the reply of an earlier one with the same key."},
        {&s->n_late_memory, "perilune_store_memory_waits_total",
         "Pauses of a storage thread because memory was not to be had."},
        {&s->n_scrub_packs, "perilune_store_scrub_packs_total", "Packs read by scrubs."},
        {&s->n_exemplars, "perilune_store_exemplars_total", "Exemplars kept."},
        {&s->n_exemplars_dropped, "perilune_store_exemplars_dropped_total",
         "Exemplars left out: repeated, late, or with labels of more than 128 characters."},
        {&s->n_scrub_findings, "perilune_store_scrub_findings_total", "Damage found by scrubs."},
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        *counters[i].c = pl_metrics_counter(m, counters[i].name, counters[i].help, NULL);
    }
    const struct {
        double (*fn)(void *);
        const char *name, *help;
    } gauges[] = {
        {head_bytes, "perilune_store_head_bytes", "Memory of samples not yet in the engine."},
        {head_frozen_bytes, "perilune_store_head_frozen_bytes",
         "The part of it that waits for the engine."},
        {head_samples, "perilune_store_head_samples", "Samples not yet in the engine."},
        {series, "perilune_store_series", "Living series."},
        {series_bytes, "perilune_store_series_bytes", "Memory of series and index."},
        {idem_keys, "perilune_store_idempotency_keys", "Keys of requests and streams remembered."},
        {exemplars, "perilune_store_exemplars", "Exemplars in memory."},
        {tenants, "perilune_store_tenants", "Tenants."},
        {disk_full, "perilune_store_disk_full", "1: no writes are taken until there is room."},
        {disk_free, "perilune_store_disk_free_bytes", "Free bytes of the data directory's disk."},
        {scrub_last, "perilune_store_scrub_last_seconds",
         "When a scrub was last through, in Unix time; 0: not since the start."},
    };
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++) {
        pl_metrics_fn(m, gauges[i].name, gauges[i].help, NULL, false, gauges[i].fn, s);
    }
    s->flush_seconds =
        pl_metrics_histo(m, "perilune_store_flush_seconds", "Time of a flush.", NULL);
    s->freeze_seconds = pl_metrics_histo(
        m, "perilune_store_freeze_seconds",
        "Time of a flush until the head is frozen: what writes may wait for it.", NULL);
    s->compact_seconds =
        pl_metrics_histo(m, "perilune_store_compact_seconds", "Time of a compaction round.", NULL);
}

static void widen(struct pl_store_stats *out, int64_t lo, int64_t hi)
{
    out->t_min = lo < out->t_min ? lo : out->t_min;
    out->t_max = hi > out->t_max ? hi : out->t_max;
}

static void gen_stats(const struct pl_head_gen *g, struct pl_store_stats *out)
{
    int64_t lo, hi;
    uint64_t first, last;
    pl_head_span(g, &lo, &hi, &first, &last);
    widen(out, lo, hi);
    out->n_head_samples += pl_head_samples(g);
    out->head_bytes += pl_head_bytes(g);
}

/** Add a tenant's numbers. */
static int add(struct pl_tenant *t, struct pl_store_stats *out)
{
    struct pl_engine_stats e = {.t_min = INT64_MAX, .t_max = INT64_MIN};
    struct pl_engine_tenant *et = atomic_load(&t->et);
    pthread_mutex_lock(&t->heads_lock);
    uint64_t safe = t->safe_seq;
    gen_stats(t->cur, out);
    for (const struct pl__pending *p = t->pending; p; p = p->next) {
        if (p->gen) {
            gen_stats(p->gen, out);
        }
    }
    pthread_mutex_unlock(&t->heads_lock);
    int rc = et ? t->s->engine->ops->stats(et, &e) : 0;
    if (rc < 0) {
        return rc;
    }
    out->n_series += pl_series_count(t->series);
    out->series_bytes += pl_series_bytes(t->series);
    out->n_samples += e.n_samples;
    out->n_chunks += e.n_chunks;
    out->n_partitions += e.n_partitions;
    out->n_runs += e.n_runs;
    out->disk_bytes += e.disk_bytes;
    rc = pl__rollup_stats(t, &out->disk_bytes);
    out->flushed_seq = safe < out->flushed_seq ? safe : out->flushed_seq;
    widen(out, e.t_min, e.t_max);
    return rc;
}

static void begin(struct pl_store *s, struct pl_store_stats *out)
{
    *out =
        (struct pl_store_stats){.t_min = INT64_MAX, .t_max = INT64_MIN, .flushed_seq = UINT64_MAX};
    out->journal_bytes = pl_journal_bytes(s->journal);
    out->journal_seq = pl_journal_last_seq(s->journal);
    out->readonly = pl_journal_state(s->journal) == PL_EREADONLY;
    out->full = atomic_load(&s->full);
}

int pl_tenant_stats(struct pl_tenant *t, struct pl_store_stats *out)
{
    begin(t->s, out);
    return add(t, out);
}

int pl_store_stats(struct pl_store *s, struct pl_store_stats *out)
{
    begin(s, out);
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    int rc = 0;
    for (unsigned i = 0; i < n && rc >= 0; i++) {
        rc = s->tenants[i] ? add(s->tenants[i], out) : 0;
    }
    out->disk_bytes += out->journal_bytes;
    return rc;
}
