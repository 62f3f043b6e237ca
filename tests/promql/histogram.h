/* Native histograms in Prometheus' test language: {{schema:0 sum:5 count:4 buckets:[1 2 1]}}. */
#pragma once
#include "core/model/model.h"

/** One as written: was counter_reset_hint given? */
struct written {
    struct pl_histogram h;
    bool hint;
};
/** The literal that *s begins with; *s is moved behind it. NULL: not one. */
struct written *written_parse(struct pl_arena *a, pl_str *s);
/** a + factor * b, as series of the language are continued. NULL: they do not add up. */
struct written *written_add(struct pl_arena *a, const struct written *x, const struct written *y,
                            double factor);
/** Is it the one that was expected? Values may be off by a relative epsilon; empty buckets do not
 * count; the hint is looked at where it is written. */
bool written_matches(const struct written *want, const struct pl_histogram *got,
                     bool (*close_to)(double, double));

/* --- load_with_nhcb: histograms with custom buckets made of classic ones */

struct classic_set;
struct classic_set *classic_new(void);
/** Samples of a series; those of names ending in _bucket, _count and _sum are taken note of. */
void classic_add(struct classic_set *c, pl_str labels, const int64_t *t, const double *v, size_t n);
/** Give each histogram series that came up, with its samples (boxed), and free all. */
void classic_finish(struct classic_set *c,
                    void (*put)(void *ctx, pl_str labels, const int64_t *t, const double *v,
                                size_t n),
                    void *ctx);
