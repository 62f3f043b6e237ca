/* A power cut for one process, by LD_PRELOAD. What the process writes below PL_CUT_DIR goes to the
 * file as ever, and the shim remembers what stood there at the last fdatasync, page of 4 KB by
 * page. At the operation PL_CUT_OP (writes, syncs, changes of directories, counted from 1) the
 * power goes: of the pages of each file that were not synced a random subset is put back, its size
 * too or not, of the changes of directories that were not synced those after a random point are
 * undone, and the process is killed. PL_CUT_SEED makes it repeatable as far as the threads are.
 *
 * fdatasync and fsync do not reach the disk: the machine stays up, and tests should be fast. Writes
 * through O_SYNC or O_DSYNC count as synced (LMDB's meta pages). Not seen: stores through a mapping
 * (LMDB has none but its lock file), and what libc does inside itself.
 *
 *   cc -shared -fPIC -O1 -o powercut.so tests/e2e/powercut.c -ldl -lpthread */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE    4096
#define FDS     65536
#define BUCKETS 4096

struct page {
    struct page *next;
    off_t at;
    uint8_t old[PAGE]; /* as synced */
};
struct file {
    struct file *next;
    dev_t dev;
    ino_t ino;
    int fd;     /* our own, read and write */
    off_t size; /* as synced */
    bool new_size;
    size_t n_pages;
    struct page *pages[BUCKETS];
};
enum change_kind { CREATED, MADE, RENAMED, REMOVED, DIR_REMOVED };
struct change {
    struct change *next; /* newest first */
    enum change_kind kind;
    char *dir, *path, *to, *spare; /* spare: a link to what was removed or renamed over */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static struct file *of_fd[FDS];
static bool synced_fd[FDS];
static char *dir_of_fd[FDS];
static struct change *changes;
static char root[PATH_MAX], spares[PATH_MAX];
static size_t n_root;
static uint64_t ops, cut_at, seed, n_spare;

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);
    if (!p) {
        abort();
    }
    return p;
}

__attribute__((constructor)) static void begin(void)
{
    const char *dir = getenv("PL_CUT_DIR"), *at = getenv("PL_CUT_OP"),
               *from = getenv("PL_CUT_SEED");
    if (dir && realpath(dir, root)) {
        n_root = strlen(root);
        snprintf(spares, sizeof spares, "%.4000s.spares", root);
        REAL(mkdir)(spares, 0700);
    }
    cut_at = at ? strtoull(at, NULL, 10) : UINT64_MAX;
    seed = (from ? strtoull(from, NULL, 10) : 0) * 2 + 0x9E3779B97F4A7C15ull;
    for (int i = 0; i < 8; i++) {
        chance();
    }
}

static bool ours(const char *path)
{
    const char *name = strrchr(path, '/');
    return n_root && strncmp(path, root, n_root) == 0 && (path[n_root] == '/' || !path[n_root]) &&
           !(name && (strcmp(name, "/lock.mdb") == 0 || strcmp(name, "/LOCK") == 0));
}

static char *parent(const char *path)
{
    char *p = strdup(path);
    char *slash = strrchr(p, '/');
    if (slash && slash[1] == 0) { /* a trailing one */
        *slash = 0;
        slash = strrchr(p, '/');
    }
    *slash = 0;
    return p;
}

/* ------------------------------------------------------------------------------------ the cut */

static void put_back_file(struct file *f)
{
    /* Now and then all or nothing of a file, else each page for itself. */
    uint64_t mood = chance() % 4;
    for (size_t b = 0; b < BUCKETS; b++) {
        for (struct page *p = f->pages[b]; p; p = p->next) {
            if (mood == 0 || (mood > 1 && chance() % 2)) {
                REAL(pwrite)(f->fd, p->old, PAGE, p->at);
            }
        }
    }
    struct stat st;
    if (f->new_size && (mood == 0 || (mood > 1 && chance() % 2))) {
        REAL(ftruncate)(f->fd, f->size);
    } else if (fstat(f->fd, &st) == 0 && st.st_size % PAGE && !f->new_size) {
        REAL(ftruncate)(f->fd, f->size); /* pages put back must not lengthen it */
    }
}

static void remove_tree(const char *path)
{
    char command[PATH_MAX + 64];
    unsetenv("LD_PRELOAD");
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command)) {
        abort();
    }
}

static void undo(const struct change *c)
{
    switch (c->kind) {
    case CREATED:
        REAL(unlink)(c->path);
        break;
    case MADE:
        remove_tree(c->path);
        break;
    case RENAMED:
        REAL(rename)(c->to, c->path);
        if (c->spare) {
            REAL(rename)(c->spare, c->to);
        }
        break;
    case REMOVED:
        if (c->spare) {
            REAL(rename)(c->spare, c->path);
        }
        break;
    case DIR_REMOVED:
        REAL(mkdir)(c->path, 0700);
        break;
    }
}

/* The change that is the last to survive in each directory is drawn once. */
static void put_back_directories(void)
{
    for (struct change *c = changes; c; c = c->next) {
        if (!c->dir) {
            continue;
        }
        size_t n = 0, k = 0;
        for (struct change *d = c; d; d = d->next) {
            n += d->dir && strcmp(d->dir, c->dir) == 0;
        }
        size_t lost = chance() % (n + 1);
        char *dir = c->dir;
        for (struct change *d = c; d; d = d->next) {
            if (d->dir && strcmp(d->dir, dir) == 0) {
                if (k++ < lost) {
                    undo(d);
                }
                if (d != c) {
                    d->dir = NULL;
                }
            }
        }
        c->dir = NULL;
    }
}

/** With the lock: count an operation. */
static void pass(void)
{
    if (++ops < cut_at) {
        return;
    }
    size_t pages = 0, n = 0;
    for (struct file *f = files; f; f = f->next) {
        pages += f->n_pages;
        put_back_file(f);
    }
    for (struct change *c = changes; c; c = c->next) {
        n++;
    }
    put_back_directories();
    fprintf(stderr, "powercut: at operation %llu, %zu pages and %zu changes not synced\n",
            (unsigned long long)ops, pages, n);
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

/* ------------------------------------------------------------------------------------- files */

static struct file *file_of(int fd) { return fd >= 0 && fd < FDS ? of_fd[fd] : NULL; }

static void enter(int fd, const char *path, int flags)
{
    struct stat st;
    if (fd < 0 || fd >= FDS || fstat(fd, &st) != 0) {
        return;
    }
    pthread_mutex_lock(&lock);
    of_fd[fd] = NULL;
    free(dir_of_fd[fd]);
    dir_of_fd[fd] = NULL;
    if (S_ISDIR(st.st_mode)) {
        dir_of_fd[fd] = strdup(path);
    } else if (S_ISREG(st.st_mode)) {
        struct file *f = files;
        while (f && !(f->dev == st.st_dev && f->ino == st.st_ino)) {
            f = f->next;
        }
        if (!f) {
            int own = REAL(open)(path, O_RDWR | O_CLOEXEC);
            if (own >= 0) {
                f = calloc(1, sizeof *f);
                *f = (struct file){files, st.st_dev, st.st_ino, own, st.st_size, false, 0, {0}};
                files = f;
            }
        }
        of_fd[fd] = f;
        synced_fd[fd] = flags & (O_DSYNC | O_SYNC);
    }
    pthread_mutex_unlock(&lock);
}

/** With the lock: remember the pages of a range that are not yet. */
static void remember(struct file *f, off_t at, size_t n)
{
    for (off_t p = at / PAGE * PAGE; p < at + (off_t)n; p += PAGE) {
        struct page **slot = &f->pages[p / PAGE % BUCKETS], *x = *slot;
        while (x && x->at != p) {
            x = x->next;
        }
        if (!x) {
            x = calloc(1, sizeof *x);
            x->at = p;
            if (pread(f->fd, x->old, PAGE, p) < 0) {
                abort();
            }
            x->next = *slot;
            *slot = x;
            f->n_pages++;
        }
    }
    f->new_size |= at + (off_t)n > f->size;
}

static void forget(struct file *f, off_t from, off_t to)
{
    for (size_t b = 0; b < BUCKETS && f->n_pages; b++) {
        for (struct page **x = &f->pages[b]; *x;) {
            struct page *p = *x;
            if (p->at >= from && p->at < to) {
                *x = p->next;
                free(p);
                f->n_pages--;
            } else {
                x = &p->next;
            }
        }
    }
}

static void synced(struct file *f)
{
    struct stat st;
    forget(f, 0, INT64_MAX);
    fstat(f->fd, &st);
    f->size = st.st_size;
    f->new_size = false;
}

/** Locks; the caller writes and then calls wrote. */
static struct file *before(int fd, off_t at, size_t n)
{
    struct file *f = file_of(fd);
    if (f) {
        pthread_mutex_lock(&lock);
        pass();
        remember(f, at, n);
    }
    return f;
}

static void wrote(struct file *f, int fd, off_t at, size_t n)
{
    if (f) {
        if (synced_fd[fd]) {
            forget(f, at / PAGE * PAGE, at + (off_t)n);
        }
        pthread_mutex_unlock(&lock);
    }
}

static off_t here(int fd) { return lseek(fd, 0, SEEK_CUR); }

static size_t total(const struct iovec *v, int n)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++) {
        sum += v[i].iov_len;
    }
    return sum;
}

ssize_t write(int fd, const void *p, size_t n)
{
    off_t at = file_of(fd) ? here(fd) : 0;
    struct file *f = before(fd, at, n);
    ssize_t r = REAL(write)(fd, p, n);
    wrote(f, fd, at, n);
    return r;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    struct file *f = before(fd, at, n);
    ssize_t r = REAL(pwrite)(fd, p, n, at);
    wrote(f, fd, at, n);
    return r;
}
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) { return pwrite(fd, p, n, at); }

ssize_t writev(int fd, const struct iovec *v, int n)
{
    off_t at = file_of(fd) ? here(fd) : 0;
    struct file *f = before(fd, at, total(v, n));
    ssize_t r = REAL(writev)(fd, v, n);
    wrote(f, fd, at, total(v, n));
    return r;
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    struct file *f = before(fd, at, total(v, n));
    ssize_t r = REAL(pwritev)(fd, v, n, at);
    wrote(f, fd, at, total(v, n));
    return r;
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
    return pwritev(fd, v, n, at);
}

int ftruncate(int fd, off_t size)
{
    struct stat st;
    struct file *f = file_of(fd);
    if (f && fstat(fd, &st) == 0) {
        before(fd, size, size < st.st_size ? (size_t)(st.st_size - size) : 0);
        f->new_size = true;
    } else {
        f = NULL;
    }
    int r = REAL(ftruncate)(fd, size);
    if (f) {
        pthread_mutex_unlock(&lock);
    }
    return r;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int fallocate(int fd, int mode, off_t at, off_t n)
{
    struct file *f = before(fd, at, 0);
    if (f) {
        f->new_size = true;
    }
    int r = REAL(fallocate)(fd, mode, at, n);
    if (f) {
        pthread_mutex_unlock(&lock);
    }
    return r;
}
int fallocate64(int fd, int mode, off64_t at, off64_t n) { return fallocate(fd, mode, at, n); }
int posix_fallocate(int fd, off_t at, off_t n) { return fallocate(fd, 0, at, n) ? errno : 0; }
int posix_fallocate64(int fd, off64_t at, off64_t n) { return posix_fallocate(fd, at, n); }

static void forget_changes(const char *dir)
{
    for (struct change **x = &changes; *x;) {
        struct change *c = *x;
        if (c->dir && strcmp(c->dir, dir) == 0) {
            *x = c->next;
            if (c->spare) {
                REAL(unlink)(c->spare);
            }
            free(c->dir), free(c->path), free(c->to), free(c->spare);
            free(c);
        } else {
            x = &c->next;
        }
    }
}

static bool sync_fd(int fd)
{
    struct file *f = file_of(fd);
    bool is_dir = fd >= 0 && fd < FDS && dir_of_fd[fd];
    if (f || is_dir) {
        pthread_mutex_lock(&lock);
        pass();
        if (f) {
            synced(f);
        } else {
            forget_changes(dir_of_fd[fd]);
        }
        pthread_mutex_unlock(&lock);
    }
    return f || is_dir;
}
int fdatasync(int fd) { return sync_fd(fd) ? 0 : REAL(fdatasync)(fd); }
int fsync(int fd) { return sync_fd(fd) ? 0 : REAL(fsync)(fd); }

int close(int fd)
{
    if (fd >= 0 && fd < FDS && (of_fd[fd] || dir_of_fd[fd])) {
        pthread_mutex_lock(&lock);
        of_fd[fd] = NULL;
        free(dir_of_fd[fd]);
        dir_of_fd[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return REAL(close)(fd);
}

/* ------------------------------------------------------------------------------- directories */

/** With the lock. */
static void note(enum change_kind kind, const char *path, const char *to, char *spare)
{
    struct change *c = calloc(1, sizeof *c);
    *c = (struct change){changes, kind, parent(path), strdup(path), to ? strdup(to) : NULL, spare};
    changes = c;
}

static char *keep(const char *path)
{
    char to[PATH_MAX + 32];
    snprintf(to, sizeof to, "%s/%llu", spares, (unsigned long long)n_spare++);
    return link(path, to) == 0 ? strdup(to) : NULL;
}

static int open_ours(const char *path, int flags, mode_t mode)
{
    struct stat st;
    bool new = (flags & O_CREAT) && lstat(path, &st) != 0;
    if (new) {
        pthread_mutex_lock(&lock);
        pass();
    }
    int shown = flags & ~O_TRUNC; /* a truncation is to be remembered, too */
    int fd = REAL(open)(path, shown, mode);
    if (new) {
        if (fd >= 0) {
            note(CREATED, path, NULL, NULL);
        }
        pthread_mutex_unlock(&lock);
    }
    if (fd >= 0) {
        enter(fd, path, flags);
        if ((flags & O_TRUNC) && ftruncate(fd, 0) != 0) {
            abort();
        }
    }
    return fd;
}

static int open_any(const char *path, int flags, mode_t mode)
{
    return ours(path) ? open_ours(path, flags, mode) : REAL(open)(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_any(path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_any(path, flags, mode);
}

int rename(const char *from, const char *to)
{
    if (!ours(from)) {
        return REAL(rename)(from, to);
    }
    pthread_mutex_lock(&lock);
    pass();
    char *spare = keep(to);
    int r = REAL(rename)(from, to);
    if (r == 0) {
        note(RENAMED, from, to, spare);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

int unlink(const char *path)
{
    if (!ours(path)) {
        return REAL(unlink)(path);
    }
    pthread_mutex_lock(&lock);
    pass();
    char *spare = keep(path);
    int r = REAL(unlink)(path);
    if (r == 0) {
        note(REMOVED, path, NULL, spare);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

int rmdir(const char *path)
{
    if (!ours(path)) {
        return REAL(rmdir)(path);
    }
    pthread_mutex_lock(&lock);
    pass();
    int r = REAL(rmdir)(path);
    if (r == 0) {
        note(DIR_REMOVED, path, NULL, NULL);
    }
    pthread_mutex_unlock(&lock);
    return r;
}

int mkdir(const char *path, mode_t mode)
{
    if (!ours(path) || strlen(path) <= n_root) {
        return REAL(mkdir)(path, mode);
    }
    pthread_mutex_lock(&lock);
    pass();
    int r = REAL(mkdir)(path, mode);
    if (r == 0) {
        note(MADE, path, NULL, NULL);
    }
    pthread_mutex_unlock(&lock);
    return r;
}
