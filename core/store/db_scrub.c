/* The check of a tenant that is in use: each partition in turn is pinned, a sealed one's file is
 * compared with the checksum in the manifest, and every run is verified through the environment
 * that readers use, in short transactions. What is merged away meanwhile was read by the merge;
 * what came after the beginning is left for the next time. Thread: any; pauses after each megabyte.
 *
 * A sealed file whose tree is no longer sound is not walked, by us or by readers: its partition is
 * marked damaged at once, as it would be at the next start. */
#include "core/store/db.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define PAUSE_NS 1000000

struct scrub {
    struct pl_engine_tenant *t;
    struct pl_db_part *part; /* the one looked at */
    bool (*stop)(void *ctx);
    void *ctx;
    uint64_t found;
};

static bool go_on(void *ctx)
{
    struct scrub *x = ctx;
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    return !x->stop || !x->stop(x->ctx);
}

static void tell(struct scrub *x, const char *file, int64_t at, const char *what)
{
    x->found++;
    pl_logf(x->t->db->conf.log, PL_ERROR, "store", "scrub: damage",
            "file=\"%s/data.mdb\" offset=%" PRId64 " what=\"%s\"", file, at, what);
    pl_count(x->t->db->corrupt, 1);
}

static void bad_entry(void *ctx, int64_t at)
{
    struct scrub *x = ctx;
    char file[4096];
    snprintf(file, sizeof file, "%s/catalogue", x->t->dir);
    tell(x, file, at, "checksum of an entry");
}

static void bad_run(void *ctx, const struct pl_db_key *key, int64_t at, const char *what)
{
    struct scrub *x = ctx;
    if (key) {
        x->found++;
        pl__part_corrupt(x->part, key, at, what);
    } else {
        tell(x, x->part->dir, at, what);
    }
}

/** Compare a sealed file with the manifest. *differs: it is not the same, yet can be walked.
 *  PL_ECORRUPT: it must not be walked; told. */
static int scrub_file(struct scrub *x, bool *differs)
{
    char path[4096];
    uint64_t bytes;
    uint32_t crc;
    struct pl_db_part *p = x->part;
    snprintf(path, sizeof path, "%s/data.mdb", p->dir);
    int err = pl__file_sum_paced(path, &bytes, &crc, go_on, x);
    if (err == PL_ECANCELED || err == PL_ENOMEM || err == PL_ELIMIT) {
        return err;
    }
    if (err < 0) {
        tell(x, p->dir, -1, err == PL_ENOTFOUND ? "missing" : pl_err_text(err));
        return PL_ECORRUPT;
    }
    *differs = bytes != p->file_bytes || crc != p->file_crc;
    if (!*differs) {
        return PL_OK;
    }
    struct pl_db_damage damage = {-1, "length of the file"};
    err = bytes < p->file_bytes ? PL_ECORRUPT : pl__page_check(path, &damage);
    if (err == PL_ECORRUPT) {
        x->found++;
        pl__part_damaged(p, &damage);
    }
    return err;
}

static int scrub_runs(struct scrub *x, const struct pl_db_state *s, uint64_t *packs)
{
    struct pl_db_env *e;
    struct pl_db_verify v = {.found = bad_run, .go_on = go_on, .ctx = x};
    int err = pl__part_acquire(x->part, &e);
    if (err == PL_ECORRUPT) {
        x->found++; /* marked and told by the one who opened it */
    }
    if (err < 0) {
        return err;
    }
    for (size_t i = 0; i < s->n_runs && err == PL_OK; i++) {
        if (s->runs[i]->part == x->part) {
            err = pl__run_verify(e, &s->runs[i]->m, &v);
        }
    }
    pl__part_release(x->part);
    *packs += v.n_packs;
    return err;
}

static int scrub_part(struct scrub *x, const struct pl_db_state *s, uint64_t *packs)
{
    struct pl_db_part *p = x->part;
    uint64_t before = x->found;
    bool differs = false;
    if (atomic_load(&p->damaged)) {
        tell(x, p->dir, -1, "cannot be read, as was found before");
        return PL_OK;
    }
    int err = p->kind == PL_DB_PART_SEALED ? scrub_file(x, &differs) : PL_OK;
    err = err < 0 ? err : scrub_runs(x, s, packs);
    if (err == PL_OK && differs && x->found == before) {
        tell(x, p->dir, -1, "checksum of the file");
    }
    return err == PL_ECORRUPT ? PL_OK : err;
}

int pl__db_scrub(struct pl_engine_tenant *t, bool (*stop)(void *ctx), void *ctx, uint64_t *packs,
                 uint64_t *findings)
{
    struct scrub x = {.t = t, .stop = stop, .ctx = ctx};
    uint32_t last = 0, end = 0;
    bool first = true;
    int err = pl__catalogue_scan(t->catalogue, bad_entry, &x);
    err = err == PL_ECORRUPT ? PL_OK : err;
    while (err == PL_OK) {
        struct pl_db_state *s = pl__state_get(t);
        struct pl_db_part *next = NULL;
        for (size_t i = 0; i < s->n_parts && !next; i++) { /* by number */
            next = first || s->parts[i]->number > last ? s->parts[i] : NULL;
        }
        if (first && s->n_parts) {
            end = s->parts[s->n_parts - 1]->number;
        }
        bool more = next && next->number <= end;
        if (more) {
            x.part = next;
            last = next->number;
            err = scrub_part(&x, s, packs);
        }
        first = false;
        pl__state_unref(s);
        if (!more) {
            break;
        }
    }
    *findings += x.found;
    return err;
}
