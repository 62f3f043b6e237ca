/* Columns and packs: bytes a sample and nanoseconds a sample for the data of docs/performance.md,
 * made by a seeded generator, or recorded:
 *
 *     bench_codec [devops|short|walks|decode|recorded FILE]    (nothing: all but recorded)
 *
 * FILE holds series after series: u32 n, then n x (int64 ms, double). Sizes are whole packs. */
#include "core/codec/pack.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t seed = 88172645463325252ULL;
static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dULL >> 11;
}
static double uniform(void) { return (double)(rnd() & ((1u << 30) - 1)) / (1u << 30); }
static double normal(void)
{
    return sqrt(-2 * log(uniform() + 1e-12)) * cos(6.283185307179586 * uniform());
}
static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Series one after another; a pack is cut as the store cuts it. */
struct data {
    size_t n_series;
    size_t *n;
    int64_t **t;
    double **v;
    size_t cut; /* samples of a series that go into one pack */
};

static void data_new(struct data *d, size_t n_series, size_t n_samples)
{
    *d = (struct data){.n_series = n_series, .cut = n_samples};
    d->n = calloc(n_series, sizeof *d->n);
    d->t = calloc(n_series, sizeof *d->t);
    d->v = calloc(n_series, sizeof *d->v);
    for (size_t s = 0; s < n_series; s++) {
        d->n[s] = n_samples;
        d->t[s] = calloc(n_samples, sizeof **d->t);
        d->v[s] = calloc(n_samples, sizeof **d->v);
    }
}

static void data_free(struct data *d)
{
    for (size_t s = 0; s < d->n_series; s++) {
        free(d->t[s]);
        free(d->v[s]);
    }
    free(d->n);
    free(d->t);
    free(d->v);
}

/* 40 % counters with resets, 35 % two-decimal gauges, 15 % slow integers, 10 % constants. */
static void devops(struct data *d, size_t n_hosts, size_t n_metrics, size_t n)
{
    data_new(d, n_hosts * n_metrics, n);
    for (size_t s = 0; s < d->n_series; s++) {
        size_t kind = s % n_metrics * 100 / n_metrics;
        double x = (double)(rnd() % 1000000), step = pow(10, 1 + 2 * uniform());
        double level = 5 + 90 * uniform(), spread = 0.2 + 2 * uniform();
        for (size_t i = 0; i < n; i++) {
            d->t[s][i] = 1700000000000 + (int64_t)(s / n_metrics) * 7 + (int64_t)i * 10000;
            if (kind < 40) {
                x = rnd() % 1000 ? x + floor(step * 2 * uniform()) : 0;
                d->v[s][i] = x;
            } else if (kind < 75) {
                level += spread * normal();
                level = level < 0 ? 0 : level > 100 ? 100 : level;
                d->v[s][i] = round(level * 100) / 100;
            } else if (kind < 90) {
                x += rnd() % 20 ? 0 : rnd() % 2 ? 1 : -1;
                d->v[s][i] = x;
            } else {
                d->v[s][i] = x;
            }
        }
    }
}

/* Two-decimal random walks of unit normal steps at 60 s. */
static void walks(struct data *d, size_t n_series, size_t days)
{
    data_new(d, n_series, days * 1440);
    d->cut = 1440;
    for (size_t s = 0; s < n_series; s++) {
        double x = 100;
        for (size_t i = 0; i < d->n[s]; i++) {
            x += normal();
            d->t[s][i] = 1700000000000 + (int64_t)i * 60000;
            d->v[s][i] = round(x * 100) / 100;
        }
    }
}

static int recorded(struct data *d, const char *path)
{
    FILE *f = fopen(path, "rb");
    uint32_t n;
    if (!f) {
        perror(path);
        return 1;
    }
    *d = (struct data){.cut = 86400};
    while (fread(&n, sizeof n, 1, f) == 1) {
        d->n_series++;
        d->n = realloc(d->n, d->n_series * sizeof *d->n);
        d->t = realloc(d->t, d->n_series * sizeof *d->t);
        d->v = realloc(d->v, d->n_series * sizeof *d->v);
        size_t s = d->n_series - 1;
        d->n[s] = n;
        d->t[s] = calloc(n, sizeof **d->t);
        d->v[s] = calloc(n, sizeof **d->v);
        for (uint32_t i = 0; i < n; i++) {
            if (fread(&d->t[s][i], 8, 1, f) != 1 || fread(&d->v[s][i], 8, 1, f) != 1) {
                fclose(f);
                return 1;
            }
        }
    }
    fclose(f);
    return 0;
}

static void check(const struct data *d, const struct pl_buf *packs, size_t n_packs, double *open_ns,
                  double *decode_ns)
{
    struct pl_pack p;
    int64_t t[PL_CHUNK_MAX];
    double v[PL_CHUNK_MAX];
    size_t samples = 0, want = 0;
    pl_pack_init(&p);
    for (size_t k = 0; k < n_packs; k++) {
        double a = now();
        if (pl_pack_open(&p, packs[k].p, packs[k].n) < 0) {
            abort();
        }
        double b = now();
        for (uint32_t i = 0; i < p.n_chunks; i++) {
            int n = pl_pack_decode(&p, i, t, v);
            if (n < 0) {
                abort();
            }
            samples += (size_t)n;
        }
        *open_ns += b - a;
        *decode_ns += now() - b;
    }
    pl_pack_fini(&p);
    for (size_t s = 0; s < d->n_series; s++) {
        want += d->n[s];
    }
    if (samples != want) {
        abort();
    }
}

static void measure(const char *name, const struct data *d, enum pl_effort effort)
{
    struct pl_pack_writer *w;
    struct pl_buf *packs = NULL;
    size_t n_packs = 0, samples = 0, bytes = 0;
    if (pl_pack_writer_new(effort, &w) < 0) {
        abort();
    }
    double start = now();
    size_t rounds = (d->n[0] + d->cut - 1) / d->cut;
    for (size_t r = 0; r < rounds; r++) {
        for (size_t s = 0; s < d->n_series; s++) {
            size_t from = r * d->cut, to = from + d->cut < d->n[s] ? from + d->cut : d->n[s];
            if (from < to &&
                pl_pack_add(w, (uint32_t)s, d->t[s] + from, d->v[s] + from, to - from) < 0) {
                abort();
            }
            samples += from < to ? to - from : 0;
            if (pl_pack_size(w) >= PL_PACK_TARGET || s + 1 == d->n_series) {
                packs = realloc(packs, (n_packs + 1) * sizeof *packs);
                packs[n_packs] = PL_BUF_INIT;
                if (pl_pack_finish(w, &packs[n_packs]) < 0) {
                    abort();
                }
                bytes += packs[n_packs++].n;
            }
        }
    }
    double encode = now() - start, open = 0, decode = 0;
    check(d, packs, n_packs, &open, &decode);
    printf(
        "%-10s %-5s %9zu samples %5zu packs %7.3f bytes/sample, ns/sample: encode %6.1f open %5.2f "
        "decode %5.2f\n",
        name, effort == PL_EFFORT_FAST ? "fast" : "small", samples, n_packs,
        (double)bytes / (double)samples, encode / (double)samples, open / (double)samples,
        decode / (double)samples);
    for (size_t k = 0; k < n_packs; k++) {
        pl_buf_fini(&packs[k]);
    }
    free(packs);
    pl_pack_writer_free(w);
}

static void both(const char *name, struct data *d)
{
    measure(name, d, PL_EFFORT_FAST);
    measure(name, d, PL_EFFORT_SMALL);
    data_free(d);
}

/* One column again and again: decode and sum, on one core. */
static void decode_rate(const char *name, const double *v, size_t n, enum pl_effort effort)
{
    struct pl_buf b = PL_BUF_INIT;
    double out[PL_CHUNK_MAX], sum[4] = {0}, best = 1e300;
    if (pl_vcol_encode(v, n, effort, &b) < 0) {
        abort();
    }
    for (int k = 0; k < 20; k++) {
        double start = now();
        for (int r = 0; r < 4000; r++) {
            pl_vcol_decode(b.p, b.n, n, out);
            for (size_t i = 0; i + 4 <= n; i += 4) {
                sum[0] += out[i];
                sum[1] += out[i + 1];
                sum[2] += out[i + 2];
                sum[3] += out[i + 3];
            }
        }
        double took = (now() - start) / (4000.0 * (double)n);
        best = took < best ? took : best;
    }
    printf("decode+sum %-22s %5.2f bits/sample %6.3f ns/sample %6.2f G/s (sum %g)\n", name,
           (double)b.n * 8 / (double)n, best, 1 / best, sum[0] + sum[1] + sum[2] + sum[3]);
    pl_buf_fini(&b);
}

static void decode_rates(void)
{
    double v[PL_CHUNK_MAX], x = 0;
    for (int i = 0; i < PL_CHUNK_MAX; i++) {
        v[i] = (double)(rnd() % 1000) / 100;
    }
    decode_rate("two decimals, plain", v, PL_CHUNK_MAX, PL_EFFORT_SMALL);
    for (int i = 0; i < PL_CHUNK_MAX; i++) {
        v[i] = (double)(rnd() % 1000);
    }
    decode_rate("integers, plain", v, PL_CHUNK_MAX, PL_EFFORT_SMALL);
    for (int i = 0; i < PL_CHUNK_MAX; i++) {
        v[i] = x += (double)(rnd() % 64);
    }
    decode_rate("counter, delta", v, PL_CHUNK_MAX, PL_EFFORT_SMALL);
    for (int i = 0; i < PL_CHUNK_MAX; i++) {
        x += normal();
        v[i] = round(x * 100) / 100;
    }
    decode_rate("walk, packed", v, PL_CHUNK_MAX, PL_EFFORT_FAST);
    decode_rate("walk, rice", v, PL_CHUNK_MAX, PL_EFFORT_SMALL);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct data d;
    if (!*what || !strcmp(what, "devops")) {
        devops(&d, 100, 100, 120);
        both("devops", &d);
    }
    if (!*what || !strcmp(what, "short")) {
        devops(&d, 1000, 100, 10);
        both("short", &d);
    }
    if (!*what || !strcmp(what, "walks")) {
        walks(&d, 50, 10);
        both("walks", &d);
    }
    if (!*what || !strcmp(what, "decode")) {
        decode_rates();
    }
    if (argc > 2 && !strcmp(what, "recorded")) {
        if (recorded(&d, argv[2])) {
            return 1;
        }
        both("recorded", &d);
    }
    return 0;
}
