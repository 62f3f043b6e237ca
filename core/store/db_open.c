/* Opening a tenant: its catalogue, then what a crash left behind. A directory or a run that the
 * manifest does not name never counted (or counts no more) and is removed; a partition that is
 * missing or not as the manifest says is marked damaged and the others go on. */
#include "core/store/db.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool pl__db_name_ok(pl_str name)
{
    if (name.n == 0 || name.n > PL_DB_NAME_MAX || pl_str_eq(name, PL_STR(".")) ||
        pl_str_eq(name, PL_STR(".."))) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == '-')) {
            return false;
        }
    }
    return true;
}

static char *join_path(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *p = malloc(n);
    if (p) {
        snprintf(p, n, "%s/%s", dir, name);
    }
    return p;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_partition(const char *name)
{
    return strncmp(name, "hot-", 4) == 0 || strncmp(name, "sealed-", 7) == 0;
}

/** Calls fn for each name in a directory; stops at an error. */
static int each_name(const char *path, int (*fn)(void *ctx, const char *name), void *ctx)
{
    DIR *d = opendir(path);
    if (!d) {
        return pl_errno(errno);
    }
    int err = PL_OK;
    struct dirent *e;
    while (err >= 0 && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            err = fn(ctx, e->d_name);
        }
    }
    closedir(d);
    return err;
}

static int find_partition(void *ctx, const char *name)
{
    *(bool *)ctx |= is_partition(name);
    return PL_OK;
}

/** A first catalogue, complete before it gets its name. */
static int make_catalogue(struct pl_engine_tenant *t, const char *path)
{
    char *tmp = join_path(t->dir, "tmp-catalogue");
    struct pl_db_state *state = NULL;
    struct pl_db_damage damage;
    struct pl_db_change none = {0};
    int err = tmp ? pl_path_remove(tmp) : PL_ENOMEM;
    err = err < 0 ? err : pl_dir_make(tmp);
    err = err < 0 ? err : pl__env_open(tmp, PL_DB_CATALOGUE | PL_DB_CREATE, &t->catalogue, &damage);
    err = err < 0 ? err : pl__state_new(&state);
    if (err == PL_OK) {
        t->next_run = t->next_part = t->next_tomb = 1;
        t->state = state;
        err = pl__catalogue_commit(t, &none);
        pl__state_unref(t->state);
        t->state = NULL;
    }
    pl__env_close(t->catalogue);
    t->catalogue = NULL;
    err = err < 0 ? err : pl_dir_sync(tmp);
    if (err == PL_OK && rename(tmp, path) < 0) {
        err = pl_errno(errno);
    }
    err = err < 0 ? err : pl_dir_sync(t->dir);
    err = err < 0 ? err : pl_dir_sync(t->db->dir);
    free(tmp);
    return err;
}

static int open_catalogue(struct pl_engine_tenant *t, bool create, char *why, size_t n_why)
{
    char *path = join_path(t->dir, "catalogue");
    struct pl_db_damage damage = {-1, NULL};
    int err = path ? PL_OK : PL_ENOMEM;
    if (err == PL_OK && !is_dir(path)) {
        bool partitions = false;
        if (is_dir(t->dir)) {
            err = each_name(t->dir, find_partition, &partitions);
        } else {
            err = create ? pl_dir_make(t->dir) : PL_ENOTFOUND;
        }
        if (err == PL_OK && partitions) { /* never take data for leftovers */
            damage.what = "missing, though there are partitions";
            err = PL_ECORRUPT;
        }
        err = err < 0 ? err : make_catalogue(t, path);
    }
    if (err == PL_OK) {
        err = pl__env_open(path, PL_DB_CATALOGUE, &t->catalogue, &damage);
        err = err == PL_ENOTFOUND ? PL_ECORRUPT : err;
    }
    if (err < 0 && path) {
        snprintf(why, n_why, "%s/data.mdb: %s (offset %" PRId64 ")", path,
                 damage.what ? damage.what : pl_err_text(err), damage.at);
    }
    free(path);
    return err;
}

/* ---------------------------------------------------------------- leftovers */

static int remove_leftover(void *ctx, const char *name)
{
    struct pl_engine_tenant *t = ctx;
    bool ours = is_partition(name);
    for (size_t i = 0; ours && i < t->state->n_parts; i++) {
        const struct pl_db_part *p = t->state->parts[i];
        if (strcmp(strrchr(p->dir, '/') + 1, name) == 0) {
            return PL_OK;
        }
    }
    if (!ours && strncmp(name, "tmp-", 4) != 0) {
        return PL_OK;
    }
    char *path = join_path(t->dir, name);
    int err = path ? pl_path_remove(path) : PL_ENOMEM;
    pl_logf(t->db->conf.log, PL_INFO, "store", "removed what a crash left", "dir=\"%s/%s\"", t->dir,
            name);
    free(path);
    return err;
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

/** Runs of a flush that was cut off. */
static int clean_hot(struct pl_engine_tenant *t, struct pl_db_part *p)
{
    struct pl_db_env *e;
    int err = pl__part_acquire(p, &e);
    if (err < 0) {
        return err == PL_ECORRUPT ? PL_OK : err; /* marked, logged */
    }
    uint64_t bytes, entries, expected = 0;
    err = pl__env_used(e, &bytes, &entries);
    for (size_t i = 0; i < t->state->n_runs; i++) {
        const struct pl_db_run *r = t->state->runs[i];
        expected += r->part == p ? r->m.n_packs + 1ull : 0;
    }
    if (err == PL_OK && entries != expected) {
        pl_logf(t->db->conf.log, PL_INFO, "store", "removing runs of an unfinished flush",
                "dir=\"%s\" entries=%" PRIu64, p->dir, entries - expected);
        err = pl__db_out_clean(e, in_manifest, t->state);
    }
    pl__part_release(p);
    return err;
}

/** A sealed file is opened when it is first read; here only its length is looked at. */
static void look_sealed(struct pl_engine_tenant *t, struct pl_db_part *p)
{
    char *path = join_path(p->dir, "data.mdb");
    struct stat st;
    if (path && (stat(path, &st) < 0 || (uint64_t)st.st_size != p->file_bytes)) {
        atomic_store(&p->damaged, true);
        pl_logf(t->db->conf.log, PL_ERROR, "store", "damaged partition",
                "file=\"%s\" what=\"missing, or its length differs from the manifest\"", path);
        pl_count(t->db->corrupt, 1);
    }
    free(path);
}

static int look_at_parts(struct pl_engine_tenant *t)
{
    int err = PL_OK;
    for (size_t i = 0; i < t->state->n_parts && err == PL_OK; i++) {
        struct pl_db_part *p = t->state->parts[i];
        if (p->kind == PL_DB_PART_HOT) {
            err = clean_hot(t, p);
        } else {
            look_sealed(t, p);
        }
    }
    return err;
}

int pl__db_tenant_open(struct pl_db *db, pl_str name, bool create, struct pl_engine_tenant **out,
                       char *why, size_t n_why)
{
    struct pl_engine_tenant *t = calloc(1, sizeof *t);
    if (!t) {
        return PL_ENOMEM;
    }
    t->db = db;
    pthread_mutex_init(&t->commit, NULL);
    pthread_cond_init(&t->idle, NULL);
    pthread_mutex_init(&t->lock, NULL);
    t->name = calloc(1, name.n + 1);
    int err = t->name ? PL_OK : PL_ENOMEM;
    if (err == PL_OK) {
        memcpy(t->name, name.p, name.n);
        t->dir = join_path(db->dir, t->name);
        err = t->dir ? PL_OK : PL_ENOMEM;
    }
    err = err < 0 ? err : open_catalogue(t, create, why, n_why);
    err = err < 0 ? err : pl__catalogue_load(t, why, n_why);
    if (err == PL_OK) {
        err = each_name(t->dir, remove_leftover, t);
        err = err < 0 ? err : look_at_parts(t);
        if (err < 0) {
            snprintf(why, n_why, "%s: cleaning up: %s", t->dir, pl_err_text(err));
        }
    }
    if (err < 0) {
        pl__db_tenant_close(t);
        return err;
    }
    *out = t;
    return PL_OK;
}

void pl__db_tenant_close(struct pl_engine_tenant *t)
{
    pl__state_unref(t->state);
    pl__env_close(t->catalogue);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->idle);
    pthread_mutex_destroy(&t->commit);
    free(t->dir);
    free(t->name);
    free(t);
}
