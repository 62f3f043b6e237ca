/* A flush: the samples of each day go as a run into that day's hot partition (late data of any age
 * to the day it belongs to), each with its own synced commits; then one commit of the catalogue
 * makes all of it count, with the records and flushed_seq. Cut off anywhere before that, nothing of
 * it does: the runs are not in the manifest and are removed. Storage thread; tenant.commit is held
 * for choosing partitions and for the last commit only, so that a sealing may go on beside it. */
#include "core/store/db.h"
#include <stdlib.h>

#define WAITING_MAX (64u << 20) /* bytes of packs in memory over all days */
#define LOOK_EVERY  64

struct day {
    int32_t day;
    struct pl_db_part *part; /* counted, acquired, marked as being written */
    struct pl_db_out out;
};
struct flush {
    struct pl_engine_tenant *t;
    const struct pl_flush *f;
    struct day *days; /* by day */
    size_t n_days, cap_days;
    struct pl_db_run **runs; /* finished */
    size_t n_runs, cap_runs;
    struct pl_db_part **full; /* partitions left on the way, still marked */
    size_t n_full;
};

/** The hot partition to write a day into: the newest one that may grow, or a new one. Marked. */
static int choose(struct flush *fl, int32_t day, struct pl_db_part **out, uint32_t *run,
                  bool *fresh)
{
    struct pl_engine_tenant *t = fl->t;
    struct pl_db_part *found = NULL;
    int err = PL_OK;
    pthread_mutex_lock(&t->commit);
    for (size_t i = 0; i < t->state->n_parts; i++) {
        struct pl_db_part *p = t->state->parts[i];
        if (p->day == day && p->kind == PL_DB_PART_HOT && !p->frozen && !p->merging &&
            !p->writing && !atomic_load(&p->damaged)) {
            found = p;
        }
    }
    *fresh = !found;
    if (found) {
        pl__part_ref(found);
    } else {
        err = pl__part_new(t, PL_DB_PART_HOT, day, t->next_part, &found);
        t->next_part += err == PL_OK;
    }
    if (err == PL_OK) {
        found->writing = true;
        found->next_writing = t->writing;
        t->writing = found;
        *run = t->next_run++;
        *out = found;
    }
    pthread_mutex_unlock(&t->commit);
    return err;
}

static void unmark(struct pl_engine_tenant *t, struct pl_db_part *p, bool freeze)
{
    pthread_mutex_lock(&t->commit);
    struct pl_db_part **link = &t->writing;
    while (*link != p) {
        link = &(*link)->next_writing;
    }
    *link = p->next_writing;
    p->writing = false;
    p->frozen |= freeze;
    pthread_cond_broadcast(&t->idle);
    pthread_mutex_unlock(&t->commit);
}

/** choose, and open. A damaged one is passed over. */
static int take_part(struct flush *fl, int32_t day, struct pl_db_part **out, struct pl_db_env **env,
                     uint32_t *run)
{
    for (;;) {
        bool fresh;
        struct pl_db_part *p = NULL;
        int err = choose(fl, day, &p, run, &fresh);
        if (err < 0) {
            return err;
        }
        err = fresh ? pl__part_create(p, env) : pl__part_acquire(p, env);
        if (err == PL_OK) {
            *out = p;
            return PL_OK;
        }
        if (fresh) {
            atomic_store(&p->gone, true);
        }
        unmark(fl->t, p, err == PL_ECORRUPT);
        pl__part_unref(p);
        if (fresh || err != PL_ECORRUPT) {
            return err;
        }
    }
}

/** The entry of a day, made where there is none. */
static int find_day(struct flush *fl, int32_t day, struct day **out)
{
    size_t lo = 0, hi = fl->n_days;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (fl->days[mid].day < day) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo < fl->n_days && fl->days[lo].day == day) {
        *out = &fl->days[lo];
        return PL_OK;
    }
    if (pl_grow(&fl->days, fl->n_days, &fl->cap_days, sizeof *fl->days) < 0) {
        return PL_ENOMEM;
    }
    struct day d = {.day = day};
    struct pl_db_env *env;
    uint32_t run;
    int err = take_part(fl, day, &d.part, &env, &run);
    if (err < 0) {
        return err;
    }
    err = pl__db_out_init(&d.out, env, run, PL_EFFORT_FAST, "flush.commit");
    d.out.m.first_seq = fl->f->first_seq;
    d.out.m.last_seq = fl->f->last_seq;
    memmove(fl->days + lo + 1, fl->days + lo, (fl->n_days - lo) * sizeof *fl->days);
    fl->days[lo] = d;
    fl->n_days++;
    *out = &fl->days[lo];
    return err;
}

static int keep_run(struct flush *fl, struct pl_db_part *p, const struct pl_db_run_meta *m,
                    roaring_bitmap_t *ids)
{
    if (pl_grow(&fl->runs, fl->n_runs, &fl->cap_runs, sizeof *fl->runs) < 0) {
        roaring_bitmap_free(ids);
        return PL_ENOMEM;
    }
    int err = pl__run_new(p, m, ids, &fl->runs[fl->n_runs]);
    if (err < 0) {
        roaring_bitmap_free(ids);
    } else {
        fl->n_runs++;
    }
    return err;
}

/** The day's environment is full: what is in it stays as a run, the rest goes to a new one. */
static int move_on(struct flush *fl, struct day *d)
{
    struct pl_db_part *full = d->part;
    void *grown = realloc(fl->full, (fl->n_full + 1) * sizeof *fl->full);
    if (!grown) {
        return PL_ENOMEM;
    }
    fl->full = grown;
    pthread_mutex_lock(&fl->t->commit);
    full->frozen = true;
    pthread_mutex_unlock(&fl->t->commit);
    struct pl_db_part *next;
    struct pl_db_env *env;
    uint32_t run;
    int err = take_part(fl, d->day, &next, &env, &run);
    if (err < 0) {
        return err;
    }
    pl_logf(fl->t->db->conf.log, PL_INFO, "store", "a partition is full", "dir=\"%s\" next=\"%s\"",
            full->dir, next->dir);
    struct pl_db_run_meta m;
    roaring_bitmap_t *ids;
    err = pl__db_out_move(&d->out, env, run, &m, &ids);
    if (err < 0) {
        pl__part_release(next);
        atomic_store(&next->gone, true);
        unmark(fl->t, next, false);
        pl__part_unref(next);
        return err;
    }
    fl->full[fl->n_full++] = full;
    d->part = next;
    if (m.n_packs == 0) {
        roaring_bitmap_free(ids);
        return PL_OK;
    }
    return keep_run(fl, full, &m, ids);
}

static int commit_day(struct flush *fl, struct day *d, int err)
{
    for (int tries = 0; err == PL_EAGAIN && tries < 3; tries++) {
        err = move_on(fl, d);
        err = err < 0 ? err : pl__db_out_flush(&d->out, false);
    }
    return err == PL_EAGAIN ? PL_ENOSPC : err;
}

static int add_series(struct flush *fl, uint32_t id, const struct pl_columns *c)
{
    const int64_t *t = c->t;
    size_t n = c->n;
    if (n == 0) {
        return PL_OK;
    }
    if (t[0] < -PL_DB_T_MAX || t[n - 1] >= PL_DB_T_MAX) {
        return PL_EINVAL;
    }
    for (size_t i = 0; i < n;) {
        int32_t day = pl__day(t[i]);
        int64_t end = pl__day_end(day);
        size_t k = n;
        if (t[n - 1] > end) {
            for (k = i + 1; t[k] <= end; k++) {
            }
        }
        struct day *d;
        int err = find_day(fl, day, &d);
        if (err == PL_OK) {
            err = commit_day(fl, d, pl__db_out_add(&d->out, id, c, i, k - i));
        }
        if (err < 0) {
            return err;
        }
        i = k;
    }
    return PL_OK;
}

/** Where many days are open at once, what waits in memory is committed early. */
static int bound_memory(struct flush *fl)
{
    size_t waiting = 0;
    for (size_t i = 0; i < fl->n_days; i++) {
        waiting += pl__db_out_waiting(&fl->days[i].out);
    }
    int err = PL_OK;
    for (size_t i = 0; i < fl->n_days && err == PL_OK && waiting > WAITING_MAX; i++) {
        err = commit_day(fl, &fl->days[i], pl__db_out_flush(&fl->days[i].out, true));
    }
    return err;
}

static int write_samples(struct flush *fl)
{
    uint32_t id;
    const struct pl_columns *c;
    size_t n_series = 0;
    while (fl->f->next && fl->f->next(fl->f->ctx, &id, &c)) {
        int err = add_series(fl, id, c);
        if (err == PL_OK && ++n_series % LOOK_EVERY == 0) {
            err = bound_memory(fl);
        }
        if (err < 0) {
            return err;
        }
    }
    for (size_t i = 0; i < fl->n_days; i++) {
        struct day *d = &fl->days[i];
        int err = commit_day(fl, d, pl__db_out_flush(&d->out, true));
        err = err < 0 ? err : pl__db_out_finish(&d->out);
        if (err == PL_OK && d->out.m.n_packs) {
            roaring_bitmap_t *ids = d->out.ids;
            d->out.ids = NULL;
            err = keep_run(fl, d->part, &d->out.m, ids);
        }
        if (err < 0) {
            return err;
        }
    }
    return PL_OK;
}

static bool in_manifest(void *ctx, uint32_t run)
{
    const struct pl_db_state *s = ctx;
    for (size_t i = 0; i < s->n_runs; i++) {
        if (s->runs[i]->m.number == run) {
            return true;
        }
    }
    return false;
}

/** A partition this flush has written to: give it back; after a failure, clean it. */
static void leave(struct flush *fl, struct pl_db_part *p, int err)
{
    struct pl_db_state *s = pl__state_get(fl->t);
    bool known = false;
    for (size_t i = 0; i < s->n_parts; i++) {
        known |= s->parts[i] == p;
    }
    if (!known) {
        atomic_store(&p->gone, true);
    } else if (err < 0 && err != PL_EIO && err != PL_EREADONLY) {
        pl__db_out_clean(p->env, in_manifest, s);
    }
    pl__state_unref(s);
    pl__part_release(p);
    unmark(fl->t, p, err == PL_EIO || err == PL_EREADONLY);
    pl__part_unref(p);
}

int pl__db_write(struct pl_engine_tenant *t, const struct pl_flush *f)
{
    struct flush fl = {.t = t, .f = f};
    if (atomic_load(&t->broken)) {
        return PL_EREADONLY;
    }
    int err = write_samples(&fl);
    if (err == PL_OK) {
        struct pl_db_change c = {
            .add_runs = fl.runs,
            .n_add = fl.n_runs,
            .records = f->records,
            .n_records = f->n_records,
            .flushed_seq = f->last_seq,
            .fault = "flush.catalogue",
        };
        pthread_mutex_lock(&t->commit);
        err = pl__catalogue_commit(t, &c);
        pthread_mutex_unlock(&t->commit);
    }
    for (size_t i = 0; i < fl.n_runs; i++) {
        pl__run_unref(fl.runs[i]);
    }
    for (size_t i = 0; i < fl.n_days; i++) {
        pl__db_out_fini(&fl.days[i].out);
        leave(&fl, fl.days[i].part, err);
    }
    for (size_t i = 0; i < fl.n_full; i++) {
        leave(&fl, fl.full[i], err);
    }
    free(fl.days);
    free(fl.runs);
    free(fl.full);
    return err;
}
