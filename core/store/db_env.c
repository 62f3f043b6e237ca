/* LMDB environments: the only place with LMDB's flags, map sizes and error codes.
 *
 * Files that are written (catalogue, hot) take plain synced commits: MDB_NOSYNC with a sync now and
 * then opens "successfully" after a power cut and has lost what an earlier sync had made safe
 * (decisions.md 12). A file being built for sealing has nothing to lose before its first sync. Maps
 * are large and fixed, only address space; no MDB_WRITEMAP (a sparse file of the map's size, and
 * not faster). The tree is checked before LMDB may walk it: LMDB trusts what it reads. */
#include "core/store/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_CATALOGUE (16ull << 30)
#define MAP_HOT       (64ull << 30)
#define MAP_BUILD     (256ull << 30)
#define MAX_READERS   1022
#define LOCK_BYTES    (MAX_READERS * 64 + 4096) /* what LMDB needs for them, and more */
#define PAGE_HEADER   16
#define P_OVERFLOW    0x04

int pl__env_error(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return PL_OK;
    case MDB_NOTFOUND:
        return PL_ENOTFOUND;
    case MDB_KEYEXIST:
        return PL_EEXIST;
    case MDB_MAP_FULL:
        return PL_ENOSPC;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return PL_ECORRUPT;
    case MDB_PANIC:
        return PL_EREADONLY;
    case MDB_READERS_FULL:
        return PL_EBUSY;
    case MDB_TXN_FULL:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_DBS_FULL:
        return PL_ELIMIT;
    default:
        return rc > 0 ? pl_errno(rc) : PL_EINVAL;
    }
}

/** How a mode is opened. */
static unsigned mode_flags(int mode)
{
    switch (mode) {
    case PL_DB_CATALOGUE:
        return MDB_NOTLS;
    case PL_DB_HOT:
        return MDB_NOTLS | MDB_NORDAHEAD;
    case PL_DB_BUILD:
        return MDB_NOTLS | MDB_NOLOCK | MDB_NOSYNC | MDB_NORDAHEAD;
    default:
        return MDB_NOTLS | MDB_RDONLY | MDB_NOLOCK | MDB_NORDAHEAD;
    }
}

static size_t mode_map(int mode, off_t file_bytes)
{
    switch (mode) {
    case PL_DB_CATALOGUE:
        return MAP_CATALOGUE;
    case PL_DB_HOT:
        return MAP_HOT;
    case PL_DB_BUILD:
        return MAP_BUILD;
    default:
        return (size_t)file_bytes;
    }
}

/** LMDB writes to its lock file through a mapping: a hole in it that a full disk cannot fill is a
 *  SIGBUS. So its blocks are there before LMDB maps it; a larger file is a larger table to LMDB. */
static int reserve_lock_file(const char *dir)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/lock.mdb", dir) >= sizeof path) {
        return PL_ELIMIT;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return pl_errno(errno);
    }
    int rc = posix_fallocate(fd, 0, LOCK_BYTES);
    close(fd);
    return pl_errno(rc);
}

/** Open and fetch the handle of the one tree. */
static int open_mapped(struct pl_db_env *e, const char *dir, unsigned flags, bool writes)
{
    int rc = mdb_env_create(&e->env);
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_set_mapsize(e->env, e->map_bytes);
    }
    if (rc == MDB_SUCCESS && !(flags & MDB_NOLOCK)) {
        rc = mdb_env_set_maxreaders(e->env, MAX_READERS);
        int err = reserve_lock_file(dir);
        if (err < 0) {
            return err;
        }
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_open(e->env, dir, flags, 0600);
    }
    if (rc == MDB_SUCCESS && !(flags & MDB_NOLOCK)) {
        int dead = 0;
        rc = mdb_reader_check(e->env, &dead);
    }
    if (rc != MDB_SUCCESS) {
        return pl__env_error(rc);
    }
    MDB_txn *txn;
    rc = mdb_txn_begin(e->env, NULL, writes ? 0 : MDB_RDONLY, &txn);
    if (rc == MDB_SUCCESS) {
        rc = mdb_dbi_open(txn, NULL, 0, &e->dbi);
        if (rc == MDB_SUCCESS) {
            rc = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }
    }
    return pl__env_error(rc);
}

int pl__env_open(const char *dir, int mode, struct pl_db_env **out, struct pl_db_damage *damage)
{
    char path[4096];
    bool create = mode & PL_DB_CREATE;
    mode &= ~PL_DB_CREATE;
    *damage = (struct pl_db_damage){-1, "cannot be opened"};
    if ((size_t)snprintf(path, sizeof path, "%s/data.mdb", dir) >= sizeof path) {
        return PL_ELIMIT;
    }
    struct stat st;
    if (stat(path, &st) < 0) {
        if (errno != ENOENT || !create) {
            return pl_errno(errno);
        }
        st.st_size = 0;
    }
    if (!create) {
        int err = pl__page_check(path, damage);
        if (err < 0) {
            return err;
        }
    }
    struct pl_db_env *e = calloc(1, sizeof *e);
    if (!e) {
        return PL_ENOMEM;
    }
    e->map_bytes = mode_map(mode, st.st_size);
    e->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned flags = mode_flags(mode);
    int err = open_mapped(e, dir, flags, !(flags & MDB_RDONLY));
    if (err < 0) {
        pl__env_close(e);
        return err;
    }
    *out = e;
    return PL_OK;
}

void pl__env_close(struct pl_db_env *e)
{
    if (e) {
        if (e->env) {
            mdb_env_close(e->env);
        }
        free(e);
    }
}

bool pl__env_value_ok(const struct pl_db_env *e, const MDB_val *v)
{
    size_t in = (uintptr_t)v->mv_data % e->page_bytes;
    if (in != PAGE_HEADER) {
        return in + v->mv_size <= e->page_bytes;
    }
    const uint8_t *header = (const uint8_t *)v->mv_data - PAGE_HEADER;
    uint64_t pages = pl_rd32(header + 12);
    return (pl_rd16(header + 10) & P_OVERFLOW) &&
           pages == (PAGE_HEADER + v->mv_size + e->page_bytes - 1) / e->page_bytes;
}

int64_t pl__env_offset(const struct pl_db_env *e, const MDB_val *v)
{
    size_t in = (uintptr_t)v->mv_data % e->page_bytes;
    uint64_t number = pl_rd64((const uint8_t *)v->mv_data - in);
    return number < 1ull << 36 ? (int64_t)(number * e->page_bytes + in) : -1;
}

int pl__env_used(struct pl_db_env *e, uint64_t *bytes, uint64_t *entries)
{
    MDB_envinfo info;
    MDB_stat stat;
    int rc = mdb_env_info(e->env, &info);
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_stat(e->env, &stat);
    }
    if (rc != MDB_SUCCESS) {
        return pl__env_error(rc);
    }
    *bytes = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    *entries = stat.ms_entries;
    return PL_OK;
}

int pl__env_sync(struct pl_db_env *e) { return pl__env_error(mdb_env_sync(e->env, 1)); }

int pl__env_copy(struct pl_db_env *e, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return pl_errno(errno);
    }
    int err = pl__env_error(mdb_env_copyfd2(e->env, fd, MDB_CP_COMPACT));
    if (err == PL_OK) {
        err = pl_file_sync(fd, "backup");
    }
    if (close(fd) < 0 && err == PL_OK) {
        err = pl_errno(errno);
    }
    return err;
}
