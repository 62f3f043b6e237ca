/* Rows: one value per step and series. Lazy rows are columns (cols.c), a window or lookback over
 * them, and a few element-wise maps; they are computed one series at a time, all steps in one pass,
 * on as many workers as the pool has idle. */
#include "core/query/ext.h"
#include "core/query/hist.h"

#include <stdlib.h>

#define TASK_MIN    64 /* series: fewer are not worth a task */
#define TASKS_MAX   16
#define STEPS_BLOCK 64

void pl__rows_fini(struct pl__exec *ex, struct pl__rows *r)
{
    if (r->v) {
        pl__values_free(ex, r->v, r->cells, sizeof *r->v);
    }
    pl__cols_fini(ex, &r->cols);
    *r = (struct pl__rows){0};
}

int pl__rows_new(struct pl__exec *ex, size_t n, size_t steps, struct pl__rows *out)
{
    *out = (struct pl__rows){.n = n, .steps = steps, .cells = n * steps};
    int err = 0;
    out->labels = pl_arena_zalloc(ex->arena, (n + 1) * sizeof *out->labels);
    out->v = out->labels ? pl__values_new(ex, n * steps, sizeof *out->v, &err) : NULL;
    if (!out->v) {
        *out = (struct pl__rows){0};
        return pl__error_code(ex, err < 0 ? err : PL_ENOMEM, 0);
    }
    return 0;
}

int pl__rows_scalar(struct pl__exec *ex, const struct pl__frame *f, double v, struct pl__rows *out)
{
    int err = pl__rows_new(ex, 1, f->n, out);
    for (size_t s = 0; err >= 0 && s < f->n; s++) {
        out->v[s] = v;
    }
    return err;
}

/* ------------------------------------------------------------------ one row */

static int reserve_steps(struct pl__worker *w, size_t steps)
{
    if (steps <= w->steps_cap) {
        return 0;
    }
    uint32_t *lo = realloc(w->lo, steps * sizeof *lo);
    w->lo = lo ? lo : w->lo;
    uint32_t *hi = realloc(w->hi, steps * sizeof *hi);
    w->hi = hi ? hi : w->hi;
    double *row = realloc(w->row, steps * sizeof *row);
    w->row = row ? row : w->row;
    double *plan = realloc(w->plan_memory, pl_rate_plan_bytes(steps));
    w->plan_memory = plan ? plan : w->plan_memory;
    w->times_of = NULL;
    if (!lo || !hi || !row || !plan) {
        return PL_ENOMEM;
    }
    w->steps_cap = steps;
    return 0;
}

/** Between the samples around each step. */
static void smoothed_row(const struct pl__rows *r, const struct pl_columns *c, double *out)
{
    size_t k = 0;
    for (size_t s = 0; s < r->steps; s++) {
        int64_t ref = r->refs.ref0 + (int64_t)s * r->refs.step;
        out[s] = pl__edges_at(c->t, c->v, c->n, ref, r->range_ms, &k);
    }
}

/** Do the samples have the timestamps of the row before? If not, they are kept for the next one.
 *  1, 0, PL_ENOMEM. */
static int same_times(const struct pl__rows *r, struct pl__worker *w)
{
    const struct pl_columns *c = &w->col;
    size_t bytes = c->n * sizeof *c->t;
    if (w->times_of == r && w->n_times == c->n && (c->n == 0 || !memcmp(w->times, c->t, bytes))) {
        return 1;
    }
    if (w->times_cap < c->n) {
        int64_t *more = realloc(w->times, bytes);
        if (!more) {
            return PL_ENOMEM;
        }
        w->times = more;
        w->times_cap = c->n;
    }
    if (c->n) {
        memcpy(w->times, c->t, bytes);
    }
    w->n_times = c->n;
    w->times_of = r;
    return 0;
}

/** For each step the place of the latest sample in (ref - lookback, ref] and one; 0: none. */
static void find_latest(const struct pl__rows *r, const struct pl_columns *c, uint32_t *at)
{
    size_t k = 0;
    for (size_t s = 0; s < r->steps; s++) {
        int64_t ref = r->refs.ref0 + (int64_t)s * r->refs.step;
        while (k < c->n && c->t[k] <= ref) {
            k++;
        }
        at[s] = k > 0 && c->t[k - 1] > ref - r->range_ms ? (uint32_t)k : 0;
    }
}

/** The latest sample at each step, unless it is a staleness marker. */
static int instant_row(const struct pl__rows *r, struct pl__worker *w, double *out)
{
    const struct pl_columns *c = &w->col;
    int same = same_times(r, w);
    if (same < 0) {
        return same;
    }
    if (!same) {
        find_latest(r, c, w->hi);
    }
    for (size_t s = 0; s < r->steps; s++) {
        uint32_t k = w->hi[s];
        out[s] = k ? c->v[k - 1] : PL_ABSENT;
    }
    for (size_t s = 0; r->as_time && s < r->steps; s++) {
        uint32_t k = w->hi[s];
        out[s] = pl_is_absent(out[s]) ? PL_ABSENT : (double)c->t[k - 1] / 1000;
    }
    return 0;
}

/** Windows and plan for the timestamps in w->col. */
static void find_windows(const struct pl__rows *r, struct pl__worker *w)
{
    const struct pl_columns *c = &w->col;
    struct pl_windows win = {r->refs.ref0 + r->after, r->refs.step, r->steps,
                             r->range_ms + r->before + r->after};
    if (win.step > 0) {
        pl_windows_find(c->t, c->n, &win, w->lo, w->hi);
    } else { /* @: one window for all steps */
        struct pl_windows one = {win.start, 1, 1, win.range};
        pl_windows_find(c->t, c->n, &one, w->lo, w->hi);
        for (size_t s = 1; s < r->steps; s++) {
            w->lo[s] = w->lo[0], w->hi[s] = w->hi[0];
        }
    }
    if (r->planned) {
        pl_rate_plan_make(&w->plan, r->rate, c->t, &win, w->lo, w->hi, w->plan_memory);
    }
}

static int range_row(const struct pl__rows *r, struct pl__worker *w, size_t i, double *out)
{
    const struct pl_columns *c = &w->col;
    struct pl__windows win = {
        .t = c->t,
        .v = c->v,
        .n = c->n,
        .lo = w->lo,
        .hi = w->hi,
        .w = {.start = r->refs.ref0, .step = r->refs.step, .n = r->steps, .range = r->range_ms},
        .eval0 = r->eval0,
        .eval_step = r->eval_step,
        .p1 = r->p1,
        .p2 = r->p2,
        .p3 = r->p3,
        .p1_same = r->p1_same,
        .before = r->before,
        .after = r->after,
    };
    int same = same_times(r, w);
    if (same < 0) {
        return same;
    }
    if (!same) {
        w->counted_of = NULL;
        find_windows(r, w);
    }
    if (w->scratch_cap < 2 * c->n) {
        double *more = realloc(w->scratch, 2 * c->n * sizeof *more);
        if (!more) {
            return PL_ENOMEM;
        }
        w->scratch = more;
        w->scratch_cap = 2 * c->n;
    }
    win.scratch = w->scratch;
    if (w->hist_cols) {
        return pl__hist_range(r, w, i, &win, out);
    }
    if (r->planned && pl_rate_planned(&w->plan, c->v, c->n, w->scratch, out)) {
        return 0;
    }
    /* In blocks, so that a query over long windows ends at its deadline within a series, too. */
    for (size_t s = 0; s < r->steps; s += STEPS_BLOCK) {
        struct pl__windows part = win;
        int err = s ? pl__tick(w->ex) : 0;
        if (err < 0) {
            return err;
        }
        part.w.n = r->steps - s < STEPS_BLOCK ? r->steps - s : STEPS_BLOCK;
        part.w.start += (int64_t)s * part.w.step;
        part.eval0 += (int64_t)s * part.eval_step;
        part.lo += s;
        part.hi += s;
        part.p1 = part.p1 ? part.p1 + s : NULL;
        part.p2 = part.p2 ? part.p2 + s : NULL;
        part.p3 = part.p3 ? part.p3 + s : NULL;
        r->range(&part, out + s);
    }
    return 0;
}

/** From samples; what of them is gone, from a tier. */
static int samples_row(const struct pl__rows *r, struct pl__worker *w, size_t i, double *out)
{
    int err = pl__cols_read(w, i, !r->range && !r->smoothed);
    if ((r->floats_only || r->smoothed) && err >= 0) {
        pl__drop_histograms(&w->col);
        w->hist_cols = false;
    }
    if (err >= 0 && r->range) {
        err = range_row(r, w, i, out);
    } else if (err >= 0 && r->smoothed) {
        smoothed_row(r, &w->col, out);
    } else if (err >= 0) {
        err = instant_row(r, w, out);
    }
    if (err >= 0 && w->ex->counts.on) {
        pl__count_row(r, w, out);
    }
    w->hist = err >= 0 && w->hist_cols && pl__any_histogram(out, r->steps);
    if (err >= 0 && r->tier.gone && !r->tier.exact) {
        err = pl__tier_patch(r, w, i, out);
    }
    return err;
}

static int compute(const struct pl__rows *r, struct pl__worker *w, size_t i, double *out)
{
    int err = reserve_steps(w, r->steps);
    w->hist = false;
    if (err >= 0 && r->tier.exact) {
        err = pl__tier_row(r, w, i, out);
    }
    if (err == 0 && r->latest) {
        err = pl__cols_latest(w, i, out);
        if (err > 0 && w->ex->counts.on) {
            pl__count_row(r, w, out);
        }
    }
    if (err == 0) {
        err = samples_row(r, w, i, out);
    }
    if (err >= 0 && r->counts) {
        pl__note_counter(r, w, i, out);
    }
    for (size_t k = 0; k < r->n_maps && err >= 0; k++) {
        if (w->hist) {
            err = pl__hist_map(&r->map[k], w, out, r->steps);
        } else {
            r->map[k].apply(&r->map[k], out, r->steps);
        }
    }
    return err < 0 ? err : 0;
}

double *pl__row(const struct pl__rows *r, struct pl__worker *w, size_t i, int *err)
{
    if (r->v) {
        w->hist = r->hist && pl__any_histogram(r->v + i * r->steps, r->steps);
        return r->v + i * r->steps;
    }
    *err = reserve_steps(w, r->steps);
    *err = *err < 0 ? *err : compute(r, w, i, w->row);
    return *err < 0 ? NULL : w->row;
}

/* ------------------------------------------------------------------ many, in parallel */

size_t pl__tasks(const struct pl__exec *ex, size_t n)
{
    size_t tasks = n / TASK_MIN;
    tasks = tasks > TASKS_MAX ? TASKS_MAX : tasks;
    return ex->conf->pool && tasks > 1 ? tasks : 1;
}

struct job {
    size_t n, tasks;
    int (*fn)(void *ctx, size_t task, size_t from, size_t to);
    void *ctx;
    _Atomic int err;
};

static void run_task(void *arg, size_t i)
{
    struct job *job = arg;
    if (job->err < 0) {
        return;
    }
    int err = job->fn(job->ctx, i, job->n * i / job->tasks, job->n * (i + 1) / job->tasks);
    if (err < 0) {
        job->err = err;
    }
}

int pl__parallel(struct pl__exec *ex, size_t n,
                 int (*fn)(void *ctx, size_t task, size_t from, size_t to), void *ctx)
{
    struct job job = {n, pl__tasks(ex, n), fn, ctx, 0};
    if (job.tasks == 1) {
        return fn(ctx, 0, 0, n);
    }
    pl_pool_for(ex->conf->pool, job.tasks, run_task, &job);
    return job.err;
}

struct materialise {
    struct pl__exec *ex;
    const struct pl__rows *r;
    double *v;
    _Atomic bool hist;
};

static int materialise(void *ctx, size_t task, size_t from, size_t to)
{
    struct materialise *m = ctx;
    struct pl__worker w;
    (void)task;
    int err = pl__worker_init(&w, m->ex, &m->r->cols);
    for (size_t i = from; i < to && err >= 0; i++) {
        err = (i - from) % 16 ? 0 : pl__tick(m->ex);
        err = err < 0 ? err : compute(m->r, &w, i, m->v + i * m->r->steps);
        if (w.hist) {
            m->hist = true;
        }
    }
    pl__worker_fini(&w);
    return err;
}

int pl__rows_materialise(struct pl__exec *ex, struct pl__rows *r)
{
    if (r->v) {
        return 0;
    }
    struct materialise m = {ex, r, NULL, false};
    int err = 0;
    m.v = pl__values_new(ex, r->n * r->steps, sizeof *m.v, &err);
    if (m.v) {
        err = pl__parallel(ex, r->n, materialise, &m);
    }
    if (err < 0) {
        pl__values_free(ex, m.v, r->n * r->steps, sizeof *m.v);
        return pl__error_code(ex, err, 0);
    }
    pl__cols_fini(ex, &r->cols);
    r->v = m.v;
    r->cells = r->n * r->steps;
    r->hist = m.hist;
    r->n_maps = 0;
    return 0;
}

int pl__rows_map(struct pl__exec *ex, struct pl__rows *r, const struct pl__map *m)
{
    if (!r->v && r->n_maps < PL__MAPS_MAX) {
        r->map[r->n_maps++] = *m;
        return 0;
    }
    struct pl__worker w;
    int err = pl__rows_materialise(ex, r);
    err = err < 0 ? err : pl__worker_init(&w, ex, &r->cols);
    if (err < 0) {
        return err;
    }
    for (size_t i = 0; i < r->n && err >= 0; i++) {
        double *row = r->v + i * r->steps;
        err = i % 256 ? 0 : pl__tick(ex);
        if (err >= 0 && r->hist && pl__any_histogram(row, r->steps)) {
            err = pl__hist_map(m, &w, row, r->steps);
        } else if (err >= 0) {
            m->apply(m, row, r->steps);
        }
    }
    pl__worker_fini(&w);
    return err < 0 ? pl__error_code(ex, err, 0) : 0;
}
