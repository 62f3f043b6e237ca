/* The door of the LMDB engine. Tenants are opened when they are first asked for and live as long as
 * the engine. */
#include "core/store/db.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN_MAX 192 /* environments open at once: up to 3 descriptors each */

static struct pl_db *db_of(struct pl_engine *e) { return (struct pl_db *)e; }

static void db_close(struct pl_engine *e)
{
    struct pl_db *db = db_of(e);
    while (db->tenants) {
        struct pl_engine_tenant *t = db->tenants;
        db->tenants = t->next;
        pl__db_tenant_close(t);
    }
    pl__packs_free(db->packs);
    pthread_mutex_destroy(&db->lock);
    pthread_mutex_destroy(&db->cache.lock);
    free(db->dir);
    free(db);
}

static int db_tenant(struct pl_engine *e, pl_str name, bool create, struct pl_engine_tenant **out)
{
    struct pl_db *db = db_of(e);
    if (!pl__db_name_ok(name)) {
        return PL_EINVAL;
    }
    int err = PL_OK;
    struct pl_engine_tenant *t;
    pthread_mutex_lock(&db->lock);
    for (t = db->tenants; t; t = t->next) {
        if (pl_str_eq(pl_str_c(t->name), name)) {
            break;
        }
    }
    if (!t) {
        char why[512] = "";
        err = pl__db_tenant_open(db, name, create, &t, why, sizeof why);
        if (err == PL_OK) {
            t->next = db->tenants;
            db->tenants = t;
        } else if (err != PL_ENOTFOUND) {
            pl_logf(db->conf.log, PL_ERROR, "store", "cannot open a tenant",
                    "tenant=\"%.*s\" why=\"%s\"", PL_PRS(name), why);
        }
    }
    pthread_mutex_unlock(&db->lock);
    if (err == PL_OK) {
        *out = t;
    }
    return err;
}

static int db_tenants(struct pl_engine *e, int (*each)(void *ctx, pl_str name), void *ctx)
{
    DIR *d = opendir(db_of(e)->dir);
    if (!d) {
        return pl_errno(errno);
    }
    int err = PL_OK;
    struct dirent *entry;
    while (err >= 0 && (entry = readdir(d))) {
        pl_str name = pl_str_c(entry->d_name);
        if (pl__db_name_ok(name) && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)) {
            err = each(ctx, name);
        }
    }
    closedir(d);
    return err < 0 ? err : PL_OK;
}

static uint64_t db_flushed_seq(struct pl_engine_tenant *t) { return atomic_load(&t->flushed_seq); }

static const struct pl_engine_ops ops = {
    .name = "lmdb",
    .caps = 0,
    .close = db_close,
    .tenant = db_tenant,
    .tenants = db_tenants,
    .write = pl__db_write,
    .flushed_seq = db_flushed_seq,
    .records = pl__catalogue_records,
    .view = pl__db_view,
    .view_free = pl__db_view_free,
    .view_since = pl__db_view_since,
    .view_filter = pl__db_view_filter,
    .latest = pl__db_latest,
    .cursor = pl__db_cursor,
    .cursor_free = pl__db_cursor_free,
    .read = pl__db_read,
    .erase = pl__db_erase,
    .retain = pl__db_retain,
    .seal = pl__db_seal,
    .live = pl__db_live,
    .stats = pl__db_stats,
    .backup = pl__db_backup,
    .scrub = pl__db_scrub,
};

int pl_lmdb_open(const struct pl_engine_conf *conf, struct pl_engine **out, char *why, size_t n_why)
{
    int err = pl_dir_make(conf->dir);
    if (err < 0) {
        snprintf(why, n_why, "%s: %s", conf->dir, pl_err_text(err));
        return err;
    }
    struct pl_db *db = calloc(1, sizeof *db);
    char *dir = strdup(conf->dir);
    if (!db || !dir || pl__packs_new(&db->packs) < 0) {
        free(db);
        free(dir);
        return PL_ENOMEM;
    }
    db->base.ops = &ops;
    db->conf = *conf;
    db->dir = dir;
    db->conf.dir = dir;
    db->cache.cap = OPEN_MAX;
    db->corrupt = pl_metrics_counter(conf->metrics, "perilune_store_corrupt_packs_total",
                                     "Damaged packs, partitions and records found.", NULL);
    pthread_mutex_init(&db->lock, NULL);
    pthread_mutex_init(&db->cache.lock, NULL);
    *out = &db->base;
    return PL_OK;
}
