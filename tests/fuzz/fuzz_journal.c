/* Replay of hostile bytes: the input is a journal file; and with its CRCs set right where there is
 * a frame's beginning, so that the payload decoders see what a checksum would keep from them. */
#include "core/store/columns.h"
#include "core/store/frame.h"
#include "core/store/journal_file.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int decode(void *ctx, const struct pl__frame_head *h, const uint8_t *payload,
                  struct pl__journal_data *data)
{
    (void)data;
    uint64_t *last = ctx;
    if (h->seq <= *last) {
        abort();
    }
    *last = h->seq;
    pl_str it = pl_str_mem(payload, h->n);
    if (h->type == PL_FRAME_DEFINE) {
        struct pl_define_reader r = {0};
        struct pl_series_def defs[16];
        struct pl_series_conf conf = {0};
        struct pl_series *s;
        int n;
        if (pl_series_new(&conf, &s) < 0) {
            return PL_ENOMEM;
        }
        pl_define_reader_begin(&r, it);
        while ((n = pl_define_read(&r, defs, 16)) > 0) {
            pl_series_apply(s, defs, (size_t)n, true);
        }
        pl_define_reader_fini(&r);
        pl_series_free(s);
        return 0;
    }
    struct pl_section s;
    struct pl_rows rows = {0};
    struct pl_metadata m;
    struct pl_frame_idem idem;
    while (pl_frame_next(&it, &s) > 0) {
        if (s.type == PL_SECTION_HISTOGRAMS) {
            pl_frame_histograms(s.bytes, &rows);
        }
        if (pl_frame_rows(s.bytes, &rows) == 0 && rows.n > 10000) {
            rows.n = 0;
        }
        (void)pl_frame_metadata(s.bytes, &m);
        (void)pl_frame_idem(s.bytes, &idem);
    }
    if (pl_rows_settle(&rows) < 0) {
        abort();
    }
    for (size_t i = 0; i < rows.n; i++) {
        const struct pl_columns c = {.h = rows.h};
        size_t n_layout;
        if (pl_is_histogram(rows.v[i]) &&
            pl_histogram_layout(pl_columns_histogram(&c, rows.v[i]), &n_layout) <= 0) {
            abort();
        }
    }
    pl_rows_fini(&rows);
    return 0;
}

static char dir[] = "/tmp/pl-fuzz-journal-XXXXXX";

static void replay(const uint8_t *p, size_t n)
{
    char path[PATH_MAX];
    uint64_t last = 0;
    pl__journal_path(path, dir, 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n) {
        abort();
    }
    close(fd);
    struct pl__journal_walk w = {.dir = dir, .each = decode, .ctx = &last};
    (void)pl__journal_walk(&w);
    if (w.next_seq <= last) {
        abort();
    }
    free(w.files);
}

static void remove_dir(void) { rmdir(dir); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    if (!made) {
        made = true;
        if (!mkdtemp(dir) || atexit(remove_dir)) {
            abort();
        }
    }
    replay(data, size);
    uint8_t *p = malloc(size + 1);
    if (!p) {
        return 0;
    }
    if (size) {
        memcpy(p, data, size);
    }
    for (size_t at = PL__JOURNAL_HEAD, seq = 1; at + PL__FRAME_HEAD <= size; seq++) {
        size_t n = pl_rd32(p + at + 4), left = size - at - PL__FRAME_HEAD;
        n = n > left ? left : n;
        pl__frame_head_put(
            p + at, &(struct pl__frame_head){.n = (uint32_t)n,
                                             .tenant = pl_rd32(p + at + 16),
                                             .type = p[at + 20],
                                             .seq = seq,
                                             .crc = pl_crc32c(0, p + at + PL__FRAME_HEAD, n)});
        at += pl__frame_span(n);
    }
    replay(p, size);
    free(p);
    char path[PATH_MAX];
    pl__journal_path(path, dir, 1);
    unlink(path);
    return 0;
}
