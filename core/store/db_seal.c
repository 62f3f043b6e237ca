/* Sealing: the runs of a day, merged into one of a partition that is never written again. What is
 * merged is always the newest runs of the day, so that their order stays that of the numbers:
 *
 *   all    everything there is
 *   else   the flushed runs once the day is over or there are many of them, with the sealed ones
 *          before them while these are not much larger (a sample is then rewritten some log times),
 *          and everything from the first run on that a tombstone hits
 *
 * The new partition is built under a temporary name, synced, renamed; the catalogue's commit then
 * puts it in the place of the others, whose files go when their last reader lets go. Flushes may go
 * on meanwhile: the merged partitions take no further runs and the new run's number is drawn
 * before. Memory is bounded by one series and one batch of packs. One thread at a time;
 * tenant.commit is held only at both ends. */
#include "core/store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_OVER_MS 3600000ll /* a day is over this long after its end */
#define RUNS_MAX    32        /* flushed runs of a day that still goes on */
#define SIZE_RATIO  4
#define STOP_EVERY  64 /* series */

struct seal {
    struct pl_engine_tenant *t;
    bool (*stop)(void *ctx);
    void *ctx;
    int32_t day;
    struct pl_db_state *s; /* counted: inputs and tombstones are of this moment */
    struct pl_db_run **in; /* borrowed from s */
    size_t n_in;
    uint32_t run, part, tomb;
    struct pl_db_part **drop;
    size_t n_drop;
    struct pl_db_part *out;
    struct pl_db_run *out_run;
};

/* ---------------------------------------------------------------- what to merge */

static bool hit_by_tomb(const struct pl_db_state *s, struct pl_db_run *r)
{
    for (size_t i = 0; i < s->n_tombs; i++) {
        if (pl__tomb_hits(s->tombs[i], r)) {
            return true;
        }
    }
    return false;
}

static bool unreadable(const struct pl_db_part *p)
{
    return atomic_load(&p->damaged) || atomic_load(&p->bad_pack);
}

/** First run to merge in runs[0, n) of one day for what pays; n: nothing. */
static size_t what_pays(const struct pl_db_state *s, struct pl_db_run **runs, size_t n, bool over)
{
    size_t from = n, n_hot = 0;
    for (size_t i = n; i-- > 0;) {
        n_hot += runs[i]->part->kind == PL_DB_PART_HOT;
    }
    if (n_hot && (over || n_hot > RUNS_MAX)) {
        uint64_t bytes = 0;
        for (size_t i = n; i-- > 0;) {
            bool hot = runs[i]->part->kind == PL_DB_PART_HOT;
            if (!hot && runs[i]->m.bytes > SIZE_RATIO * bytes) {
                break;
            }
            bytes += runs[i]->m.bytes;
            from = i;
        }
    }
    for (size_t i = 0; i < from; i++) {
        if (hit_by_tomb(s, runs[i])) {
            return i;
        }
    }
    return from;
}

/** Partitions go as a whole: begin where all runs of every partition are in. */
static size_t whole_parts(struct pl_db_run **runs, size_t n, size_t from)
{
    for (size_t i = from; i < n; i++) {
        for (size_t k = 0; k < from; k++) {
            if (runs[k]->part == runs[i]->part) {
                return whole_parts(runs, n, k);
            }
        }
    }
    return from;
}

/** Where the damaged ones end: those stay, and what is older than them. */
static size_t behind_damage(struct pl_db_run **runs, size_t n, size_t from)
{
    size_t first = from;
    for (size_t i = from; i < n; i++) {
        if (unreadable(runs[i]->part)) {
            first = i + 1;
        }
    }
    for (size_t i = first; i < n; i++) { /* a partition that stays with some runs stays with all */
        for (size_t k = 0; k < first; k++) {
            if (runs[k]->part == runs[i]->part) {
                return behind_damage(runs, n, i + 1);
            }
        }
    }
    return first;
}

static bool worth_it(const struct seal *x, bool all)
{
    if (x->n_in == 0) {
        return false;
    }
    bool hit = false;
    for (size_t i = 0; i < x->n_in && !hit; i++) {
        hit = hit_by_tomb(x->s, x->in[i]);
    }
    return all ? hit || x->n_in > 1 || x->in[0]->part->kind == PL_DB_PART_HOT : true;
}

/** Pick the runs of the day and freeze their partitions; waits for a flush that writes to them.
 *  1: there is something to do. */
static int pick(struct seal *x, bool all)
{
    struct pl_engine_tenant *t = x->t;
    int64_t now = pl_now_ms(t->db->conf.clock);
    pthread_mutex_lock(&t->commit);
    for (struct pl_db_part *p = t->writing; p;) {
        bool busy = p->day == x->day; /* its run has a number already: it must come first */
        if (busy) {
            pthread_cond_wait(&t->idle, &t->commit);
        }
        p = busy ? t->writing : p->next_writing;
    }
    x->s = pl__state_get(t);
    size_t a = 0;
    while (a < x->s->n_runs && x->s->runs[a]->part->day != x->day) {
        a++;
    }
    size_t n = 0;
    while (a + n < x->s->n_runs && x->s->runs[a + n]->part->day == x->day) {
        n++;
    }
    struct pl_db_run **runs = x->s->runs + a;
    size_t from = all ? 0 : what_pays(x->s, runs, n, pl__day_end(x->day) + DAY_OVER_MS < now);
    from = behind_damage(runs, n, whole_parts(runs, n, from));
    x->in = runs + from;
    x->n_in = n - from;
    bool work = worth_it(x, all);
    x->drop = calloc(x->n_in + 1, sizeof *x->drop);
    int err = x->drop ? PL_OK : PL_ENOMEM;
    if (work && err == PL_OK) {
        for (size_t i = 0; i < x->n_in; i++) {
            struct pl_db_part *p = x->in[i]->part;
            bool seen = false;
            for (size_t k = 0; k < x->n_drop; k++) {
                seen |= x->drop[k] == p;
            }
            if (!seen) {
                x->drop[x->n_drop++] = p;
                p->merging = true;
            }
        }
        x->run = t->next_run++;
        x->part = t->next_part++;
        x->tomb = t->next_tomb - 1;
    }
    pthread_mutex_unlock(&t->commit);
    return err < 0 ? err : work;
}

/* ---------------------------------------------------------------- building */

static int merge_series(struct seal *x, struct pl_cursor *c, roaring_bitmap_t *ids,
                        struct pl_db_out *o)
{
    struct pl_columns cols = {0};
    size_t n = 0;
    int err = PL_OK;
    roaring_uint32_iterator_t it;
    roaring_init_iterator(ids, &it);
    for (; it.has_value && err == PL_OK; roaring_advance_uint32_iterator(&it)) {
        if (n++ % STOP_EVERY == 0 && x->stop && x->stop(x->ctx)) {
            err = PL_ECANCELED;
            break;
        }
        err = pl__db_read(c, it.current_value, INT64_MIN, INT64_MAX, &cols, NULL);
        if (err == PL_OK && cols.n) {
            err = pl__db_out_add(o, it.current_value, &cols, 0, cols.n);
        }
    }
    pl_columns_fini(&cols);
    return err;
}

static int merge(struct seal *x, struct pl_db_out *o)
{
    struct pl_view *v = NULL;
    struct pl_cursor *c = NULL;
    roaring_bitmap_t *ids = roaring_bitmap_create();
    int err = ids ? PL_OK : PL_ENOMEM;
    o->m.tomb = x->tomb;
    o->m.first_seq = UINT64_MAX;
    for (size_t i = 0; i < x->n_in && err == PL_OK; i++) {
        const roaring_bitmap_t *one = pl__run_ids(x->in[i]);
        if (!one) {
            err = PL_ECORRUPT;
            break;
        }
        roaring_bitmap_or_inplace(ids, one);
        const struct pl_db_run_meta *m = &x->in[i]->m;
        o->m.first_seq = m->first_seq < o->m.first_seq ? m->first_seq : o->m.first_seq;
        o->m.last_seq = m->last_seq > o->m.last_seq ? m->last_seq : o->m.last_seq;
    }
    err = err < 0 ? err : pl__db_view_of(x->t, x->s, x->in, x->n_in, INT64_MIN, INT64_MAX, &v);
    err = err < 0 ? err : pl__db_cursor(v, &c);
    err = err < 0 ? err : merge_series(x, c, ids, o);
    err = err < 0 ? err : pl__db_out_finish(o);
    pl__db_cursor_free(c);
    pl__db_view_free(v);
    if (ids) {
        roaring_bitmap_free(ids);
    }
    return err == PL_EAGAIN ? PL_ENOSPC : err;
}

int pl__file_sum_paced(const char *path, uint64_t *bytes, uint32_t *crc, bool (*go_on)(void *ctx),
                       void *ctx)
{
    enum { STEP = 1 << 20 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *buf = malloc(STEP);
    int err = fd < 0 ? pl_errno(errno) : buf ? PL_OK : PL_ENOMEM;
    *bytes = 0;
    *crc = 0;
    while (err == PL_OK) {
        ssize_t n = read(fd, buf, STEP);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            err = n < 0 ? pl_errno(errno) : PL_OK;
            break;
        }
        *crc = pl_crc32c(*crc, buf, (size_t)n);
        *bytes += (uint64_t)n;
        if (go_on && !go_on(ctx)) {
            err = PL_ECANCELED;
        }
    }
    free(buf);
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

int pl__file_sum(const char *path, uint64_t *bytes, uint32_t *crc)
{
    return pl__file_sum_paced(path, bytes, crc, NULL, NULL);
}

static int fault(const char *point)
{
    (void)point;
    int err = PL_FAULT(point);
    return err > 0 ? PL_EIO : err;
}

/** Synced, named, summed: only the manifest is missing then. */
static int put_in_place(struct seal *x, const char *tmp)
{
    char path[4096];
    int err = fault("seal.rename");
    if (err < 0) {
        return err;
    }
    err = pl_dir_sync(tmp);
    if (err == PL_OK && rename(tmp, x->out->dir) < 0) {
        err = pl_errno(errno);
    }
    err = err < 0 ? err : pl_dir_sync(x->t->dir);
    if (err == PL_OK) {
        snprintf(path, sizeof path, "%s/data.mdb", x->out->dir);
        err = pl__file_sum(path, &x->out->file_bytes, &x->out->file_crc);
    }
    return err;
}

static int build(struct seal *x, const char *tmp)
{
    struct pl_db_env *env = NULL;
    struct pl_db_out o = {0};
    struct pl_db_damage damage;
    int err = pl_path_remove(tmp);
    err = err < 0 ? err : pl_dir_make(tmp);
    err = err < 0 ? err : pl__env_open(tmp, PL_DB_BUILD | PL_DB_CREATE, &env, &damage);
    err = err < 0 ? err : pl__db_out_init(&o, env, x->run, PL_EFFORT_SMALL, "seal.write");
    err = err < 0 ? err : merge(x, &o);
    bool any = err == PL_OK && o.m.n_packs;
    if (any) {
        err = fault("seal.sync");
        err = err < 0 ? err : pl__env_sync(env);
    }
    pl__env_close(env);
    if (any && err == PL_OK) {
        err = pl__part_new(x->t, PL_DB_PART_SEALED, x->day, x->part, &x->out);
        err = err < 0 ? err : put_in_place(x, tmp);
        if (err == PL_OK) {
            err = pl__run_new(x->out, &o.m, o.ids, &x->out_run);
            o.ids = err == PL_OK ? NULL : o.ids;
        }
    }
    pl__db_out_fini(&o);
    return err;
}

/* ---------------------------------------------------------------- in its place */

/** Are the inputs still what they were? Dropped by retention, or hit by a tombstone that would not
 *  reach the merged run any more: then the work was in vain. */
static bool still_true(const struct seal *x)
{
    const struct pl_db_state *now = x->t->state;
    for (size_t i = 0; i < x->n_drop; i++) {
        bool found = false;
        for (size_t k = 0; k < now->n_parts; k++) {
            found |= now->parts[k] == x->drop[i];
        }
        if (!found) {
            return false;
        }
    }
    for (size_t k = 0; k < now->n_tombs; k++) {
        const struct pl_db_tomb *tomb = now->tombs[k];
        bool reaches =
            tomb->number <= x->tomb || !x->out_run || x->out_run->m.last_seq <= tomb->seq;
        for (size_t i = 0; i < x->n_in && !reaches; i++) {
            if (pl__tomb_hits(tomb, x->in[i])) {
                return false;
            }
        }
    }
    return true;
}

static int replace(struct seal *x)
{
    struct pl_db_change c = {
        .add_runs = &x->out_run,
        .n_add = x->out_run ? 1 : 0,
        .drop_parts = x->drop,
        .n_drop = x->n_drop,
        .fault = "seal.manifest",
    };
    pthread_mutex_lock(&x->t->commit);
    int err = still_true(x) ? pl__catalogue_commit(x->t, &c) : PL_EBUSY;
    pthread_mutex_unlock(&x->t->commit);
    return err;
}

static void give_up(struct seal *x)
{
    pthread_mutex_lock(&x->t->commit);
    for (size_t i = 0; i < x->n_drop; i++) {
        x->drop[i]->merging = false;
    }
    pthread_mutex_unlock(&x->t->commit);
    if (x->out) {
        atomic_store(&x->out->gone, true);
    }
}

static int seal_day(struct pl_engine_tenant *t, int32_t day, bool all, bool (*stop)(void *ctx),
                    void *ctx)
{
    struct seal x = {.t = t, .stop = stop, .ctx = ctx, .day = day};
    int64_t begun = pl_mono_ns(t->db->conf.clock);
    int err = pick(&x, all);
    if (err > 0) {
        char tmp[4096];
        snprintf(tmp, sizeof tmp, "%s/tmp-%06u", t->dir, x.part);
        err = build(&x, tmp);
        err = err < 0 ? err : replace(&x);
        if (err < 0) {
            give_up(&x);
        }
        pl_path_remove(tmp);
        if (err == PL_OK) {
            pl_logf(t->db->conf.log, PL_INFO, "store", "sealed a day",
                    "tenant=\"%s\" dir=\"%s\" runs=%zu samples=%" PRIu64 " bytes=%" PRIu64
                    " ms=%" PRId64,
                    t->name, x.out ? x.out->dir : "", x.n_in,
                    x.out_run ? x.out_run->m.n_samples : 0, x.out ? x.out->file_bytes : 0,
                    (pl_mono_ns(t->db->conf.clock) - begun) / 1000000);
        }
    }
    pl__run_unref(x.out_run);
    pl__part_unref(x.out);
    pl__state_unref(x.s);
    free(x.drop);
    return err;
}

int pl__db_seal(struct pl_engine_tenant *t, bool all, bool (*stop)(void *ctx), void *ctx)
{
    struct pl_db_state *s = pl__state_get(t);
    int result = PL_OK;
    for (size_t i = 0; i < s->n_runs; i++) {
        if (i && s->runs[i]->part->day == s->runs[i - 1]->part->day) {
            continue;
        }
        int err = seal_day(t, s->runs[i]->part->day, all, stop, ctx);
        if (err == PL_ECORRUPT || err == PL_EBUSY) { /* this day stays; the others go on */
            result = err == PL_ECORRUPT ? err : result;
        } else if (err < 0) {
            result = err;
            break;
        }
    }
    pl__state_unref(s);
    pthread_mutex_lock(&t->commit);
    int err = pl__db_tombs_done(t);
    pthread_mutex_unlock(&t->commit);
    return result < 0 ? result : err;
}
