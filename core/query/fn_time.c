/* Time and dates: time(), timestamp(), and the parts of a date in UTC. */
#include "core/query/ext.h"

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
    return pl__rows_scalar(ex, f, M_PI, out);
}

/** The server's time: an extension. */
int pl__fn_ext_now(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                   struct pl__rows *out)
{
    int64_t ms = pl_now_ms(ex->conf->clock ? ex->conf->clock : &pl_clock_real);
    (void)e;
    return pl__rows_scalar(ex, f, (double)ms / 1000, out);
}

/** start(), end(), range(), step(): of the whole query, also within a subquery. */
int pl__fn_span(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                struct pl__rows *out)
{
    int64_t ms = 0;
    switch (e->call.fn->which) {
    case PL__SPAN_START:
        ms = ex->start;
        break;
    case PL__SPAN_END:
        ms = ex->end;
        break;
    case PL__SPAN_RANGE:
        ms = ex->end - ex->start;
        break;
    default:
        ms = ex->start == ex->end ? 0 : ex->step;
        break;
    }
    return pl__rows_scalar(ex, f, (double)ms / 1000, out);
}

/** Empty, as in Prometheus without its feature flag use-start-timestamps. */
int pl__fn_start_timestamp(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                           struct pl__rows *out)
{
    int err = pl__eval(ex, f, e->call.args[0], out); /* its errors are errors */
    if (err < 0) {
        return err;
    }
    pl__rows_fini(ex, out);
    return pl__rows_new(ex, 0, f->n, out);
}

static void apply_step_time(const struct pl__map *m, double *row, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        if (!pl_is_absent(row[s])) {
            row[s] = (double)(m->start + (int64_t)s * m->step) / 1000;
        }
    }
}

static double histogram_step_time(const struct pl__map *m, struct pl__worker *w, double boxed,
                                  size_t step, int *err)
{
    (void)w, (void)boxed, (void)err;
    return (double)(m->start + (int64_t)step * m->step) / 1000;
}

/** Of a selector the times of its samples, of anything else the time of the step. */
int pl__fn_timestamp(struct pl__exec *ex, const struct pl__frame *f, struct pl_expr *e,
                     struct pl__rows *out)
{
    struct pl_expr *arg = pl__unparen(e->call.args[0]);
    int err;
    if (arg->kind == PL__SELECTOR) {
        *out = (struct pl__rows){.steps = f->n, .range_ms = ex->lookback_ms, .as_time = true};
        err = pl__cols_open_tiers(ex, f, arg, PL__TIER_INSTANT, &out->cols, &out->refs, &out->tier);
        if (err < 0) {
            return err;
        }
        out->n = out->cols.n;
        out->labels = out->cols.labels;
    } else {
        struct pl__map m = {.apply = apply_step_time,
                            .hist = histogram_step_time,
                            .start = f->start,
                            .step = f->step};
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

/** The date in UTC of any seconds since the epoch, as Go has it where Prometheus runs: what no
 * int64 holds (NaN too) is the least one, and time is counted without sign from the year
 * -292277022399, so that the least one is far in the future. The years of *tm are those of the same
 * day in the first 400 years of the calendar; the result: how many years later it is. */
static int64_t date_of(double seconds, struct tm *tm)
{
    const uint64_t cycle = UINT64_C(146097) * 86400; /* 400 years; whole weeks */
    const int64_t first = INT64_C(-292277022399);
    const int64_t epoch = INT64_C(62135596800); /* from the year 1 to 1970 */
    const uint64_t start = UINT64_C(9223371966579724800) + (uint64_t)epoch; /* from `first` */
    int64_t s = seconds >= -0x1p63 && seconds < 0x1p63 ? (int64_t)seconds : INT64_MIN;
    uint64_t since = (uint64_t)s + start;
    time_t t = (time_t)((int64_t)(since % cycle) - epoch);
    gmtime_r(&t, tm);
    return first - 1 + (int64_t)(since / cycle) * 400;
}

static double date_part(int which, double seconds)
{
    struct tm tm;
    int64_t years = date_of(seconds, &tm);
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
        return (double)(years + tm.tm_year + 1900);
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
