/* Inside of the evaluator. A query is evaluated over all steps of a frame at once: an expression
 * yields rows, one per series, of one value per step. Rows are lazy where they can be: a selector
 * or range function with its element-wise maps is decoded and computed row by row, by all workers,
 * straight into the result or into the accumulators of an aggregation; nothing else is held.
 *
 *   labelset.c   label sets: projection, index, groups         names.c  names that are to go
 *   cols.c       selector, subquery -> columns of samples, one series at a time
 *   plan_tier.c  rollup tiers in place of samples
 *   rows.c       columns -> rows of steps; maps; materialisation, in parallel
 *   aggregate.c aggregate_select.c  rows -> groups     binary.c match.c setop.c  rows x rows
 *   fn_*.c       functions (fn_edges.c: anchored, smoothed)
 *   exec.c       the tree       cse.c  equal parts once       run.c  a whole query
 *   stats.c      what was looked at      reads.c  what could be: for the cache (cache.h)
 *
 * Beside it: hist.h, native histograms; ext.h, what Prometheus does not have; explain.h.
 *
 * A step without a sample holds PL_ABSENT (kernel.h), which no sample of a result can be. */
#pragma once
#include "core/kernel/kernel.h"
#include "core/query/functions.h"
#include "core/query/source.h"

#include <pthread.h>
#include <stdatomic.h>

#define PL__SUBQUERY_STEP_MS 60000 /* of a subquery that names none */
#define PL__NOTES_MAX        10    /* warnings, and as many infos */
#define PL__NOTED_MAX        640   /* kept to say how many there are */
#define PL__MAPS_MAX         8
#define PL__NAMES_NOTED      64

struct pl__explain;

/** Steps: start, start + step, ... n of them. */
struct pl__frame {
    int64_t start, end, step;
    size_t n;
};

/** What was looked at (stats.c). */
struct pl__counts {
    bool on;           /* not within a subquery; changes while no task runs */
    bool whole;        /* the subquery that comes is the query itself: what it reads counts */
    unsigned repeated; /* within what is evaluated once for all steps */
    _Atomic uint64_t queryable;
    _Atomic size_t held, peak; /* values */
    _Atomic uint64_t *step;    /* by step, where asked for */
    size_t steps;
};

struct pl__noted {
    pl_str text;
    size_t at;
};

struct pl__exec {
    const struct pl_query_conf *conf;
    const struct pl_source *src;
    struct pl_arena *arena; /* the query's: labels, scalars; the calling thread's */
    struct pl_arena *told;  /* the result's */
    int refused;            /* why the arena got no more: PL_ELIMIT, PL_EBUSY */
    struct pl_query_error *err;
    pl_str text;
    int64_t start, end, lookback_ms; /* of the whole query: @ start(), @ end() */
    int64_t step;                    /* of the whole query; 0: an instant query */
    bool instant;
    _Atomic uint64_t samples, chunks, series;
    /* explain.c: what each node takes is noted there; NULL: it is not */
    struct pl__explain *analysis;
    struct pl__counts counts;
    /** Of the selector that is opened next; or NULL. */
    const struct pl__group_by *group_by;

    _Atomic size_t memory;      /* of values */
    _Atomic int64_t tier_ms;    /* coarsest tier read */
    bool tier_gone;             /* a tier stands in for samples that are gone */
    _Atomic bool damaged;       /* samples that cannot be read were left out */
    struct pl__labelbuf *bufs;  /* labels of selectors */
    pthread_mutex_t lock;       /* of the notes and the heaps; innermost */
    struct pl__heap *heaps;     /* histograms of workers that have ended (hist.h) */
    bool hist_stats;            /* below histogram_count() and the like: see hist.c */
    struct pl__noted *notes[2]; /* infos, warnings: the latest place of each text */
    size_t n_notes[2], cap_notes[2];
    size_t noted;              /* how often: the same words at another place, too */
    struct pl__shared *shared; /* cse.c */
    size_t n_shared;           /* those that count are below it */
};

/** Record the error of a query and return its code. Main thread. */
int pl__error(struct pl__exec *ex, int code, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/** The words for a code that came without: limits, timeouts, cancellation. */
int pl__error_code(struct pl__exec *ex, int code, size_t at);
/** Add a warning or info once, with its place: "PromQL info: ... (1:6)". The same words at another
 *  place move the note there, as in Prometheus. Any thread. */
void pl__note(struct pl__exec *ex, bool warning, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/** A note that a quantile is outside [0, 1], at the expression that gives it. */
void pl__note_quantile(struct pl__exec *ex, const struct pl_expr *e, double q);
/** Over the deadline, cancelled? PL_ETIMEOUT, PL_ECANCELED. Any thread; in all loops over series.
 */
int pl__tick(struct pl__exec *ex);
/** pl_arena's room: blocks are accounted as values are. ctx: the query. */
bool pl__arena_room(void *ctx, size_t bytes);
/** Account for values; PL_ELIMIT over the query's budget, PL_EBUSY over that of all. Any thread. */
int pl__charge(struct pl__exec *ex, size_t bytes);
/** Charge what the result's arena has come to. The same errors. */
int pl__charge_result(struct pl__exec *ex, struct pl_result *r);
void pl__uncharge(struct pl__exec *ex, size_t bytes);
void *pl__values_new(struct pl__exec *ex, size_t n, size_t size, int *err); /* malloc, accounted */
void pl__values_free(struct pl__exec *ex, void *p, size_t n, size_t size);
/** Label bytes owned by the query; views are taken once all is appended. */
struct pl__labelbuf {
    struct pl__labelbuf *next;
    struct pl_buf buf;
};
struct pl_buf *pl__labelbuf_new(struct pl__exec *ex);

/* ------------------------------------------------------------------ label sets */

/** What an aggregation wants to know of the labels of its operand: given to the selector below it,
 * where nothing in between looks at labels (pl__groupable). Its rows then have no labels but
 * numbers. */
struct pl__group_by {
    struct pl__names names;
    bool without;
    pl_str metric; /* the name that all series have; empty: they may differ */
};
/** Series by group: pl_select_group. In the arena. */
struct pl__groups {
    uint32_t *of; /* one a series; NULL: series have labels */
    pl_str *labels;
    size_t n;
    pl_str metric; /* the name that all series have, for notes */
};
/** May the operand of aggregation e be asked for groups only? Then *out is what to ask for. */
bool pl__groupable(struct pl__exec *ex, const struct pl_expr *e, struct pl__group_by *out);

/** Longest label set that a function may make: they multiply. */
#define PL__LABELS_MAX ((size_t)1 << 20)

/** Label sets (canonical bytes, borrowed) -> dense numbers. */
struct pl__index {
    uint32_t *slot;
    size_t cap, n, room;
    pl_str *key;
    uint64_t *hash;
};
#define PL__INDEX_NONE SIZE_MAX
void pl__index_fini(struct pl__index *x);
/** Number of the key, given now if it is new (then *fresh; the key must live as long as the index:
 *  replace x->key[i] by a copy). PL_ENOMEM as SIZE_MAX. */
size_t pl__index_put(struct pl__index *x, pl_str key, bool *fresh);
size_t pl__index_get(const struct pl__index *x, pl_str key);

bool pl__names_has(const struct pl__names *names, pl_str name);
/** Append the labels that are in names (keep) or not in names (!keep). */
void pl__project(struct pl_buf *out, pl_str canon, const struct pl__names *names, bool keep);
/** __name__, and with it __type__ and __unit__: what says something of the metric only. */
bool pl__of_metric(pl_str name);
/** Without __name__, __type__ and __unit__: a piece of it where they come first, else a copy in the
 *  arena. */
pl_str pl__drop_name(struct pl_arena *a, pl_str canon);
/** Append canon with name set to value (removed if empty). */
void pl__set_label(struct pl_buf *out, pl_str canon, pl_str name, pl_str value);
/** Append `{a="b", c="d"}`, the name among the labels, as Prometheus' errors show them. */
void pl__labels_show(struct pl_buf *out, pl_str canon);

/* ------------------------------------------------------------------ columns */

/** Series of samples: of a selector, or of a subquery's steps. */
struct pl__cols {
    size_t n;
    pl_str *labels; /* NULL where there are groups */
    struct pl__groups groups;
    void *set; /* selector */
    int64_t t0, t1;
    bool hist_stats;
    struct pl__rows *inner; /* subquery: materialised, owned */
    struct pl__frame frame;
};
/** What a worker needs to read columns and make rows. */
struct pl__worker {
    struct pl__exec *ex;
    const struct pl__cols *cols;
    void *reader;
    struct pl_columns col;
    struct pl_tier_columns tier;
    uint32_t *lo, *hi; /* windows, one per step */
    double *row, *scratch;
    size_t steps_cap, scratch_cap;
    /* the latest samples of series [latest_from, latest_to): of instant queries */
    struct pl_latest *latest;
    size_t latest_from, latest_to;
    uint64_t samples; /* read, not yet told to ex */
    uint64_t queryable;
    uint32_t widest;                   /* window */
    uint64_t counted;                  /* samples in the windows at hand, */
    const struct pl__rows *counted_of; /* of these rows; NULL: not counted yet */
    /* The timestamps for which lo, hi and plan were made: series of one scrape share theirs. */
    int64_t *times;
    size_t n_times, times_cap;
    const struct pl__rows *times_of; /* NULL: for none */
    struct pl_rate_plan plan;
    double *plan_memory;
    bool hist_cols, hist;          /* histograms among the columns; in the row */
    pl_str noted[PL__NAMES_NOTED]; /* names that the note on counters was given of, by hash */
    bool hist_before;              /* there were some: read what is before them, too */
    struct pl__heap *heap;
    struct pl_arena tmp; /* of one row */
};
int pl__worker_init(struct pl__worker *w, struct pl__exec *ex, const struct pl__cols *c);
void pl__worker_fini(struct pl__worker *w);
/** The latest sample of series i of a selector in its range, without staleness markers: 1, it is in
 *  *v (PL_ABSENT: none); 0: pl__cols_read is to be asked. */
int pl__cols_latest(struct pl__worker *w, size_t i, double *v);
/** Samples of series i, without staleness markers unless `raw`: in w->col. */
int pl__cols_read(struct pl__worker *w, size_t i, bool raw);
void pl__cols_fini(struct pl__exec *ex, struct pl__cols *c);
/** Where steps look: ref(i) = ref0 + i * step. */
struct pl__refs {
    int64_t ref0, step, last;
};
struct pl__refs pl__refs(const struct pl__exec *ex, const struct pl__frame *f,
                         const struct pl__when *w);
/** The steps of a subquery over [t0, t1]. */
void pl__subquery_frame(const struct pl_expr *e, int64_t t0, int64_t t1, struct pl__frame *f);
/** Columns of a selector (range_ms or the lookback before each ref) or a subquery. */
int pl__cols_open(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                  struct pl__cols *out, struct pl__refs *refs);

/* ------------------------------------------------------------------ rollup tiers: plan_tier.c */

#define PL__TIERS_PLANNED 16
#define PL__TIER_INSTANT  (-1) /* `which` of an instant selector */

/** How a selector reads tiers; all 0: not at all. */
struct pl__tier_plan {
    int which; /* enum pl__range, or PL__TIER_INSTANT */
    unsigned want;
    bool exact;                          /* all steps from buckets */
    bool gone;                           /* steps that look behind `oldest` from buckets */
    size_t at;                           /* the tier to read first */
    int64_t oldest, before_ms, after_ms; /* how much more than the windows to select */
    struct pl_tier tier[PL__TIERS_PLANNED];
    size_t n;
};
/** Plan for `which` over windows of range_ms. */
void pl__tier_plan(struct pl__exec *ex, struct pl_expr *e, int which, int64_t range_ms,
                   const struct pl__refs *refs, struct pl__tier_plan *p);
/** pl__cols_open with a plan: what tiers need besides is selected, too, and it is said where they
 *  stand in for samples. */
int pl__cols_open_tiers(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                        int which, struct pl__cols *out, struct pl__refs *refs,
                        struct pl__tier_plan *p);
void pl__tier_note(struct pl__exec *ex, const struct pl_expr *e, const struct pl__tier_plan *p,
                   size_t n_series);

/* ------------------------------------------------------------------ range functions */

/** The windows of one series: samples [lo[i], hi[i]) for step i. */
struct pl__windows {
    const int64_t *t;
    const double *v;
    size_t n;
    struct pl_windows w;
    const uint32_t *lo, *hi;
    int64_t eval0, eval_step;   /* evaluation time of step i: eval0 + i * eval_step */
    const double *p1, *p2, *p3; /* scalar arguments, per step */
    bool p1_same;               /* p1 is the same at all steps */
    double *scratch;            /* n values */
    int64_t before, after;      /* lo and hi reach so far beyond the range: anchored, smoothed */
};
/** Fill out[w.n]: all steps of a series in one pass. */
typedef void (*pl__range_fn)(const struct pl__windows *w, double *out);

/* clang-format off */
#define PL__RANGES(X)                                                                              \
    X(AVG_OVER_TIME, avg_over_time) X(SUM_OVER_TIME, sum_over_time)                                \
    X(MIN_OVER_TIME, min_over_time) X(MAX_OVER_TIME, max_over_time)                                \
    X(COUNT_OVER_TIME, count_over_time) X(LAST_OVER_TIME, last_over_time)                          \
    X(FIRST_OVER_TIME, first_over_time) X(PRESENT_OVER_TIME, present_over_time)                    \
    X(STDDEV_OVER_TIME, stddev_over_time) X(STDVAR_OVER_TIME, stdvar_over_time)                    \
    X(QUANTILE_OVER_TIME, quantile_over_time) X(MAD_OVER_TIME, mad_over_time)                      \
    X(TS_OF_MAX_OVER_TIME, ts_of_max_over_time) X(TS_OF_MIN_OVER_TIME, ts_of_min_over_time)        \
    X(TS_OF_FIRST_OVER_TIME, ts_of_first_over_time) X(TS_OF_LAST_OVER_TIME, ts_of_last_over_time)  \
    X(RATE, rate) X(INCREASE, increase) X(DELTA, delta) X(IRATE, irate) X(IDELTA, idelta)          \
    X(CHANGES, changes) X(RESETS, resets) X(DERIV, deriv) X(PREDICT_LINEAR, predict_linear)        \
    X(DOUBLE_EXPONENTIAL_SMOOTHING, double_exponential_smoothing)
/* clang-format on */
enum pl__range {
#define PL__RANGE_ENUM(name, fn) PL__RANGE_##name,
    PL__RANGES(PL__RANGE_ENUM)
#undef PL__RANGE_ENUM
};
/** An info where floats came of series i whose name is not a counter's. Any thread. */
void pl__note_counter(const struct pl__rows *r, struct pl__worker *w, size_t i, const double *row);
#define PL__RANGE_SCALARS 3
/** The arguments of a function of range vectors: the last one, and the values of the scalars in
 *  order (at most PL__RANGE_SCALARS). PL_EINVAL of an anchored or smoothed range that the
 *  function does not go with. */
int pl__range_args(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                   struct pl_expr **range, const double **p);
/** The range function of an enum pl__range. */
pl__range_fn pl__range_of(int which);
/** The same over anchored or smoothed ranges; NULL: it has none. fn_edges.c */
pl__range_fn pl__range_edges(int which, enum pl__edges edges);
/** Samples of one anchored or smoothed range (from, to], its ends among them: into out_t, out_v
 *  with room for n + 2. t, v: also what lies before and behind. Returns how many. */
size_t pl__edges_points(enum pl__edges edges, const int64_t *t, const double *v, size_t n,
                        int64_t from, int64_t to, int64_t *out_t, double *out_v);
/** The value at `at`, between the samples around it, not further away than the lookback. */
double pl__edges_at(const int64_t *t, const double *v, size_t n, int64_t at, int64_t lookback,
                    size_t *k);

/* ------------------------------------------------------------------ rows */

struct pl__map {
    void (*apply)(const struct pl__map *m, double *row, size_t steps);
    double (*fn)(double);
    /** What becomes of a histogram at a step; NULL: nothing. *err: PL_ENOMEM. */
    double (*hist)(const struct pl__map *m, struct pl__worker *w, double boxed, size_t step,
                   int *err);
    const struct pl_expr *e;
    struct pl__exec *ex;
    const double *a, *b; /* per step, in the arena */
    int64_t start, step; /* times of the steps, ms */
    int which;
    bool flag, flag2;
};
struct pl__rows {
    size_t n, steps;
    pl_str *labels;           /* NULL where there are groups */
    struct pl__groups groups; /* only of what pl__groupable allowed, and only if it was possible */
    double *v;                /* n x steps, owned; NULL while lazy */
    size_t cells;             /* room in v: what was accounted for */
    bool hist;                /* v may hold histograms */
    /* lazy: */
    struct pl__cols cols;
    struct pl__refs refs;
    pl__range_fn range; /* NULL: instant selector */
    bool planned;       /* range is rate, increase or delta: by `rate`, with a plan */
    enum pl_rate rate;
    int which;    /* enum pl__range */
    size_t at;    /* of the range function's first argument */
    bool counts;  /* it is for counters: names tell */
    bool as_time; /* the time of the sample in seconds instead of its value */
    int64_t range_ms, eval0, eval_step;
    const double *p1, *p2, *p3;
    bool p1_same, floats_only; /* floats_only: the function does not know histograms */
    int64_t before, after;     /* of an anchored or smoothed range */
    bool smoothed;             /* an instant selector: between samples */
    bool latest;               /* an instant selector at one time: pl_source_ops.latest */
    struct pl__tier_plan tier;
    struct pl__map map[PL__MAPS_MAX];
    size_t n_maps;
    bool ordered;   /* the order of the rows means something (instant queries) */
    bool drop;      /* the names go at the end of the query (names.c); drops: of these rows */
    uint8_t *drops; /* a byte a row; NULL: `drop` is for all */
};
void pl__rows_fini(struct pl__exec *ex, struct pl__rows *r);
/** n rows of `steps` values to fill; labels to be set. */
int pl__rows_new(struct pl__exec *ex, size_t n, size_t steps, struct pl__rows *out);
/** A scalar that is the same at all steps. */
int pl__rows_scalar(struct pl__exec *ex, const struct pl__frame *f, double v, struct pl__rows *out);
/** Row i from buckets: 1; 0: read the samples. */
int pl__tier_row(const struct pl__rows *r, struct pl__worker *w, size_t i, double *out);
/** The steps of a row whose samples are gone, from buckets. */
int pl__tier_patch(const struct pl__rows *r, struct pl__worker *w, size_t i, double *out);
int pl__rows_materialise(struct pl__exec *ex, struct pl__rows *r);
/** Row i: in r->v, or computed into w->row. NULL on error (*err). */
double *pl__row(const struct pl__rows *r, struct pl__worker *w, size_t i, int *err);
int pl__rows_map(struct pl__exec *ex, struct pl__rows *r, const struct pl__map *m);
/* names.c: */
/** The metric names of all rows go: marked, or at once where the query has it so. */
int pl__rows_drop_names(struct pl__exec *ex, struct pl__rows *r, size_t at);
/** Without the names that are marked; rows that become equal are merged, PL_EINVAL where they
 *  overlap. */
int pl__rows_names_now(struct pl__exec *ex, struct pl__rows *r, size_t at);
/** One mark a row: r->drops is there to be written. PL_ENOMEM, without words. */
int pl__rows_marks(struct pl__exec *ex, struct pl__rows *r);
/** The marks of r, whose row i came of row[i] of another (UINT32_MAX: of none). PL_ENOMEM. */
int pl__rows_marks_from(struct pl__exec *ex, struct pl__rows *r, const struct pl__rows *from,
                        const uint32_t *row);
/** The marks of the groups in out: where a row of them has one; rows without values are gone before
 *  where marks differ (pl__rows_prune). PL_ENOMEM. */
int pl__group_marks(struct pl__exec *ex, const struct pl__rows *r, const struct pl__names *by,
                    bool without, const uint32_t *group, struct pl__rows *out);
/** Merge rows of equal labels and marks (materialised). */
int pl__rows_merge(struct pl__exec *ex, struct pl__rows *r, size_t at);
/** Remove rows that have no value at any step (materialised). */
void pl__rows_prune(struct pl__rows *r);
/** Spread n items over tasks: fn(ctx, task, from, to); tasks are the same for the same n. */
size_t pl__tasks(const struct pl__exec *ex, size_t n);
int pl__parallel(struct pl__exec *ex, size_t n,
                 int (*fn)(void *ctx, size_t task, size_t from, size_t to), void *ctx);

/* ------------------------------------------------------------------ counts (stats.c) */

int pl__counts_init(struct pl__counts *c, size_t steps, bool per_step);
void pl__counts_fini(struct pl__counts *c);
/** A row was computed from the columns at hand; its maps are not applied yet. Any thread. */
void pl__count_row(const struct pl__rows *r, struct pl__worker *w, const double *row);
/** So many values more are held. Any thread. */
void pl__count_held(struct pl__exec *ex, size_t more);
/** Count for all what a worker counted for itself. */
void pl__count_worker(struct pl__worker *w);
/** Around what is evaluated once for all steps: what was counted in it counts at every step. */
uint64_t pl__count_repeated(struct pl__exec *ex);
void pl__count_repeat(struct pl__exec *ex, uint64_t before, size_t steps);
int pl__counts_tell(const struct pl__counts *c, struct pl_arena *a, struct pl_query_stats *out);

/* ------------------------------------------------------------------ the tree */

/** Find what stands more than once (cse.c). PL_ENOMEM. */
int pl__share_mark(struct pl__exec *ex, struct pl_expr *root);
void pl__share_fini(struct pl__exec *ex);
/** Rows of e, that has an equal one, if they were kept for it. */
bool pl__share_get(struct pl__exec *ex, const struct pl__frame *f, const struct pl_expr *e,
                   struct pl__rows *out);
/** Keep the rows of e for the equal ones, if it pays; they may be materialised.
 *  @param notes  evaluating it gave some */
int pl__share_put(struct pl__exec *ex, const struct pl__frame *f, const struct pl_expr *e,
                  bool notes, struct pl__rows *rows);
/** What a query over [start, end] can be made of (reads.c). */
void pl__reads_of(const struct pl_expr *e, int64_t start, int64_t end, int64_t lookback_ms,
                  struct pl_query_reads *out);
/** Are these times of a range query? PL_EINVAL, in Prometheus' words. */
int pl__check_range(int64_t start, int64_t end, int64_t step, struct pl_query_error *err);
/** Add a row of values to out->series, which has room for it; nothing, if there are none. `times`
 *  lives as long as the result; a row that stands in out->values stays there. 1, 0; PL_ENOMEM. */
int pl__result_row(struct pl_result *out, pl_str labels, const double *row, const int64_t *times,
                   size_t steps);
/** Rows of a vector expression; scalars have one row without labels. On failure out is not owned.
 */
int pl__eval(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
             struct pl__rows *out);
/** The same, materialised. */
int pl__eval_values(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    struct pl__rows *out);
/** Evaluate, and note what it took (explain.c). */
int pl__analysed(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                 struct pl__rows *out,
                 int (*eval)(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                             struct pl__rows *out));
/** A scalar at each step, in the arena. */
int pl__eval_scalar(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    const double **out);
int pl__eval_aggregate(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                       struct pl__rows *out);
int pl__eval_select(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    struct pl__rows *out); /* aggregate_select.c: topk, quantile, ... */
int pl__eval_binary(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                    struct pl__rows *out);
int pl__eval_match(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *l,
                   struct pl__rows *r, struct pl__rows *out);
int pl__eval_set(struct pl__exec *ex, const struct pl_expr *e, struct pl__rows *l,
                 struct pl__rows *r, struct pl__rows *out);
/** a op b; comparisons give 1 or 0. */
double pl__op_apply(enum pl__op op, double a, double b);
/** Group of each of n label sets: group[i] in [0, *n_groups), labels of the groups in the arena. */
int pl__group(struct pl__exec *ex, const pl_str *labels, size_t n, const struct pl__names *by,
              bool without, uint32_t *group, pl_str **group_labels, size_t *n_groups);
/** The times of the steps in seconds. */
static inline double pl__step_s(const struct pl__frame *f, size_t i)
{
    return (double)(f->start + (int64_t)i * f->step) / 1000;
}

/* ------------------------------------------------------------------ functions (the table names
 * them) */

/* clang-format off */
#define PL__EVALS(X)                                                                               \
    X(range) X(span) X(extreme) X(math) X(clamp) X(round) X(date) X(time) X(timestamp) X(pi) X(scalar) X(vector)      \
    X(absent) X(start_timestamp) X(sort) X(label_replace) X(label_join) X(histogram) X(native) X(info)
/* clang-format on */
#define PL__EVAL_DECL(name)                                                                        \
    int pl__fn_##name(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,           \
                      struct pl__rows *out);
PL__EVALS(PL__EVAL_DECL)
#undef PL__EVAL_DECL

enum { PL__SPAN_START, PL__SPAN_END, PL__SPAN_RANGE, PL__SPAN_STEP };
enum { PL__EXTREME_MAX, PL__EXTREME_MIN };
enum { PL__CLAMP_BOTH, PL__CLAMP_MIN, PL__CLAMP_MAX };
enum { PL__SORT_ASC, PL__SORT_DESC, PL__SORT_LABEL, PL__SORT_LABEL_DESC };
enum { PL__HIST_QUANTILE, PL__HIST_FRACTION, PL__HIST_QUANTILES };
enum {
    PL__NATIVE_COUNT,
    PL__NATIVE_SUM,
    PL__NATIVE_AVG,
    PL__NATIVE_STDDEV,
    PL__NATIVE_STDVAR,
};
/* clang-format off */
#define PL__MATHS(X)                                                                               \
    X(ABS, fabs) X(CEIL, ceil) X(FLOOR, floor) X(EXP, exp) X(SQRT, sqrt) X(LN, log) X(LOG2, log2)  \
    X(LOG10, log10) X(SGN, sgn) X(SIN, sin) X(COS, cos) X(TAN, tan) X(ASIN, asin) X(ACOS, acos)    \
    X(ATAN, atan) X(SINH, go_sinh) X(COSH, go_cosh) X(TANH, tanh) X(ASINH, asinh)                  \
    X(ACOSH, acosh) X(ATANH, atanh) X(DEG, deg) X(RAD, rad)
/* clang-format on */
enum pl__math {
#define PL__MATH_ENUM(name, fn) PL__MATH_##name,
    PL__MATHS(PL__MATH_ENUM)
#undef PL__MATH_ENUM
};
enum {
    PL__DATE_MINUTE,
    PL__DATE_HOUR,
    PL__DATE_DAY_OF_WEEK,
    PL__DATE_DAY_OF_MONTH,
    PL__DATE_DAY_OF_YEAR,
    PL__DATE_DAYS_IN_MONTH,
    PL__DATE_MONTH,
    PL__DATE_YEAR,
};
