/* Journal files: heads, names, the list of a directory. Format in journal_file.h. Any thread. */
#include "core/store/journal_file.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define FRAME_MAGIC 0x72664c50u /* "PLfr" */
static const char file_magic[8] = {'P', 'L', 'J', 'O', 'U', 'R', 'N', '1'};

void pl__frame_head_put(uint8_t *to, const struct pl__frame_head *h)
{
    pl_wr32(to, FRAME_MAGIC);
    pl_wr32(to + 4, h->n);
    pl_wr64(to + 8, h->seq);
    pl_wr32(to + 16, h->tenant);
    pl_wr32(to + 20, h->type | h->back << 8);
    pl_wr32(to + 24, h->crc);
    pl_wr32(to + 28, pl_crc32c(0, to, 28));
}

bool pl__frame_head_get(const uint8_t *p, struct pl__frame_head *out)
{
    if (pl_rd32(p) != FRAME_MAGIC || pl_rd32(p + 28) != pl_crc32c(0, p, 28)) {
        return false;
    }
    out->n = pl_rd32(p + 4);
    out->seq = pl_rd64(p + 8);
    out->tenant = pl_rd32(p + 16);
    out->type = p[20];
    out->back = pl_rd32(p + 20) >> 8;
    out->crc = pl_rd32(p + 24);
    return out->n <= PL_FRAME_MAX && out->back < out->seq;
}

void pl__journal_head_put(uint8_t *to, uint64_t first_seq)
{
    memcpy(to, file_magic, 8);
    pl_wr32(to + 8, 1);
    pl_wr32(to + 12, 0);
    pl_wr64(to + 16, first_seq);
    pl_wr32(to + 24, 0);
    pl_wr32(to + 28, pl_crc32c(0, to, 28));
}

bool pl__journal_head_get(const uint8_t *p, uint64_t *first_seq)
{
    if (memcmp(p, file_magic, 8) != 0 || pl_rd32(p + 8) != 1 ||
        pl_rd32(p + 28) != pl_crc32c(0, p, 28)) {
        return false;
    }
    *first_seq = pl_rd64(p + 16);
    return true;
}

void pl__journal_path(char out[PATH_MAX], const char *dir, uint64_t first)
{
    snprintf(out, PATH_MAX, "%s/%016" PRIx64 ".pj", dir, first);
}

/** The number in a file's name; false for files that are not ours. */
static bool name_first(const char *name, uint64_t *first)
{
    if (strlen(name) != 19 || strcmp(name + 16, ".pj") != 0 ||
        strspn(name, "0123456789abcdef") != 16) {
        return false;
    }
    *first = strtoull(name, NULL, 16);
    return true;
}

static int by_first(const void *a, const void *b)
{
    const struct pl__journal_file *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

int pl__journal_list(const char *dir, struct pl__journal_file **out, size_t *n)
{
    struct pl__journal_file *files = NULL;
    size_t n_files = 0, cap = 0;
    DIR *d = opendir(dir);
    if (!d) {
        return pl_errno(errno);
    }
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t first;
        if (!name_first(e->d_name, &first)) {
            continue;
        }
        if (n_files == cap) {
            cap = cap ? cap * 2 : 16;
            struct pl__journal_file *more = realloc(files, cap * sizeof *more);
            if (!more) {
                free(files);
                closedir(d);
                return PL_ENOMEM;
            }
            files = more;
        }
        files[n_files++] = (struct pl__journal_file){.first = first, .last = first - 1};
    }
    closedir(d);
    if (n_files) {
        qsort(files, n_files, sizeof *files, by_first);
    }
    *out = files;
    *n = n_files;
    return 0;
}

void pl__journal_data_unref(struct pl__journal_data *d)
{
    if (d && __atomic_sub_fetch((int *)&d->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        if (d->p) {
            munmap(d->p, d->cap);
        }
        free(d);
    }
}

void pl_frame_seal(struct pl_frame *f) { f->crc = pl_crc32c(0, f->payload.p, f->payload.n); }

void pl_frame_free(struct pl_frame *f)
{
    if (f) {
        pl_buf_fini(&f->payload);
        free(f);
    }
}
