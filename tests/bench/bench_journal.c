/* The journal: encoding and decoding rows, group commit against a raw fdatasync loop, replay.
 *
 *   bench_journal [directory, default /tmp] */
#include "core/store/frame.h"
#include "core/store/journal.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROWS 10000

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static uint64_t state = 1;
static uint64_t rng(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint32_t id[ROWS];
static int64_t t[ROWS];
static double v[ROWS];

/** shape 0: a scrape, one row a series; 1: rows in random order; 2: ten rows a series. */
static const char *fill(int shape)
{
    for (size_t i = 0; i < ROWS; i++) {
        uint64_t x = rng();
        id[i] = shape == 1 ? (uint32_t)(x >> 40) % 100000 : (uint32_t)(shape == 2 ? i / 10 : i);
        t[i] = 1700000000000 + (shape == 2 ? (int64_t)(i % 10) * 10000 : 0);
        v[i] = i % 20 < 8    ? (double)(x % 10000000) / (i % 2 ? 1 : 8)
               : i % 20 < 15 ? (double)(x % 10000) / 100
               : i % 20 < 18 ? (double)(x % 100)
                             : 1;
    }
    static const char *const names[] = {"a row a series", "in random order", "ten rows a series"};
    return names[shape];
}

static void codec(int shape)
{
    const char *name = fill(shape);
    struct pl_buf b = PL_BUF_INIT;
    struct pl_rows r = {0};
    struct pl_section s;
    double enc = 1e18, dec = 1e18, crc = 1e18;
    for (int i = 0; i < 200; i++) {
        pl_buf_clear(&b);
        double t0 = now();
        pl_frame_add_rows(&b, id, t, v, ROWS);
        double t1 = now();
        uint32_t c = pl_crc32c(0, b.p, b.n);
        double t2 = now();
        pl_str it = pl_buf_view(&b);
        r.n = c & 0;
        double t3 = now();
        if (pl_frame_next(&it, &s) != 1 || pl_frame_rows(s.bytes, &r) < 0) {
            abort();
        }
        double t4 = now();
        enc = t1 - t0 < enc ? t1 - t0 : enc;
        crc = t2 - t1 < crc ? t2 - t1 : crc;
        dec = t4 - t3 < dec ? t4 - t3 : dec;
    }
    printf("%-18s encode %5.2f ns, crc %4.2f ns, decode %5.2f ns, %4.2f bytes a sample\n", name,
           enc / ROWS, crc / ROWS, dec / ROWS, (double)b.n / ROWS);
    pl_rows_fini(&r);
    pl_buf_fini(&b);
}

static _Atomic uint64_t n_done;
static struct pl_journal *journal;
static void committed(void *ctx, struct pl_node *frames)
{
    (void)ctx;
    for (struct pl_node *next; frames; frames = next) {
        next = frames->next;
        pl_journal_applied(journal, pl_frame_cost((struct pl_frame *)frames));
        pl_frame_free((struct pl_frame *)frames);
        n_done++;
    }
}
static uint64_t n_rows;
static struct pl_rows rows;
static int each(void *ctx, const struct pl_frame *f)
{
    (void)ctx;
    pl_str it = pl_buf_view(&f->payload);
    struct pl_section s;
    rows.n = 0;
    while (pl_frame_next(&it, &s) > 0) {
        pl_frame_rows(s.bytes, &rows);
    }
    n_rows += rows.n;
    return 0;
}

static void submit(void)
{
    struct pl_frame *f = calloc(1, sizeof *f);
    f->type = PL_FRAME_SAMPLES;
    pl_frame_add_rows(&f->payload, id, t, v, ROWS);
    pl_frame_seal(f);
    while (pl_journal_submit(journal, f) == PL_EBUSY) {
        usleep(100);
    }
}

int main(int argc, char **argv)
{
    char dir[256], why[200];
    for (int shape = 0; shape < 3; shape++) {
        codec(shape);
    }
    snprintf(dir, sizeof dir, "%s/bench-journal-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    struct pl_journal_conf conf = {.dir = dir,
                                   .file_bytes = 64 << 20,
                                   .queue_bytes = 64 << 20,
                                   .sync = true,
                                   .committed = committed};
    fill(0);
    if (pl_journal_open(&conf, 0, each, &journal, why, sizeof why) < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    double t0 = now();
    for (int i = 0; i < 200; i++) {
        submit();
        while (n_done < (uint64_t)i + 1) {
            usleep(10);
        }
    }
    double one = (now() - t0) / 200;
    t0 = now();
    for (int i = 0; i < 600; i++) {
        submit();
    }
    while (n_done < 800) {
        usleep(10);
    }
    double many = now() - t0;
    printf("commit of 10,000 samples alone %.0f us; 600 of them queued: %.1f M samples/s\n",
           one / 1e3, 600.0 * ROWS / many * 1e3);
    uint64_t bytes = pl_journal_bytes(journal);
    pl_journal_close(journal);
    t0 = now();
    if (pl_journal_open(&conf, 0, each, &journal, why, sizeof why) < 0) {
        return 1;
    }
    double took = now() - t0;
    printf("replay of %.1f M samples, %.1f MB: %.0f ms, %.1f ns a sample\n", (double)n_rows / 1e6,
           (double)bytes / 1e6, took / 1e6, took / (double)n_rows);
    pl_journal_close(journal);
    pl_rows_fini(&rows);
    pl_path_remove(dir);
    return 0;
}
