/* Time and dates: time(), timestamp(), and the parts of a date in UTC. */
#include "core/query/exec.h"

#include <math.h>
#include <time.h>

int pl__fn_time(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    (void)e;
    int err = pl__rows_new(ex, 1, f->n, out);
    for (size_t s = 0; err >= 0 && s < f->n; s++) {
        out->v[s] = pl__step_s(f, s);
    }
    return err;
}

int pl__fn_pi(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
              struct pl__rows *out)
{
    (void)e;
    int err = pl__rows_new(ex, 1, f->n, out);
    for (size_t s = 0; err >= 0 && s < f->n; s++) {
        out->v[s] = M_PI;
    }
    return err;
}

static void apply_step_time(const struct pl__map *m, double *row, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        if (!pl_is_absent(row[s])) {
            row[s] = (double)(m->start + (int64_t)s * m->step) / 1000;
        }
    }
}

/** Of a selector the times of its samples, of anything else the time of the step. */
int pl__fn_timestamp(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    struct pl_expr *arg = pl__unparen(e->call.args[0]);
    int err;
    if (arg->kind == PL__SELECTOR) {
        *out = (struct pl__rows){.steps = f->n, .range_ms = ex->lookback_ms, .as_time = true};
        err = pl__cols_open(ex, f, arg, &out->cols, &out->refs);
        if (err < 0) {
            return err;
        }
        out->n = out->cols.n;
        out->labels = out->cols.labels;
    } else {
        struct pl__map m = {.apply = apply_step_time, .start = f->start, .step = f->step};
        err = pl__eval(ex, f, arg, out);
        if (err < 0) {
            return err;
        }
        err = pl__rows_map(ex, out, &m);
    }
    err = err < 0 ? err : pl__rows_drop_names(ex, out, e->at);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}

static double date_part(int which, double seconds)
{
    if (!(fabs(seconds) < 1e15)) {
        return NAN; /* no year of a calendar */
    }
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    switch (which) {
    case PL__DATE_MINUTE:
        return tm.tm_min;
    case PL__DATE_HOUR:
        return tm.tm_hour;
    case PL__DATE_DAY_OF_WEEK:
        return tm.tm_wday;
    case PL__DATE_DAY_OF_MONTH:
        return tm.tm_mday;
    case PL__DATE_DAY_OF_YEAR:
        return tm.tm_yday + 1;
    case PL__DATE_MONTH:
        return tm.tm_mon + 1;
    case PL__DATE_YEAR:
        return (double)tm.tm_year + 1900;
    default: {
        static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int64_t year = (int64_t)tm.tm_year + 1900;
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return days[tm.tm_mon] + (tm.tm_mon == 1 && leap);
    }
    }
}

static void apply_date(const struct pl__map *m, double *row, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        row[s] = pl_is_absent(row[s]) ? PL_ABSENT : date_part(m->which, row[s]);
    }
}

int pl__fn_date(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    struct pl__map m = {.apply = apply_date, .which = e->call.fn->which};
    int err = e->call.n ? pl__eval(ex, f, e->call.args[0], out) : pl__fn_time(ex, f, e, out);
    if (err < 0) {
        return err;
    }
    err = pl__rows_drop_names(ex, out, e->at);
    err = err < 0 ? err : pl__rows_map(ex, out, &m);
    if (err < 0) {
        pl__rows_fini(ex, out);
    }
    return err;
}
