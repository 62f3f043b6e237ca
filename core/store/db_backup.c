/* A backup: a directory of tenants like ours, usable as one. The state of every tenant is pinned
 * with a copy of its catalogue taken at the same moment; then the partitions of that state are
 * copied, and the catalogue goes in its place last, so that a backup cut off on the way leaves the
 * earlier one whole. Partitions whose manifest entry is the same in the earlier backup are kept as
 * they are. Flushes and readers go on meanwhile; only the copy of the catalogue keeps commits
 * waiting. */
#include "core/store/db.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP (1u << 20)

struct source { /* a tenant, pinned */
    struct pl_engine_tenant *t;
    struct pl_db_state *s;
    char *dir; /* in the backup */
    struct source *next;
};
struct backup {
    struct pl_engine *e;
    const char *dir;
    struct source *sources;
    uint64_t done, total;
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    bool damaged;
};

static char *path_of(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *p = malloc(n);
    if (p) {
        snprintf(p, n, "%s/%s", dir, name);
    }
    return p;
}

static uint64_t file_bytes(const char *dir)
{
    struct stat st;
    char *path = path_of(dir, "data.mdb");
    uint64_t n = path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    free(path);
    return n;
}

static void advance(struct backup *b, uint64_t bytes)
{
    b->done += bytes;
    if (b->progress) {
        b->progress(b->ctx, b->done < b->total ? b->done : b->total, b->total);
    }
}

static int pin(void *ctx, pl_str name)
{
    struct backup *b = ctx;
    struct pl_engine_tenant *t;
    int err = b->e->ops->tenant(b->e, name, false, &t);
    if (err < 0) {
        return err == PL_ENOTFOUND ? PL_OK : err;
    }
    struct source *x = calloc(1, sizeof *x);
    char *tmp = NULL, *file = NULL;
    if (!x || !(x->dir = path_of(b->dir, t->name)) || !(tmp = path_of(x->dir, "tmp-catalogue")) ||
        !(file = path_of(tmp, "data.mdb"))) {
        err = PL_ENOMEM;
    }
    err = err < 0 ? err : pl_path_remove(tmp);
    err = err < 0 ? err : pl_dir_make(tmp);
    if (err == PL_OK) {
        pthread_mutex_lock(&t->commit);
        x->t = t;
        x->s = pl__state_get(t);
        err = pl__env_copy(t->catalogue, file);
        pthread_mutex_unlock(&t->commit);
        x->next = b->sources;
        b->sources = x;
        for (size_t i = 0; i < x->s->n_parts; i++) {
            b->total += file_bytes(x->s->parts[i]->dir);
        }
    } else if (x) {
        free(x->dir);
        free(x);
    }
    free(tmp);
    free(file);
    return err;
}

/** Copy a sealed file; its checksum is computed on the way. PL_ECORRUPT: copied, but not as it was.
 */
static int copy_sealed(struct backup *b, const struct pl_db_part *p, const char *to)
{
    char *from = path_of(p->dir, "data.mdb");
    uint8_t *buf = malloc(STEP);
    int in = from ? open(from, O_RDONLY | O_CLOEXEC) : -1;
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = in < 0 || out < 0 ? pl_errno(errno) : buf ? PL_OK : PL_ENOMEM;
    uint32_t crc = 0;
    while (err == PL_OK) {
        ssize_t n = read(in, buf, STEP);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            err = n < 0 ? pl_errno(errno) : PL_OK;
            break;
        }
        crc = pl_crc32c(crc, buf, (size_t)n);
        err = pl_file_write(out, buf, (size_t)n, "backup");
        advance(b, (uint64_t)n);
    }
    err = err < 0 ? err : pl_file_sync(out, "backup");
    if (err == PL_OK && crc != p->file_crc) {
        pl_logf(p->t->db->conf.log, PL_ERROR, "store", "damaged partition in a backup",
                "file=\"%s\" what=\"checksum differs from the manifest\"", from);
        pl_count(p->t->db->corrupt, 1);
        err = PL_ECORRUPT;
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        close(out);
    }
    free(from);
    free(buf);
    return err;
}

static int copy_hot(struct backup *b, struct pl_db_part *p, const char *to)
{
    struct pl_db_env *env;
    int err = pl__part_acquire(p, &env);
    if (err < 0) {
        return err;
    }
    if (unlink(to) < 0 && errno != ENOENT) {
        err = pl_errno(errno);
    }
    err = err < 0 ? err : pl__env_copy(env, to);
    pl__part_release(p);
    advance(b, file_bytes(p->dir));
    return err;
}

/** Is the partition in the earlier backup, with the same runs? */
static bool is_there(struct pl_db_env *old, const struct pl_db_state *s, const struct pl_db_part *p,
                     const char *dir)
{
    struct pl_buf was = PL_BUF_INIT, is = PL_BUF_INIT;
    pl__manifest_encode(s, p, &is);
    bool same = old && pl__manifest_entry(old, p->number, &was) == PL_OK && !was.failed &&
                !is.failed && pl_str_eq(pl_buf_view(&was), pl_buf_view(&is));
    uint64_t bytes = file_bytes(dir);
    same = same && (p->kind == PL_DB_PART_SEALED ? bytes == p->file_bytes : bytes > 0);
    pl_buf_fini(&was);
    pl_buf_fini(&is);
    return same;
}

static int copy_part(struct backup *b, const struct source *x, struct pl_db_env *old,
                     struct pl_db_part *p)
{
    char *dir = path_of(x->dir, strrchr(p->dir, '/') + 1);
    char *tmp = dir ? path_of(dir, "data.tmp") : NULL, *to = dir ? path_of(dir, "data.mdb") : NULL;
    int err = tmp && to ? PL_OK : PL_ENOMEM;
    if (err == PL_OK && is_there(old, x->s, p, dir)) {
        advance(b, file_bytes(p->dir));
        goto out;
    }
    err = err < 0 ? err : pl_dir_make(dir);
    if (err == PL_OK) {
        err = p->kind == PL_DB_PART_SEALED ? copy_sealed(b, p, tmp) : copy_hot(b, p, tmp);
        if (err == PL_ECORRUPT) { /* what is damaged here is so there; the rest is worth keeping */
            b->damaged = true;
            err = PL_OK;
        }
    }
    if (err == PL_OK && rename(tmp, to) < 0 && errno != ENOENT) {
        err = pl_errno(errno);
    }
    err = err < 0 ? err : pl_dir_sync(dir);
out:
    free(dir);
    free(tmp);
    free(to);
    return err;
}

/** The copied catalogue takes its place: from now on the new state is the backup. */
static int put_catalogue(const struct source *x)
{
    char *tmp = path_of(x->dir, "tmp-catalogue"), *dir = path_of(x->dir, "catalogue");
    char *from = tmp ? path_of(tmp, "data.mdb") : NULL, *to = dir ? path_of(dir, "data.mdb") : NULL;
    int err = from && to ? pl_dir_sync(x->dir) : PL_ENOMEM;
    struct stat st;
    if (err == PL_OK) {
        bool first = stat(dir, &st) < 0;
        if ((first ? rename(tmp, dir) : rename(from, to)) < 0) {
            err = pl_errno(errno);
        }
        err = err < 0 ? err : pl_dir_sync(dir);
        err = err < 0 ? err : pl_dir_sync(x->dir);
        err = err < 0 ? err : pl_path_remove(tmp);
    }
    free(tmp);
    free(dir);
    free(from);
    free(to);
    return err;
}

/** Partitions that the state does not name any more. */
static int remove_stale(const struct source *x)
{
    DIR *d = opendir(x->dir);
    if (!d) {
        return pl_errno(errno);
    }
    int err = PL_OK;
    struct dirent *e;
    while (err == PL_OK && (e = readdir(d))) {
        bool stale = strncmp(e->d_name, "hot-", 4) == 0 || strncmp(e->d_name, "sealed-", 7) == 0;
        for (size_t i = 0; stale && i < x->s->n_parts; i++) {
            stale = strcmp(strrchr(x->s->parts[i]->dir, '/') + 1, e->d_name) != 0;
        }
        if (stale) {
            char *path = path_of(x->dir, e->d_name);
            err = path ? pl_path_remove(path) : PL_ENOMEM;
            free(path);
        }
    }
    closedir(d);
    return err;
}

static int copy_tenant(struct backup *b, const struct source *x)
{
    struct pl_db_env *old = NULL;
    struct pl_db_damage damage;
    char *catalogue = path_of(x->dir, "catalogue");
    int err = catalogue ? PL_OK : PL_ENOMEM;
    if (err == PL_OK && pl__env_open(catalogue, PL_DB_LOOK, &old, &damage) < 0) {
        old = NULL; /* none, or damaged: copy all */
    }
    for (size_t i = 0; i < x->s->n_parts && err == PL_OK; i++) {
        err = copy_part(b, x, old, x->s->parts[i]);
    }
    pl__env_close(old);
    err = err < 0 ? err : put_catalogue(x);
    err = err < 0 ? err : remove_stale(x);
    free(catalogue);
    return err;
}

int pl__db_backup(struct pl_engine *e, const char *dir,
                  void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    struct backup b = {.e = e, .dir = dir, .progress = progress, .ctx = ctx};
    int err = pl_dir_make(dir);
    err = err < 0 ? err : e->ops->tenants(e, pin, &b);
    for (const struct source *x = b.sources; x && err == PL_OK; x = x->next) {
        err = copy_tenant(&b, x);
    }
    err = err < 0 ? err : pl_dir_sync(dir);
    while (b.sources) {
        struct source *x = b.sources;
        b.sources = x->next;
        pl__state_unref(x->s);
        free(x->dir);
        free(x);
    }
    return err < 0 ? err : b.damaged ? PL_ECORRUPT : PL_OK;
}
