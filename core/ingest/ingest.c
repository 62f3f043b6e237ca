/* The parts that all decoders share: reasons, report, interning. Thread: the loop that owns it. */
#include "core/ingest/histogram.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *pl_reject_label(enum pl_reject_why why)
{
    static const char *const labels[] = {
#define PL_REJECT_LABEL(name, label, text) label,
        PL_REJECTS(PL_REJECT_LABEL)
#undef PL_REJECT_LABEL
    };
    return labels[why];
}

const char *pl_reject_text(enum pl_reject_why why)
{
    static const char *const texts[] = {
#define PL_REJECT_TEXT(name, label, text) text,
        PL_REJECTS(PL_REJECT_TEXT)
#undef PL_REJECT_TEXT
    };
    return texts[why];
}

void pl_report_reject(struct pl_ingest_report *r, uint64_t at, enum pl_reject_why why,
                      uint64_t samples, const char *fmt, ...)
{
    r->rejected += samples;
    r->by_why[why] += samples;
    if (r->n_first == PL_REJECTS_SHOWN) {
        return;
    }
    struct pl_reject *j = &r->first[r->n_first++];
    j->at = at;
    j->why = why;
    j->text[0] = 0;
    if (fmt) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(j->text, sizeof(j->text), fmt, ap);
        va_end(ap);
    }
}

bool pl_reject_of(int err, enum pl_reject_why *why)
{
    switch (err) {
    case PL_ETOOOLD:
        *why = PL_REJECT_TOO_OLD;
        return true;
    case PL_EFUTURE:
        *why = PL_REJECT_FUTURE;
        return true;
    case PL_EINVAL:
        *why = PL_REJECT_LABELS;
        return true;
    case PL_EEXIST: /* pl__intern: no room for a new series */
        *why = PL_REJECT_SERIES_LIMIT;
        return true;
    default:
        return false;
    }
}

int pl_ingest_new(const struct pl_ingest_conf *conf, struct pl_ingest **out)
{
    struct pl_ingest *g = calloc(1, sizeof(*g));
    if (!g) {
        return PL_ENOMEM;
    }
    pl_alias_init(&g->alias, conf->alias_max ? (uint32_t)conf->alias_max : 4u << 20);
    g->clock = conf->clock;
    g->samples = pl_metrics_counter(conf->metrics, "perilune_ingest_samples_total",
                                    "Samples decoded and taken into a batch.", NULL);
    g->alias_misses = pl_metrics_counter(conf->metrics, "perilune_ingest_alias_misses_total",
                                         "Series whose wire bytes had to be parsed.", NULL);
    for (int i = 0; i < PL_REJECT_N; i++) {
        char label[64];
        snprintf(label, sizeof(label), "reason=\"%s\"", pl_reject_label((enum pl_reject_why)i));
        g->rejected[i] = pl_metrics_counter(conf->metrics, "perilune_ingest_rejected_samples_total",
                                            "Samples or items rejected, by reason.", label);
    }
    *out = g;
    return 0;
}

void pl_ingest_free(struct pl_ingest *g)
{
    if (!g) {
        return;
    }
    pl_alias_fini(&g->alias);
    pl_buf_fini(&g->canon);
    pl_buf_fini(&g->text);
    pl__histogram_fini(&g->histogram);
    pl_buf_fini(&g->exemplar);
    free(g);
}

int pl__intern(struct pl_ingest *g, struct pl_batch *b, size_t n, uint32_t *id, const char **why)
{
    *why = NULL;
    pl_buf_clear(&g->canon);
    int e = pl_labels_canon(g->labels, n, &g->canon, why);
    if (e == 0 || e == PL_ELIMIT) {
        if (e == 0) {
            *why = "a series needs at least one label";
        }
        return PL_EINVAL;
    }
    if (e < 0) {
        return e;
    }
    pl_str canon = pl_buf_view(&g->canon);
    pl_count(g->alias_misses, 1);
    e = pl_tenant_intern(b->tenant, canon, pl_labels_hash(canon), id);
    return e == PL_ELIMIT ? PL_EEXIST : e;
}

void pl__counted(struct pl_ingest *g, const struct pl_batch *b, const struct pl_ingest_report *r)
{
    pl_count(g->samples, b->n);
    for (int i = 0; r->rejected && i < PL_REJECT_N; i++) {
        if (r->by_why[i]) {
            pl_count(g->rejected[i], r->by_why[i]);
        }
    }
}

int pl__exemplar(struct pl_ingest *g, struct pl_batch *b, uint32_t id, size_t n, int64_t t,
                 double v)
{
    const char *why;
    pl_buf_clear(&g->exemplar);
    int e = n <= PL_LABELS_MAX ? pl_labels_canon(g->labels, n, &g->exemplar, &why) : PL_ELIMIT;
    e = e < 0 ? e : pl_batch_exemplar(b, id, pl_buf_view(&g->exemplar), t, v);
    return e == PL_ENOMEM ? e : 0;
}
