/* A backup becomes a data directory: every file copied and synced, deepest first. Thread: any. */
#include "core/store/store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1u << 20)

struct restore {
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    uint64_t done, total;
    uint8_t *piece;
    char *why;
    size_t n_why;
};

static int failed(struct restore *r, int err, const char *path)
{
    snprintf(r->why, r->n_why, "%s: %s", path, pl_err_text(err));
    return err;
}

static int copy_file(struct restore *r, const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        return failed(r, pl_errno(errno), from);
    }
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int e = out < 0 ? failed(r, pl_errno(errno), to) : 0;
    while (e == 0) {
        ssize_t n = read(in, r->piece, PIECE);
        if (n <= 0) {
            e = n < 0 ? failed(r, pl_errno(errno), from) : 0;
            break;
        }
        e = pl_file_write(out, r->piece, (size_t)n, "restore");
        if (e < 0) {
            failed(r, e, to);
        }
        r->done += (uint64_t)n;
        if (r->progress) {
            r->progress(r->ctx, r->done, r->total);
        }
    }
    if (e == 0 && pl_file_sync(out, "restore") < 0) {
        e = failed(r, PL_EIO, to);
    }
    if (out >= 0) {
        close(out);
    }
    close(in);
    return e;
}

static bool is_dot(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static int copy_dir(struct restore *r, const char *from, const char *to)
{
    char a[PATH_MAX], b[PATH_MAX];
    struct stat st;
    struct dirent *d;
    int e = pl_dir_make(to);
    DIR *dir = opendir(from);
    if (!dir || e < 0) {
        e = failed(r, e < 0 ? e : pl_errno(errno), dir ? to : from);
    }
    while (e == 0 && (d = readdir(dir))) {
        if (is_dot(d->d_name)) {
            continue;
        }
        if ((size_t)snprintf(a, sizeof(a), "%s/%s", from, d->d_name) >= sizeof(a) ||
            (size_t)snprintf(b, sizeof(b), "%s/%s", to, d->d_name) >= sizeof(b)) {
            e = failed(r, PL_ELIMIT, from);
        } else if (lstat(a, &st) != 0) {
            e = failed(r, pl_errno(errno), a);
        } else if (S_ISDIR(st.st_mode)) {
            e = copy_dir(r, a, b);
        } else if (S_ISREG(st.st_mode)) {
            e = copy_file(r, a, b);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return e < 0 ? e : pl_dir_sync(to);
}

static bool is_empty(const char *path)
{
    struct dirent *d;
    bool empty = true;
    DIR *dir = opendir(path);
    if (!dir) {
        return errno == ENOENT;
    }
    while ((d = readdir(dir))) {
        empty = empty && is_dot(d->d_name);
    }
    closedir(dir);
    return empty;
}

int pl_store_restore(const char *backup, const char *dir,
                     void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                     char *why, size_t n_why)
{
    struct restore r = {.progress = progress, .ctx = ctx, .why = why, .n_why = n_why};
    char tenants[PATH_MAX];
    if ((size_t)snprintf(tenants, sizeof(tenants), "%s/tenants", backup) >= sizeof(tenants) ||
        access(tenants, R_OK | X_OK) != 0) {
        snprintf(why, n_why, "%s is not a backup: it has no directory \"tenants\"", backup);
        return PL_ENOTFOUND;
    }
    if (!is_empty(dir)) {
        snprintf(why, n_why, "%s is not empty: give a directory that is empty or absent", dir);
        return PL_EEXIST;
    }
    pl_disk_used(backup, &r.total);
    r.piece = malloc(PIECE);
    int e = r.piece ? copy_dir(&r, backup, dir) : PL_ENOMEM;
    free(r.piece);
    return e;
}
