/* Forecasts: a straight line with the error of a prediction, and Holt-Winters' additive method
 * (Winters 1960) in its error-correction form with the variances of Hyndman et al. (2008),
 * ETS(A,A,A): e = y - (l + b + s);  l = l + b + a e;  b = b + a b* e;  s = s + g e. Any thread. */
#include "core/kernel/kernel.h"

#include <math.h>

double pl_forecast_linear(const int64_t *t, const double *v, size_t n, int64_t at, double z)
{
    struct pl_ksum x = PL_KSUM_INIT, y = PL_KSUM_INIT, xx = PL_KSUM_INIT, xy = PL_KSUM_INIT;
    struct pl_ksum rest = PL_KSUM_INIT;
    double count = (double)n;
    for (size_t i = 0; i < n; i++) {
        pl_ksum_add(&x, (double)(t[i] - t[0]) / 1000);
        pl_ksum_add(&y, v[i]);
    }
    double mx = pl_ksum_value(x) / count, my = pl_ksum_value(y) / count;
    for (size_t i = 0; i < n; i++) {
        double dx = (double)(t[i] - t[0]) / 1000 - mx;
        pl_ksum_add(&xx, dx * dx);
        pl_ksum_add(&xy, dx * (v[i] - my));
    }
    double sxx = pl_ksum_value(xx), slope = pl_ksum_value(xy) / sxx;
    double far = (double)(at - t[0]) / 1000 - mx, value = my + slope * far;
    if (z == 0) {
        return value;
    }
    if (n < 3) {
        return NAN;
    }
    for (size_t i = 0; i < n; i++) {
        double d = v[i] - my - slope * ((double)(t[i] - t[0]) / 1000 - mx);
        pl_ksum_add(&rest, d * d);
    }
    double variance = pl_ksum_value(rest) / (count - 2);
    return value + z * sqrt(variance * (1 + 1 / count + far * far / sxx));
}

struct state {
    double alpha, beta, gamma;  /* beta: alpha b* */
    double level, slope, error; /* error: sum of squares of predictions by one step */
    double season[PL_GRID_MAX];
};

static void smooth(const struct pl_grid *g, struct state *s, double level, double slope,
                   const double *season)
{
    s->level = level;
    s->slope = slope;
    s->error = 0;
    memcpy(s->season, season, g->m * sizeof *season);
    for (size_t i = 0, p = 0; i < g->n; i++, p = p + 1 == g->m ? 0 : p + 1) {
        double e = g->y[i] - (s->level + s->slope + s->season[p]);
        s->level += s->slope + s->alpha * e;
        s->slope += s->beta * e;
        s->season[p] += s->gamma * e;
        s->error += e * e;
    }
}

double pl_forecast_seasonal(const struct pl_grid *g, size_t h, double z)
{
    static const double alphas[] = {0.05, 0.2, 0.5, 0.8}, betas[] = {0, 0.05, 0.2};
    static const double gammas[] = {0.05, 0.2, 0.5};
    double trend[PL_GRID_MAX], season[PL_GRID_MAX];
    struct state s, best = {.error = NAN};
    pl_decompose(g->y, g->n, g->m, trend, season);
    double slope = trend[1] - trend[0], level = trend[0] - slope;
    for (size_t i = 0; i < 4 * 3 * 3; i++) {
        s.alpha = alphas[i / 9];
        s.beta = s.alpha * betas[i / 3 % 3];
        s.gamma = gammas[i % 3] * (1 - s.alpha);
        smooth(g, &s, level, slope, season);
        if (i == 0 || s.error < best.error) {
            best.alpha = s.alpha, best.beta = s.beta, best.gamma = s.gamma;
            best.error = s.error;
        }
    }
    if (isnan(best.error)) {
        return NAN;
    }
    smooth(g, &best, level, slope, season);
    double hh = (double)h, m = (double)g->m, k = floor((hh - 1) / m);
    double value = best.level + hh * best.slope + best.season[(g->n + h - 1) % g->m];
    double a = best.alpha, b = best.beta, c = best.gamma;
    double grow = 1 + (hh - 1) * (a * a + a * b * hh + b * b * hh * (2 * hh - 1) / 6) +
                  c * k * (2 * a + c + b * m * (k + 1));
    return z == 0 ? value : value + z * sqrt(best.error / (double)g->n * grow);
}
