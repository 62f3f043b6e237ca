/* A store for tests: a directory of its own, a clock that stands, the memory engine below (it
 * outlives the store, so a restart finds it), and calls that wait. */
#pragma once
#include "core/store/store.h"
#include "tests/unit/store/memory_engine.h"
#include "tests/unit/unit.h"
#include <stdio.h>

#define NOW_MS 1700000000000ll

struct fixture {
    char dir[64];
    struct pl_clock_manual hand;
    struct pl_clock clock;
    struct memory_engine *memory;
    struct pl_store_conf conf;
    struct pl_store *s;
    struct pl_tenant *t;
};

static inline void fixture_begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/pl_store_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    atomic_init(&f->hand.ms, NOW_MS);
    f->clock = pl_clock_manual(&f->hand);
    f->memory = memory_engine_new();
    pl_store_conf_default(&f->conf);
    f->conf.dir = f->dir;
    f->conf.clock = &f->clock;
    f->conf.engine = &f->memory->base;
    f->conf.journal_file_bytes = 1 << 20;
    f->conf.disk_reserve_bytes = 0;
    f->conf.durability = PL_DURABLE_PROCESS;
    f->conf.n_tiers = 0; /* rollup_test.c has them */
}

static inline void fixture_open(struct fixture *f)
{
    char why[256] = "";
    int rc = pl_store_open(&f->conf, &f->s, why, sizeof why);
    if (rc < 0) {
        fail_msg("open: %s: %s", pl_err_name(rc), why);
    }
    assert_int_equal(pl_store_tenant(f->s, PL_STR("default"), false, &f->t), 0);
}

static inline void fixture_close(struct fixture *f)
{
    pl_store_close(f->s);
    f->s = NULL;
}

static inline void fixture_end(struct fixture *f)
{
    if (f->s) {
        fixture_close(f);
    }
    memory_engine_free(f->memory);
    pl_path_remove(f->dir);
}

/* Leave as a kill -9 would: what the process holds is gone, the files stay. The store is opened on
 * a copy of the directory made while it runs; the old one is closed aside with an engine that takes
 * nothing more, so that nothing it does at its end counts. */
static inline void fixture_crash(struct fixture *f)
{
    char copy[64], command[640];
    snprintf(copy, sizeof copy, "/tmp/pl_store_XXXXXX");
    assert_non_null(mkdtemp(copy));
    /* A copy is of one moment only when nothing changed meanwhile: a flush may be under way. */
    snprintf(command, sizeof command,
             "state() { find %s -printf '%%P %%s %%T@\\n' | sort; }; "
             "for i in $(seq 100); do before=$(state); rm -rf %s/*; cp -r %s/. %s/ 2>/dev/null; "
             "[ \"$before\" = \"$(state)\" ] && rm -f %s/LOCK && exit 0; done; exit 1",
             f->dir, copy, f->dir, copy, copy);
    assert_int_equal(system(command), 0);
    atomic_store(&f->memory->write_error, PL_EIO);
    atomic_store(&f->memory->erase_error, PL_EIO);
    pl_store_close(f->s);
    atomic_store(&f->memory->write_error, 0);
    atomic_store(&f->memory->erase_error, 0);
    pl_path_remove(f->dir);
    memcpy(f->dir, copy, sizeof copy);
    f->s = NULL;
}

/* ------------------------------------------------------------------------------- calls that wait
 */

struct waited {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    int err;
    uint64_t seq;
};

static inline void waited_done(struct pl_batch *b, int err)
{
    struct waited *w = b->user;
    uint64_t seq = b->seq;
    pl_batch_free(b);
    pthread_mutex_lock(&w->lock);
    w->err = err;
    w->seq = seq;
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

/** Write and wait: what done said. */
static inline int write_wait(struct pl_batch *b)
{
    struct waited w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, 0};
    b->user = &w;
    pl_batch_write(b, waited_done);
    pthread_mutex_lock(&w.lock);
    while (!w.done) {
        pthread_cond_wait(&w.cond, &w.lock);
    }
    pthread_mutex_unlock(&w.lock);
    pthread_mutex_destroy(&w.lock);
    return w.err;
}

/** Canonical labels {__name__="m", n="<i>"}. */
static inline void labels_of(uint32_t i, struct pl_buf *out)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%06u", i);
    struct pl_label l[] = {{PL_STR("__name__"), PL_STR("m")}, {PL_STR("n"), {text, (size_t)n}}};
    pl_buf_clear(out);
    assert_true(pl_labels_canon(l, 2, out, NULL) > 0);
}

static inline int intern(struct pl_tenant *t, uint32_t i, uint32_t *id)
{
    struct pl_buf b = PL_BUF_INIT;
    labels_of(i, &b);
    int rc = pl_tenant_intern(t, pl_buf_view(&b), pl_labels_hash(pl_buf_view(&b)), id);
    pl_buf_fini(&b);
    return rc;
}

/** One sample of series i, durable and visible when it returns. */
static inline void put(struct fixture *f, uint32_t i, int64_t t, double v)
{
    struct pl_batch *b;
    uint32_t id;
    assert_int_equal(pl_batch_new(f->t, &b), 0);
    assert_true(intern(f->t, i, &id) >= 0);
    assert_int_equal(pl_batch_add(b, id, t, v), 0);
    assert_int_equal(write_wait(b), 0);
}

static inline struct pl_selector select_all(void)
{
    static struct pl_matcher m;
    static bool made;
    if (!made) {
        char why[64];
        assert_int_equal(pl_matcher_init(&m, PL_MATCH_EQ, PL_STR("__name__"), PL_STR("m"), why, 64),
                         0);
        made = true;
    }
    return (struct pl_selector){&m, 1};
}

/** Which series is it? */
static inline uint32_t index_of(const struct pl_select *s, size_t i)
{
    struct pl_buf b = PL_BUF_INIT;
    assert_true(pl_select_labels(s, i, &b) >= 0);
    pl_str n = pl_labels_get(pl_buf_view(&b), PL_STR("n"));
    uint64_t x;
    assert_int_equal(pl_str_u64(n, &x), 0);
    pl_buf_fini(&b);
    return (uint32_t)x;
}

/** Samples of all series in [t0, t1]: calls each one in turn; returns how many series there are. */
static inline size_t read_all(struct fixture *f, int64_t t0, int64_t t1,
                              void (*each)(void *ctx, uint32_t series, const struct pl_columns *c),
                              void *ctx)
{
    struct pl_selector sel = select_all();
    struct pl_select *s;
    struct pl_reader *r;
    struct pl_columns c = {0};
    assert_int_equal(pl_select_new(f->t, &sel, 1, t0, t1, 0, &s), 0);
    assert_int_equal(pl_reader_new(s, &r), 0);
    size_t n = pl_select_count(s);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pl_reader_read(r, i, t0, t1, 0, &c), 0);
        if (each) {
            each(ctx, index_of(s, i), &c);
        }
    }
    pl_columns_fini(&c);
    pl_reader_free(r);
    pl_select_free(s);
    return n;
}

static inline void count_samples(void *ctx, uint32_t series, const struct pl_columns *c)
{
    (void)series;
    *(size_t *)ctx += c->n;
}

static inline size_t n_samples(struct fixture *f)
{
    size_t n = 0;
    read_all(f, INT64_MIN, INT64_MAX, count_samples, &n);
    return n;
}
