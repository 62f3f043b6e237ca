/* Files: whole writes, synced directories, free space. Each system call passes a fault point named
 * after it and after `what`: "journal.write", "journal.sync". Blocking: never on a loop. */
#pragma once
#include "core/base/buf.h"
#include <sys/types.h>
#include <sys/uio.h>

/** All bytes or an error; short writes are carried on. PL_EIO, PL_ENOSPC. */
int pl_file_write(int fd, const void *p, size_t n, const char *what);
/** iov is changed. */
int pl_file_writev(int fd, struct iovec *iov, int n, const char *what);
int pl_file_pread(int fd, void *p, size_t n, off_t at, const char *what); /* PL_ECORRUPT if short */
int pl_file_sync(int fd, const char *what);                               /* fdatasync */
int pl_dir_sync(const char *path);
int pl_dir_make(const char *path); /* with its parents, 0700; fine if there */
/** Remove a file or a directory with all in it; fine if absent. */
int pl_path_remove(const char *path);
/** Append a file; PL_ELIMIT when it is larger than max_bytes (out is then as before). */
int pl_file_read(const char *path, size_t max_bytes, struct pl_buf *out);
/** Replace a file's content atomically: temporary, sync, rename, sync of the directory. */
int pl_file_replace(const char *path, const void *p, size_t n);
/** Bytes free to this user on the file system of path. The fault "disk.free=ENOSPC" makes it 0. */
int pl_disk_free(const char *path, uint64_t *bytes);
/** Allocated bytes (blocks, not length) below path. */
int pl_disk_used(const char *path, uint64_t *bytes);
/** Map errno to a code of ours. */
int pl_errno(int e);
