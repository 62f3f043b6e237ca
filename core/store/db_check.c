/* The check of a directory that no server has open: every page of every tree, every checksum, every
 * pack decoded, every count compared with what the run and the manifest say. Findings are reported
 * with file and offset, and the check goes on. */
#include "core/store/db.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct check {
    void (*report)(void *ctx, const char *file, int64_t offset, const char *what);
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    int64_t found;
    uint64_t done, total;
    char file[4096]; /* the one looked at */
};

static void finding(struct check *c, int64_t offset, const char *what)
{
    c->found++;
    if (c->report) {
        c->report(c->ctx, c->file, offset, what);
    }
}

static void bad_entry(void *ctx, int64_t offset) { finding(ctx, offset, "checksum of an entry"); }

static void bad_run(void *ctx, const struct pl_db_key *key, int64_t at, const char *what)
{
    (void)key;
    finding(ctx, at, what);
}

/* ---------------------------------------------------------------- files */

static void check_part(struct check *c, const struct pl_db_state *s, struct pl_db_part *p)
{
    struct pl_db_env *e;
    struct pl_db_damage damage;
    snprintf(c->file, sizeof c->file, "%s/data.mdb", p->dir);
    if (p->kind == PL_DB_PART_SEALED) {
        uint64_t bytes;
        uint32_t crc;
        if (pl__file_sum(c->file, &bytes, &crc) == PL_OK &&
            (bytes != p->file_bytes || crc != p->file_crc)) {
            finding(c, -1, bytes == p->file_bytes ? "checksum of the file" : "length of the file");
        }
    }
    int err = pl__env_open(p->dir, PL_DB_LOOK, &e, &damage);
    if (err < 0) {
        finding(c, damage.at, err == PL_ENOTFOUND ? "missing" : damage.what);
        return;
    }
    for (size_t i = 0; i < s->n_runs; i++) {
        if (s->runs[i]->part == p) {
            struct pl_db_verify v = {.found = bad_run, .ctx = c};
            err = pl__run_verify(e, &s->runs[i]->m, &v);
            if (err < 0) {
                finding(c, -1, pl_err_text(err));
            }
        }
    }
    pl__env_close(e);
}

static uint64_t part_bytes(const struct pl_db_state *s, const struct pl_db_part *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_runs; i++) {
        n += s->runs[i]->part == p ? s->runs[i]->m.bytes : 0;
    }
    return n;
}

static void check_tenant(struct check *c, struct pl_engine_tenant *t)
{
    char why[256] = "";
    int64_t before = c->found;
    int err = pl__catalogue_scan(t->catalogue, bad_entry, c);
    if (err < 0 && err != PL_ECORRUPT) {
        finding(c, -1, pl_err_text(err));
    }
    err = pl__catalogue_load(t, why, sizeof why);
    if (err < 0) {
        if (c->found == before) {
            finding(c, -1, "manifest");
        }
        return;
    }
    for (size_t i = 0; i < t->state->n_parts; i++) {
        c->total += part_bytes(t->state, t->state->parts[i]);
    }
    for (size_t i = 0; i < t->state->n_parts; i++) {
        check_part(c, t->state, t->state->parts[i]);
        c->done += part_bytes(t->state, t->state->parts[i]);
        if (c->progress) {
            c->progress(c->ctx, c->done, c->total);
        }
    }
}

static void check_dir(struct check *c, struct pl_db *db, const char *dir, const char *name)
{
    struct pl_engine_tenant t = {.db = db};
    struct pl_db_damage damage;
    char path[2048], catalogue[2100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(catalogue, sizeof catalogue, "%s/catalogue", path);
    snprintf(c->file, sizeof c->file, "%s/data.mdb", catalogue);
    t.dir = path;
    pthread_mutex_init(&t.lock, NULL);
    int err = pl__env_open(catalogue, PL_DB_LOOK, &t.catalogue, &damage);
    if (err < 0) {
        finding(c, damage.at, err == PL_ENOTFOUND ? "missing" : damage.what);
    } else {
        check_tenant(c, &t);
        pl__state_unref(t.state);
        pl__env_close(t.catalogue);
    }
    pthread_mutex_destroy(&t.lock);
}

int64_t pl_lmdb_check(const char *dir,
                      void (*report)(void *ctx, const char *file, int64_t offset, const char *what),
                      void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    struct check c = {.report = report, .progress = progress, .ctx = ctx};
    struct pl_db db = {.corrupt = pl_metrics_counter(NULL, "", "", NULL)};
    DIR *d = opendir(dir);
    snprintf(c.file, sizeof c.file, "%s", dir);
    if (!d) {
        finding(&c, -1, "cannot be read");
        return c.found;
    }
    pthread_mutex_init(&db.cache.lock, NULL);
    struct dirent *e;
    while ((e = readdir(d))) {
        if (pl__db_name_ok(pl_str_c(e->d_name))) {
            check_dir(&c, &db, dir, e->d_name);
        }
    }
    closedir(d);
    pthread_mutex_destroy(&db.cache.lock);
    return c.found;
}
