/* Ranges with ends of their own: `anchored` begins with the last sample at or before the range's
 * start, `smoothed` also interpolates at both ends from the samples around them (Prometheus'
 * extended range selectors, promql/functions.go: extendedRate). lo and hi of the windows reach a
 * lookback beyond the range. */
#include "core/query/exec.h"

/** First index in [lo, hi) whose time is greater than `at` (or equal, with `equal`); hi if none. */
static size_t search(const int64_t *t, size_t lo, size_t hi, int64_t at, bool equal)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t[mid] > at || (equal && t[mid] == at)) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

/** On the line from sample i to the next one; a counter that was reset begins at zero. */
static double between(const int64_t *t, const double *v, size_t i, int64_t at, bool counter)
{
    double a = v[i], b = v[i + 1];
    a = counter && b < a ? 0 : a;
    return a + (b - a) * (double)(at - t[i]) / (double)(t[i + 1] - t[i]);
}

/** What a range (from, to] begins and ends with: samples [first, last] of [lo, hi). */
struct span {
    size_t first, last;
    double left, right;
};

static bool find_span(const int64_t *t, const double *v, size_t lo, size_t hi, int64_t from,
                      int64_t to, bool smoothed, bool counter, struct span *out)
{
    if (lo == hi) {
        return false;
    }
    size_t last = hi - 1, first = search(t, lo, last, from, false);
    first = first > lo ? first - 1 : lo;
    last = smoothed ? search(t, lo, last, to, true) : last;
    if (t[last] <= from || (smoothed && t[first] > to)) {
        return false;
    }
    *out = (struct span){first, last, v[first], v[last]};
    if (smoothed && t[first] < from) {
        out->left = between(t, v, first, from, counter);
    }
    if (smoothed && last > lo && t[last] > to) {
        out->right = between(t, v, last - 1, to, counter);
    }
    return true;
}

static void extended(const struct pl__windows *w, double *out, bool smoothed, bool counter,
                     bool per_second)
{
    for (size_t s = 0; s < w->w.n; s++) {
        int64_t to = w->w.start + (int64_t)s * w->w.step, from = to - w->w.range;
        struct span x;
        if (!find_span(w->t, w->v, w->lo[s], w->hi[s], from, to, smoothed, counter, &x)) {
            out[s] = PL_ABSENT;
            continue;
        }
        double result = x.right - x.left;
        if (counter) { /* resets strictly inside: those at the ends are in left and right */
            size_t i = x.first + (w->t[x.first] <= from);
            size_t end = x.last + (w->t[x.last] < to);
            double before = x.left, resets = 0;
            for (; i < end; i++) {
                resets += w->v[i] < before ? before : 0;
                before = w->v[i];
            }
            result += resets + (x.right < before ? before : 0);
        }
        out[s] = per_second ? result / ((double)w->w.range / 1000) : result;
    }
}

/** changes, resets: from the anchor on. */
static void count(const struct pl__windows *w, double *out, bool resets)
{
    for (size_t s = 0; s < w->w.n; s++) {
        int64_t from = w->w.start + (int64_t)s * w->w.step - w->w.range;
        size_t lo = w->lo[s], hi = w->hi[s], inside = search(w->t, lo, hi, from, false), n = 0;
        if (inside == hi) {
            out[s] = PL_ABSENT;
            continue;
        }
        for (size_t i = (inside > lo ? inside - 1 : lo) + 1; i < hi; i++) {
            double a = w->v[i - 1], b = w->v[i];
            n += resets ? b < a : a != b && (a == a || b == b);
        }
        out[s] = (double)n;
    }
}

static void anchored_rate(const struct pl__windows *w, double *out)
{
    extended(w, out, false, true, true);
}
static void anchored_increase(const struct pl__windows *w, double *out)
{
    extended(w, out, false, true, false);
}
static void anchored_delta(const struct pl__windows *w, double *out)
{
    extended(w, out, false, false, false);
}
static void smoothed_rate(const struct pl__windows *w, double *out)
{
    extended(w, out, true, true, true);
}
static void smoothed_increase(const struct pl__windows *w, double *out)
{
    extended(w, out, true, true, false);
}
static void smoothed_delta(const struct pl__windows *w, double *out)
{
    extended(w, out, true, false, false);
}
static void anchored_changes(const struct pl__windows *w, double *out) { count(w, out, false); }
static void anchored_resets(const struct pl__windows *w, double *out) { count(w, out, true); }

pl__range_fn pl__range_edges(int which, enum pl__edges edges)
{
    bool anchored = edges == PL__EDGES_ANCHORED;
    switch (which) {
    case PL__RANGE_RATE:
        return anchored ? anchored_rate : smoothed_rate;
    case PL__RANGE_INCREASE:
        return anchored ? anchored_increase : smoothed_increase;
    case PL__RANGE_DELTA:
        return anchored ? anchored_delta : smoothed_delta;
    case PL__RANGE_CHANGES:
        return anchored ? anchored_changes : NULL;
    case PL__RANGE_RESETS:
        return anchored ? anchored_resets : NULL;
    default:
        return NULL;
    }
}

size_t pl__edges_points(enum pl__edges edges, const int64_t *t, const double *v, size_t n,
                        int64_t from, int64_t to, int64_t *out_t, double *out_v)
{
    struct span x;
    size_t k = 0;
    if (!find_span(t, v, 0, n, from, to, edges == PL__EDGES_SMOOTHED, false, &x)) {
        return 0;
    }
    out_t[k] = from, out_v[k++] = x.left;
    size_t i = x.first + (t[x.first] <= from), end = x.last + (t[x.last] < to);
    for (; i < end; i++) {
        out_t[k] = t[i], out_v[k++] = v[i];
    }
    out_t[k] = to, out_v[k++] = x.right;
    return k;
}

double pl__edges_at(const int64_t *t, const double *v, size_t n, int64_t at, int64_t lookback,
                    size_t *k)
{
    while (*k < n && t[*k] < at) { /* the first sample that is not before */
        ++*k;
    }
    size_t i = *k;
    bool before = i > 0 && t[i - 1] > at - lookback, after = i < n && t[i] <= at + lookback;
    if (after && (t[i] == at || !before)) {
        return v[i];
    }
    if (before) {
        return after ? between(t, v, i - 1, at, false) : v[i - 1];
    }
    return PL_ABSENT;
}
