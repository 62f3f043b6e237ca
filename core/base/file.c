/* Files. Every system call passes a fault point first: "<what>.write", "<what>.sync",
 * "<what>.read"; the whole-file operations use what = "replace", "dir", "read". Blocking: never on
 * a loop. */
#include "core/base/file.h"
#include "core/base/fault.h"
#include "perilune/err.h"
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int pl_errno(int e)
{
    switch (e) {
    case 0:
        return PL_OK;
    case ENOSPC:
    case EDQUOT:
        return PL_ENOSPC;
    case ENOMEM:
        return PL_ENOMEM;
    case ENOENT:
        return PL_ENOTFOUND;
    case EEXIST:
        return PL_EEXIST;
    case EBUSY:
    case EAGAIN:
    case EADDRINUSE:
        return PL_EBUSY;
    case EROFS:
        return PL_EREADONLY;
    case EINVAL:
    case ENOTDIR:
    case EISDIR:
    case EBADF:
        return PL_EINVAL;
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case ENAMETOOLONG:
        return PL_ELIMIT;
    case EPIPE:
    case ECONNRESET:
        return PL_ECLOSED;
    case ETIMEDOUT:
        return PL_ETIMEOUT;
    case ECANCELED:
        return PL_ECANCELED;
    case ENOSYS:
    case EOPNOTSUPP:
        return PL_EUNSUPPORTED;
    default:
        return PL_EIO;
    }
}

#ifdef PL_FAULTS
static int fault_at(const char *what, const char *call)
{
    char point[64];
    snprintf(point, sizeof point, "%s.%s", what ? what : "file", call);
    return pl_fault(point);
}
#else
#define fault_at(what, call) ((void)(what), 0)
#endif

static int write_all(int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            return pl_errno(errno);
        }
        p += done;
        n -= (size_t)done;
    }
    return PL_OK;
}

int pl_file_write(int fd, const void *p, size_t n, const char *what)
{
    int fault = fault_at(what, "write");
    if (fault < 0) {
        return fault;
    }
    if (fault > 0) {
        write_all(fd, p, n / 2);
        return PL_EIO;
    }
    return write_all(fd, p, n);
}

/** Move *iov, *n past `done` bytes that were written. */
static void iov_skip(struct iovec **iov, int *n, size_t done)
{
    while (*n && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        ++*iov;
        --*n;
    }
    if (*n) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

int pl_file_writev(int fd, struct iovec *iov, int n, const char *what)
{
    int fault = fault_at(what, "write");
    if (fault < 0) {
        return fault;
    }
    if (fault > 0) {
        size_t left = 0;
        for (int i = 0; i < n; i++) {
            left += iov[i].iov_len;
        }
        left /= 2;
        for (int i = 0; i < n && left; i++) {
            size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
            write_all(fd, iov[i].iov_base, part);
            left -= part;
        }
        return PL_EIO;
    }
    iov_skip(&iov, &n, 0);
    while (n) {
        ssize_t done = writev(fd, iov, n < IOV_MAX ? n : IOV_MAX);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            return pl_errno(errno);
        }
        iov_skip(&iov, &n, (size_t)done);
    }
    return PL_OK;
}

int pl_file_pread(int fd, void *p, size_t n, off_t at, const char *what)
{
    int fault = fault_at(what, "read");
    if (fault) {
        return fault < 0 ? fault : PL_ECORRUPT;
    }
    uint8_t *to = p;
    while (n) {
        ssize_t done = pread(fd, to, n, at);
        if (done < 0) {
            if (errno == EINTR) {
                continue;
            }
            return pl_errno(errno);
        }
        if (done == 0) {
            return PL_ECORRUPT;
        }
        to += done;
        at += done;
        n -= (size_t)done;
    }
    return PL_OK;
}

int pl_file_sync(int fd, const char *what)
{
    int fault = fault_at(what, "sync");
    if (fault) {
        return fault < 0 ? fault : PL_EIO;
    }
    return fdatasync(fd) == 0 ? PL_OK : pl_errno(errno);
}

int pl_dir_sync(const char *path)
{
    int fault = fault_at("dir", "sync");
    if (fault) {
        return fault < 0 ? fault : PL_EIO;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return pl_errno(errno);
    }
    int rc = fsync(fd) == 0 ? PL_OK : pl_errno(errno);
    close(fd);
    return rc;
}

/** Sync the directory that path stands in. */
static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return pl_dir_sync(".");
    }
    char parent[PATH_MAX];
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof parent) {
        return PL_ELIMIT;
    }
    memcpy(parent, path, n);
    parent[n] = '\0';
    return pl_dir_sync(parent);
}

static int make_one(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) == 0) {
        return sync_parent(path);
    }
    int e = errno;
    if (stat(path, &st) == 0) {
        return S_ISDIR(st.st_mode) ? PL_OK : PL_EEXIST;
    }
    return pl_errno(e);
}

int pl_dir_make(const char *path)
{
    char buf[PATH_MAX];
    size_t n = strlen(path);
    int fault = fault_at("dir", "make");
    if (fault) {
        return fault < 0 ? fault : PL_EIO;
    }
    if (n == 0) {
        return PL_EINVAL;
    }
    if (n >= sizeof buf) {
        return PL_ELIMIT;
    }
    memcpy(buf, path, n + 1);
    while (n > 1 && buf[n - 1] == '/') {
        buf[--n] = '\0';
    }
    for (size_t i = 1; i < n; i++) {
        if (buf[i] == '/') {
            buf[i] = '\0';
            int rc = make_one(buf);
            if (rc < 0) {
                return rc;
            }
            buf[i] = '/';
        }
    }
    return make_one(buf);
}

/** Walk what is at and below path, without following links and without leaving the file system
 *  behind; fine if absent. on_entry returns < 0 to stop. */
static int walk(const char *path, int (*on_entry)(FTSENT *e, void *ctx), void *ctx)
{
    char *copy = strdup(path);
    if (!copy) {
        return PL_ENOMEM;
    }
    char *roots[] = {copy, NULL};
    int rc = PL_OK;
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!fts) {
        rc = pl_errno(errno);
        goto out;
    }
    for (FTSENT *e; rc >= 0 && (errno = 0, e = fts_read(fts));) {
        bool failed = e->fts_info == FTS_NS || e->fts_info == FTS_DNR || e->fts_info == FTS_ERR;
        if (failed) {
            rc = e->fts_errno == ENOENT ? PL_OK : pl_errno(e->fts_errno);
        } else {
            rc = on_entry(e, ctx);
        }
    }
    if (rc >= 0 && errno && errno != ENOENT) {
        rc = pl_errno(errno);
    }
    fts_close(fts);
out:
    free(copy);
    return rc;
}

static int remove_entry(FTSENT *e, void *ctx)
{
    (void)ctx;
    int failed = 0;
    if (e->fts_info == FTS_DP) {
        failed = rmdir(e->fts_accpath);
    } else if (e->fts_info != FTS_D) {
        failed = unlink(e->fts_accpath);
    }
    return failed && errno != ENOENT ? pl_errno(errno) : PL_OK;
}

int pl_path_remove(const char *path)
{
    int fault = fault_at("path", "remove");
    if (fault) {
        return fault < 0 ? fault : PL_EIO;
    }
    return walk(path, remove_entry, NULL);
}

int pl_file_read(const char *path, size_t max_bytes, struct pl_buf *out)
{
    int fault = fault_at("read", "open");
    if (fault) {
        return fault < 0 ? fault : PL_EIO;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return pl_errno(errno);
    }
    int rc = PL_OK;
    size_t start = out->n;
    for (;;) {
        uint8_t *to = pl_buf_reserve(out, 16384);
        if (!to) {
            rc = PL_ENOMEM;
            break;
        }
        ssize_t n = read(fd, to, out->cap - out->n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            rc = n < 0 ? pl_errno(errno) : PL_OK;
            break;
        }
        out->n += (size_t)n;
        if (out->n - start > max_bytes) {
            rc = PL_ELIMIT;
            break;
        }
    }
    if (rc < 0) {
        out->n = start;
    }
    close(fd);
    return rc;
}

int pl_file_replace(const char *path, const void *p, size_t n)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (len < 0 || (size_t)len >= sizeof temporary) {
        return PL_ELIMIT;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return pl_errno(errno);
    }
    int rc = pl_file_write(fd, p, n, "replace");
    if (rc >= 0) {
        rc = pl_file_sync(fd, "replace");
    }
    if (close(fd) != 0 && rc >= 0) {
        rc = pl_errno(errno);
    }
    if (rc >= 0) {
        int fault = fault_at("replace", "rename");
        rc = fault > 0 ? PL_EIO : fault;
    }
    if (rc >= 0 && rename(temporary, path) != 0) {
        rc = pl_errno(errno);
    }
    if (rc < 0) {
        unlink(temporary);
        return rc;
    }
    return sync_parent(path);
}

int pl_disk_free(const char *path, uint64_t *bytes)
{
    struct statvfs st;
    int fault = fault_at("disk", "free");
    if (fault == PL_ENOSPC) {
        *bytes = 0;
        return PL_OK;
    }
    if (fault) {
        return fault < 0 ? fault : PL_EIO;
    }
    if (statvfs(path, &st) != 0) {
        return pl_errno(errno);
    }
    *bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return PL_OK;
}

static int add_blocks(FTSENT *e, void *ctx)
{
    if (e->fts_info != FTS_DP && e->fts_statp) {
        *(uint64_t *)ctx += (uint64_t)e->fts_statp->st_blocks * 512;
    }
    return PL_OK;
}

int pl_disk_used(const char *path, uint64_t *bytes)
{
    uint64_t sum = 0;
    int rc = walk(path, add_blocks, &sum);
    if (rc >= 0) {
        *bytes = sum;
    }
    return rc;
}
