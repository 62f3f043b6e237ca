/* Runs files in Prometheus' test language over the evaluator: load, clear, eval instant|range,
 * eval_fail, eval_warn, eval_info, eval_ordered, and `expect ...` lines
 * (fail, warn, info, no_warn, no_info, ordered, string, range vector from A to B step C).
 *
 *     promql_run [-f | -m] FILE...
 *
 * The data is in a real store in a temporary directory: in its head, with -f flushed into the
 * engine after each load; with -m in memory. What the store refuses (histograms that are not sound)
 * is asked in memory.
 *
 * Prints one line for each file and failure; exit status 1 if anything failed. */
#include "tests/promql/data.h"
#include "tests/promql/histogram.h"

#include "core/codec/codec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EPSILON 1e-6

struct values {
    double *v; /* staleness marker: `stale`; NaN with this payload: `_`; boxed: struct written */
    size_t n, cap;
};
#define OMITTED 0x7ff80000dead0001ull

struct expected {
    pl_str labels;
    struct values values;
};

struct test {
    const char *file;
    size_t line; /* of the eval */
    struct data *data;
    size_t passed, failed;
    struct classic_set *classic; /* while load_with_nhcb lasts */
    /* the eval at hand */
    bool active, range, fail, ordered, warn, info, no_warn, no_info, scalar, string;
    bool matrix; /* a range vector: samples from first to last by `every` */
    int64_t first, last, every;
    pl_str fail_msg, fail_regex, warn_regex, warn_msg, info_regex, info_msg, text;
    int64_t start, end, step;
    pl_str expr;
    double scalar_value;
    struct expected *want;
    size_t n_want, cap_want;
    struct pl_arena arena;
};

static void die(const struct test *t, const char *what)
{
    fprintf(stderr, "%s:%zu: %s\n", t->file, t->line, what);
    exit(2);
}

static void push(struct values *s, double v)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->v = realloc(s->v, s->cap * sizeof *s->v);
        if (!s->v) {
            abort();
        }
    }
    s->v[s->n++] = v;
}

static pl_str word(pl_str *s)
{
    *s = pl_str_trim(*s);
    size_t n = 0;
    while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t') {
        n++;
    }
    pl_str w = {s->p, n};
    *s = pl_str_trim(pl_str_mem(s->p + n, s->n - n));
    return w;
}

static int64_t duration(struct test *t, pl_str s)
{
    bool minus = s.n && s.p[0] == '-';
    int64_t ms;
    if (pl_duration_parse(minus ? pl_str_mem(s.p + 1, s.n - 1) : s, &ms) < 0) {
        die(t, "bad duration");
    }
    return minus ? -ms : ms;
}

/** One item of a series: `1`, `_`, `stale`, `1x3`, `1+2x3`, `_x3`. */
static bool parse_item(struct values *out, pl_str item)
{
    size_t x = 0;
    while (x < item.n && item.p[x] != 'x') {
        x++;
    }
    pl_str head = {item.p, x};
    uint64_t times = 0;
    bool repeated = x < item.n;
    if (repeated && pl_str_u64(pl_str_mem(item.p + x + 1, item.n - x - 1), &times) < 0) {
        return false;
    }
    if (pl_str_eq(head, PL_STR("_")) || pl_str_eq(head, PL_STR("stale"))) {
        double v = pl_bits_f64(head.n == 1 ? OMITTED : PL_STALE_BITS);
        for (uint64_t i = 0; i < (repeated ? times + (head.n > 1) : 1); i++) {
            push(out, v);
        }
        return true;
    }
    double v, step = 0;
    size_t used;
    if (pl_number_scan(head, &v, &used) < 0) {
        return false;
    }
    if (used < head.n) {
        pl_str rest = {head.p + used, head.n - used};
        if (rest.p[0] == '+') {
            rest.p++, rest.n--;
        }
        if (pl_number_parse(rest, &step) < 0) {
            return false;
        }
    }
    for (uint64_t i = 0; i <= times; i++) {
        push(out, v);
        v += step;
    }
    return true;
}

/** Labels of a line and where its values begin. */
static bool parse_series(struct test *t, pl_str line, pl_str *labels, pl_str *rest)
{
    size_t at = 0, brace = 0;
    char quote = 0;
    while (at < line.n && (brace || quote || (line.p[at] != ' ' && line.p[at] != '\t'))) {
        char c = line.p[at];
        if (quote) {
            at += c == '\\' && quote != '`';
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else {
            brace += c == '{';
            brace -= c == '}';
        }
        at++;
    }
    pl_str name = {line.p, at};
    *rest = pl_str_trim(pl_str_mem(line.p + at, line.n - at));
    if (pl_str_eq(name, PL_STR("{}"))) {
        *labels = PL_STR("");
        return true;
    }
    if (pl_str_ends(name, PL_STR("{}"))) {
        name.n -= 2;
    }
    struct pl_selector sel;
    struct pl_query_error err;
    if (pl_query_selector(&t->arena, name, &sel, &err) < 0) {
        return false;
    }
    struct pl_label l[64];
    size_t n = 0;
    for (size_t i = 0; i < sel.n && n < 64; i++) {
        l[n++] = (struct pl_label){sel.m[i].name, sel.m[i].value};
    }
    struct pl_buf canon = PL_BUF_INIT;
    bool ok = pl_labels_canon(l, n, &canon, NULL) >= 0;
    *labels = pl_arena_dup(&t->arena, pl_buf_view(&canon));
    pl_buf_fini(&canon);
    pl_query_selector_fini(&sel);
    return ok;
}

/** `{{...}}`, `{{...}}x3`, `{{...}}+{{...}}x3`: behind it *s. */
static bool parse_histograms(struct test *t, struct values *out, pl_str *s)
{
    struct written *w = written_parse(&t->arena, s), *step = NULL;
    double factor = 1;
    uint64_t times = 0;
    if (w && s->n > 1 && (s->p[0] == '+' || s->p[0] == '-') && s->p[1] == '{') {
        factor = s->p[0] == '-' ? -1 : 1;
        s->p++, s->n--;
        step = written_parse(&t->arena, s);
        if (!step) {
            return false;
        }
    }
    if (w && s->n && s->p[0] == 'x') {
        pl_str count = word(s);
        if (pl_str_u64(pl_str_mem(count.p + 1, count.n - 1), &times) < 0) {
            return false;
        }
    }
    for (uint64_t i = 0; w && i <= times; i++) {
        push(out, pl_histogram_boxed(&w->h));
        w = step && i < times ? written_add(&t->arena, w, step, factor) : w;
    }
    *s = pl_str_trim(*s);
    return w != NULL;
}

static bool parse_values(struct test *t, struct values *out, pl_str rest)
{
    while (rest.n) {
        if (pl_str_starts(rest, PL_STR("{{"))) {
            if (!parse_histograms(t, out, &rest)) {
                return false;
            }
            continue;
        }
        if (!parse_item(out, word(&rest))) {
            return false;
        }
    }
    return true;
}

static void load_line(struct test *t, pl_str line, int64_t step)
{
    pl_str labels, rest;
    struct values s = {0};
    if (!parse_series(t, line, &labels, &rest) || !parse_values(t, &s, rest)) {
        die(t, "bad series");
    }
    int64_t *times = malloc((s.n + 1) * sizeof *times);
    size_t n = 0;
    for (size_t i = 0; i < s.n && times; i++) {
        if (pl_f64_bits(s.v[i]) != OMITTED) {
            times[n] = (int64_t)i * step;
            s.v[n++] = s.v[i];
        }
    }
    if (!times) {
        abort();
    }
    if (n) {
        data_put(t->data, labels, times, s.v, n);
    }
    if (n && t->classic && !pl_is_histogram(s.v[0])) {
        classic_add(t->classic, labels, times, s.v, n);
    }
    free(times);
    free(s.v);
}

/* ------------------------------------------------------------------ checking */

/** Floats; of expected histograms and theirs see written_matches. */
static bool close_to(double want, double got)
{
    if (isnan(want) || isnan(got)) {
        return isnan(want) && isnan(got);
    }
    double sum = fabs(want) + fabs(got), diff = fabs(want - got);
    if (want == got) {
        return true;
    }
    if (want == 0 || got == 0 || sum < 2.2250738585072014e-308) {
        return diff < EPSILON * 2.2250738585072014e-308 || diff < 1e-15;
    }
    return diff / (sum < 1.7e308 ? sum : 1.7e308) < EPSILON;
}

static bool failed(struct test *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool failed(struct test *t, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "%s:%zu: %.*s\n    ", t->file, t->line, PL_PRS(t->expr));
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    t->failed++;
    return false;
}

static bool says(pl_str text, pl_str msg, pl_str regex)
{
    if (msg.p) {
        return memmem(text.p, text.n, msg.p, msg.n) != NULL;
    }
    if (regex.p) {
        struct pl_regex *re;
        char why[100];
        struct pl_buf any = PL_BUF_INIT;
        pl_buf_f(&any, ".*(?:%.*s).*", PL_PRS(regex));
        bool ok = pl_regex_new(pl_buf_view(&any), &re, why, sizeof why) >= 0;
        pl_buf_fini(&any);
        if (ok) {
            ok = pl_regex_match(re, text);
            pl_regex_free(re);
        }
        return ok;
    }
    return true;
}

static bool check_notes(struct test *t, const struct pl_result *r)
{
    for (int w = 0; w < 2; w++) {
        size_t n = w ? r->n_warnings : r->n_infos;
        pl_str *notes = w ? r->warnings : r->infos;
        const char *what = w ? "warning" : "info";
        if (w ? t->no_warn : t->no_info) {
            if (n) {
                return failed(t, "unwanted %s: %.*s", what, PL_PRS(notes[0]));
            }
        }
        if (w ? t->warn : t->info) {
            bool found = false;
            for (size_t i = 0; i < n; i++) {
                found |= says(notes[i], w ? t->warn_msg : t->info_msg,
                              w ? t->warn_regex : t->info_regex);
            }
            if (!found) {
                return failed(t, "missing %s", what);
            }
        }
    }
    return true;
}

static bool check_series(struct test *t, const struct expected *want,
                         const struct pl_result_series *got)
{
    bool timed = t->range || t->matrix;
    int64_t start = t->matrix ? t->first : t->start, step = t->matrix ? t->every : t->step;
    size_t k = 0, n = timed ? (size_t)(((t->matrix ? t->last : t->end) - start) / step) + 1 : 1;
    for (size_t i = 0; i < n; i++) {
        int64_t at = start + (int64_t)i * step;
        bool here = k < got->n && (got->t[k] == at || !timed);
        double w = i < want->values.n ? want->values.v[i] : pl_bits_f64(OMITTED);
        bool omitted = pl_f64_bits(w) == OMITTED;
        if (here == omitted) {
            return failed(t, "point %zu: %s", i, here ? "not wanted" : "missing");
        }
        if (here && pl_is_histogram(w) != pl_is_histogram(got->v[k])) {
            return failed(t, "point %zu: %s", i,
                          pl_is_histogram(w) ? "not a histogram" : "a histogram");
        }
        if (here && pl_is_histogram(w)) {
            const struct pl_histogram *h = pl_histogram_unboxed(got->v[k++]);
            if (!written_matches((const struct written *)pl_histogram_unboxed(w), h, close_to)) {
                struct pl_buf b = PL_BUF_INIT;
                struct pl_hiter it = pl_hiter(h, false);
                struct pl_hbucket x;
                while (pl_hiter_next(&it, &x)) {
                    pl_buf_f(&b, " (%g,%g]:%.12g", x.lower, x.upper, x.count);
                }
                failed(t, "point %zu: schema %d hint %d count %.12g sum %.12g%.*s", i, h->schema,
                       h->reset, h->count, h->sum, PL_PRS(pl_buf_view(&b)));
                pl_buf_fini(&b);
                return false;
            }
            continue;
        }
        if (here && !close_to(w, got->v[k])) {
            return failed(t, "point %zu: %.17g instead of %.17g", i, got->v[k], w);
        }
        k += here;
    }
    return k == got->n || failed(t, "more points than wanted");
}

static bool check_result(struct test *t, const struct pl_result *r)
{
    if (t->string) {
        return (r->type == PL_VALUE_STRING && pl_str_eq(r->string, t->text)) ||
               failed(t, "string \"%.*s\"", PL_PRS(r->string));
    }
    if (t->scalar) {
        return (r->type == PL_VALUE_SCALAR && close_to(t->scalar_value, r->series[0].v[0])) ||
               failed(t, "not the scalar %.17g", t->scalar_value);
    }
    if (!check_notes(t, r)) {
        return false;
    }
    if (t->matrix && r->type != PL_VALUE_MATRIX) {
        return failed(t, "no range vector");
    }
    if (r->n != t->n_want) {
        struct pl_buf b = PL_BUF_INIT;
        for (size_t i = 0; i < r->n && i < 4; i++) {
            pl_labels_text(r->series[i].labels, &b);
            pl_buf_f(&b, " %.17g; ", r->series[i].v[0]);
        }
        failed(t, "%zu series instead of %zu: %.*s", r->n, t->n_want, PL_PRS(pl_buf_view(&b)));
        pl_buf_fini(&b);
        return false;
    }
    for (size_t i = 0; i < t->n_want; i++) {
        size_t k = 0;
        while (k < r->n && !pl_str_eq(r->series[k].labels, t->want[i].labels)) {
            k++;
        }
        if (k == r->n || (t->ordered && k != i)) {
            struct pl_buf b = PL_BUF_INIT;
            pl_labels_text(t->want[i].labels, &b);
            failed(t, "%.*s %s", PL_PRS(pl_buf_view(&b)),
                   k == r->n ? "is missing" : "at another place");
            pl_buf_fini(&b);
            return false;
        }
        if (!check_series(t, &t->want[i], &r->series[k])) {
            return false;
        }
    }
    return true;
}

static bool run_query(struct test *t)
{
    struct pl_source src = data_source(t->data);
    struct pl_query_conf conf = {
        .lookback_ms = 300000,
        .max_samples = 50000000,
        .max_memory_bytes = 1u << 30,
    };
    struct pl_query_error err = {0};
    struct pl_result r;
    int e = t->range ? pl_source_range(&conf, &src, t->expr, t->start, t->end, t->step, &r, &err)
                     : pl_source_instant(&conf, &src, t->expr, t->start, &r, &err);
    if (e < 0) {
        if (!t->fail) {
            return failed(t, "error: %s", err.text);
        }
        return says(pl_str_c(err.text), t->fail_msg, t->fail_regex) ||
               failed(t, "another error: %s%s%s", err.text, err.hint[0] ? "\n    hint: " : "",
                      err.hint);
    }
    bool ok = t->fail ? failed(t, "no error") : check_result(t, &r);
    pl_result_fini(&r);
    return ok;
}

static void finish_eval(struct test *t)
{
    if (!t->active) {
        return;
    }
    t->passed += run_query(t);
    for (size_t i = 0; i < t->n_want; i++) {
        free(t->want[i].values.v);
    }
    t->n_want = 0;
    t->active = false;
}

/* ------------------------------------------------------------------ reading */

/** `msg: text` or `regex: pattern` behind an expectation. */
static void parse_how(pl_str rest, pl_str *msg, pl_str *regex)
{
    if (pl_str_starts(rest, PL_STR("msg:"))) {
        *msg = pl_str_trim(pl_str_mem(rest.p + 4, rest.n - 4));
    } else if (pl_str_starts(rest, PL_STR("regex:"))) {
        *regex = pl_str_trim(pl_str_mem(rest.p + 6, rest.n - 6));
    }
}

static void parse_expect(struct test *t, pl_str rest)
{
    pl_str what = word(&rest);
    if (pl_str_eq(what, PL_STR("fail"))) {
        t->fail = true;
        parse_how(rest, &t->fail_msg, &t->fail_regex);
    } else if (pl_str_eq(what, PL_STR("warn"))) {
        t->warn = true;
        parse_how(rest, &t->warn_msg, &t->warn_regex);
    } else if (pl_str_eq(what, PL_STR("info"))) {
        t->info = true;
        parse_how(rest, &t->info_msg, &t->info_regex);
    } else if (pl_str_eq(what, PL_STR("no_warn"))) {
        t->no_warn = true;
    } else if (pl_str_eq(what, PL_STR("no_info"))) {
        t->no_info = true;
    } else if (pl_str_eq(what, PL_STR("ordered"))) {
        t->ordered = true;
    } else if (pl_str_eq(what, PL_STR("range"))) { /* vector from A to B step C */
        static const char *const words[] = {"vector", "from", "to", "step"};
        int64_t *const to[] = {NULL, &t->first, &t->last, &t->every};
        for (size_t i = 0; i < 4; i++) {
            if (!pl_str_eq(word(&rest), pl_str_c(words[i]))) {
                die(t, "bad range vector");
            }
            if (to[i]) {
                *to[i] = duration(t, word(&rest));
            }
        }
        t->matrix = t->every > 0 || (die(t, "bad range vector"), false);
    } else if (pl_str_eq(what, PL_STR("string"))) {
        struct pl_expr *e;
        struct pl_query_error err;
        struct pl_buf canon = PL_BUF_INIT;
        t->string = true;
        if (pl_query_parse(&t->arena, rest, &e, &err) < 0) {
            die(t, "bad string");
        }
        /* the tree is opaque here: ask the evaluator for the string */
        struct pl_source src = data_source(t->data);
        struct pl_query_conf conf = {.max_memory_bytes = 1 << 20};
        struct pl_result r;
        if (pl_source_instant(&conf, &src, rest, 0, &r, &err) < 0) {
            die(t, err.text);
        }
        t->text = pl_arena_dup(&t->arena, r.string);
        pl_result_fini(&r);
        pl_buf_fini(&canon);
    } else {
        die(t, "unknown expectation");
    }
}

static void parse_want(struct test *t, pl_str line)
{
    struct expected x = {0};
    pl_str rest;
    double v;
    if (pl_str_starts(line, PL_STR("expect "))) {
        pl_str what = line;
        word(&what);
        parse_expect(t, what);
        return;
    }
    if (pl_number_parse(line, &v) >= 0) {
        t->scalar = true;
        t->scalar_value = v;
        return;
    }
    if (!parse_series(t, line, &x.labels, &rest) || !parse_values(t, &x.values, rest)) {
        die(t, "bad expected series");
    }
    if (t->n_want == t->cap_want) {
        t->cap_want = t->cap_want ? t->cap_want * 2 : 16;
        t->want = realloc(t->want, t->cap_want * sizeof *t->want);
        if (!t->want) {
            abort();
        }
    }
    t->want[t->n_want++] = x;
}

static void parse_eval(struct test *t, pl_str line)
{
    pl_str rest = line, command = word(&rest), kind = word(&rest);
    struct test fresh = {
        .file = t->file,
        .line = t->line,
        .data = t->data,
        .passed = t->passed,
        .failed = t->failed,
        .want = t->want,
        .cap_want = t->cap_want,
        .arena = t->arena,
        .active = true,
        .range = pl_str_eq(kind, PL_STR("range")),
        .step = 1,
        .fail = pl_str_ends(command, PL_STR("_fail")),
        .warn = pl_str_ends(command, PL_STR("_warn")),
        .info = pl_str_ends(command, PL_STR("_info")),
        .ordered = pl_str_ends(command, PL_STR("_ordered")),
    };
    *t = fresh;
    word(&rest); /* at | from */
    t->start = t->end = duration(t, word(&rest));
    if (t->range) {
        word(&rest); /* to */
        t->end = duration(t, word(&rest));
        word(&rest); /* step */
        t->step = duration(t, word(&rest));
    }
    t->expr = rest;
}

static void put_classic(void *ctx, pl_str labels, const int64_t *t, const double *v, size_t n)
{
    data_put(ctx, labels, t, v, n);
}

static void finish_load(struct test *t, int64_t load_step)
{
    if (t->classic) {
        classic_finish(t->classic, put_classic, t->data);
        t->classic = NULL;
    }
    if (load_step >= 0) {
        data_loaded(t->data);
    }
}

static void run_text(struct test *t, pl_str text)
{
    int64_t load_step = -1;
    for (size_t line_no = 1; text.p && text.n; line_no++) {
        pl_str raw = pl_str_cut(&text, '\n'), line = pl_str_trim(raw);
        bool indented = raw.n && (raw.p[0] == ' ' || raw.p[0] == '\t');
        if (line.n == 0 || line.p[0] == '#') {
            continue;
        }
        if (indented && load_step >= 0) {
            t->line = line_no;
            load_line(t, line, load_step);
            continue;
        }
        if (indented && t->active) {
            parse_want(t, line);
            continue;
        }
        finish_eval(t);
        finish_load(t, load_step);
        load_step = -1;
        t->line = line_no;
        pl_str rest = line, command = word(&rest);
        if (pl_str_eq(command, PL_STR("clear"))) {
            data_clear(t->data);
        } else if (pl_str_starts(command, PL_STR("load"))) {
            load_step = duration(t, word(&rest));
            t->classic = pl_str_eq(command, PL_STR("load_with_nhcb")) ? classic_new() : NULL;
        } else if (pl_str_starts(command, PL_STR("eval"))) {
            parse_eval(t, line);
        } else {
            die(t, "unknown command");
        }
    }
    finish_eval(t);
}

int main(int argc, char **argv)
{
    size_t passed = 0, bad = 0;
    enum data_kind kind = DATA_STORE;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        kind = strcmp(argv[i], "-f") == 0 ? DATA_FLUSHED : kind;
        kind = strcmp(argv[i], "-m") == 0 ? DATA_MEMORY : kind;
    }
    for (; i < argc; i++) {
        char *text = NULL;
        size_t n = 0, cap = 0;
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 2;
        }
        ssize_t got = getdelim(&text, &cap, '\0', f);
        n = got > 0 ? (size_t)got : 0;
        fclose(f);
        struct data data;
        struct test t = {.file = argv[i], .data = &data};
        pl_arena_init(&t.arena, 0);
        data_open(&data, kind);
        run_text(&t, pl_str_mem(text, n));
        printf("%s: %zu passed, %zu failed\n", argv[i], t.passed, t.failed);
        passed += t.passed, bad += t.failed;
        data_close(&data);
        pl_arena_fini(&t.arena);
        free(t.want);
        free(text);
    }
    printf("%zu passed, %zu failed\n", passed, bad);
    return bad > 0;
}
