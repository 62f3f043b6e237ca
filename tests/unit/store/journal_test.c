/* The journal: groups, replay, torn tails against damage, faults, cutting. */
#include "tests/unit/unit.h"
#include "core/store/frame.h"
#include "core/store/journal.h"
#include "core/store/journal_file.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A journal with what came out of it. */
struct rig {
    char dir[64];
    struct pl_journal_conf conf;
    struct pl_journal *j;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    size_t n_committed, n_failed, n_defines;
    int err; /* of the last failed frame */
    uint64_t last_seq;
    /* replay */
    size_t n_replayed, n_found;
    uint64_t replay_seq;
    int stop_at;
    struct pl_buf text; /* payloads replayed, joined by commas */
    char found[256];
    int64_t found_at;
};

static void committed(void *ctx, struct pl_node *frames)
{
    struct rig *r = ctx;
    pthread_mutex_lock(&r->lock);
    for (struct pl_node *next; frames; frames = next) {
        struct pl_frame *f = (struct pl_frame *)frames;
        next = frames->next;
        pl_journal_applied(r->j, pl_frame_cost(f));
        if (f->err < 0) {
            r->n_failed++;
            r->err = f->err;
        } else {
            r->n_committed++;
            r->n_defines += f->type == PL_FRAME_DEFINE;
            assert_true(f->seq > r->last_seq);
            r->last_seq = f->seq;
        }
        pl_frame_free(f);
    }
    pthread_cond_broadcast(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

static void report(void *ctx, const char *file, int64_t offset, const char *what)
{
    struct rig *r = ctx;
    (void)file;
    r->n_found++;
    r->found_at = offset;
    snprintf(r->found, sizeof r->found, "%s", what);
}

static int each(void *ctx, const struct pl_frame *f)
{
    struct rig *r = ctx;
    assert_true(f->seq > r->replay_seq);
    r->replay_seq = f->seq;
    r->n_replayed++;
    if (r->n_replayed < 50) {
        pl_buf_add(&r->text, f->payload.p, f->payload.n < 20 ? f->payload.n : 20);
        pl_buf_z(&r->text, ",");
    }
    return r->stop_at && r->n_replayed == (size_t)r->stop_at ? PL_ECANCELED : 0;
}

static int rig_open(struct rig *r, uint64_t after)
{
    char why[200];
    r->n_replayed = r->n_found = 0;
    r->replay_seq = after;
    r->last_seq = 0;
    pl_buf_clear(&r->text);
    int rc = pl_journal_open(&r->conf, after, each, &r->j, why, sizeof why);
    pl_buf_u8(&r->text, 0);
    return rc;
}

static void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    strcpy(r->dir, "/tmp/pl-journal-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->cond, NULL);
    r->conf = (struct pl_journal_conf){.dir = r->dir,
                                       .file_bytes = 1 << 20,
                                       .queue_bytes = 8 << 20,
                                       .sync = true,
                                       .committed = committed,
                                       .report = report,
                                       .ctx = r};
    assert_int_equal(rig_open(r, 0), 0);
}

static void rig_close(struct rig *r)
{
    pl_journal_close(r->j);
    r->j = NULL;
}

static void rig_fini(struct rig *r)
{
    if (r->j) {
        rig_close(r);
    }
    pl_buf_fini(&r->text);
    assert_int_equal(pl_path_remove(r->dir), 0);
}

static int submit(struct rig *r, const void *p, size_t n)
{
    struct pl_frame *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->type = PL_FRAME_SAMPLES;
    f->tenant = 3;
    pl_buf_add(&f->payload, p, n);
    pl_frame_seal(f);
    int rc = pl_journal_submit(r->j, f);
    if (rc < 0) {
        pl_frame_free(f);
    }
    return rc;
}

static void wait_frames(struct rig *r, size_t n)
{
    pthread_mutex_lock(&r->lock);
    while (r->n_committed + r->n_failed < n) {
        pthread_cond_wait(&r->cond, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

/** Submit one text and wait for it: a group of its own. */
static void write_one(struct rig *r, const char *text)
{
    size_t before = r->n_committed + r->n_failed;
    assert_int_equal(submit(r, text, strlen(text)), 0);
    wait_frames(r, before + 1);
}

/** Path of the i-th journal file; false if there are fewer. */
static bool file_path(struct rig *r, size_t i, char out[PATH_MAX])
{
    struct pl__journal_file *files;
    size_t n;
    assert_int_equal(pl__journal_list(r->dir, &files, &n), 0);
    if (i < n) {
        pl__journal_path(out, r->dir, files[i].first);
    }
    free(files);
    return i < n;
}

static void flip(struct rig *r, size_t file, off_t at)
{
    char path[PATH_MAX];
    uint8_t b;
    assert_true(file_path(r, file, path));
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 4;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

TEST(what_was_committed_is_replayed_in_order)
{
    struct rig r;
    rig_init(&r);
    assert_int_equal(submit(&r, "one", 3), 0);
    assert_int_equal(submit(&r, "", 0), 0);
    assert_int_equal(submit(&r, "three", 5), 0);
    wait_frames(&r, 3);
    assert_int_equal(pl_journal_last_seq(r.j), 3);
    assert_int_equal(pl_journal_waiting(r.j), 0);
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal((char *)r.text.p, "one,,three,");
    assert_int_equal(r.n_found, 0);
    write_one(&r, "four");
    rig_close(&r);
    assert_int_equal(rig_open(&r, 2), 0);
    assert_string_equal((char *)r.text.p, "three,four,");
    assert_int_equal(pl_journal_check(r.dir, report, &r), 0);
    rig_fini(&r);
}

TEST(a_replay_can_be_stopped)
{
    struct rig r;
    rig_init(&r);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(submit(&r, "x", 1), 0);
    }
    wait_frames(&r, 1000);
    rig_close(&r);
    r.stop_at = 2;
    assert_int_equal(rig_open(&r, 0), PL_ECANCELED);
    r.stop_at = 0;
    r.j = NULL;
    rig_fini(&r);
}

TEST(a_clean_stop_leaves_no_preallocated_space)
{
    struct rig r;
    char path[PATH_MAX];
    struct stat st;
    rig_init(&r);
    write_one(&r, "small");
    assert_true(file_path(&r, 0, path));
    assert_int_equal(stat(path, &st), 0);
    rig_close(&r);
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 1, 200);
    rig_fini(&r);
}

/** Behave as kill -9 does: copy the files as they are while the journal is open. */
static void snapshot(struct rig *r, struct rig *copy)
{
    memset(copy, 0, sizeof *copy);
    copy->conf = r->conf;
    strcpy(copy->dir, "/tmp/pl-journal-XXXXXX");
    assert_non_null(mkdtemp(copy->dir));
    copy->conf.dir = copy->dir;
    copy->conf.ctx = copy;
    pthread_mutex_init(&copy->lock, NULL);
    pthread_cond_init(&copy->cond, NULL);
    char path[PATH_MAX], to[PATH_MAX + 64];
    for (size_t i = 0; file_path(r, i, path); i++) {
        struct pl_buf b = PL_BUF_INIT;
        assert_int_equal(pl_file_read(path, 64 << 20, &b), 0);
        snprintf(to, sizeof to, "%s/%s", copy->dir, strrchr(path, '/') + 1);
        assert_int_equal(pl_file_replace(to, b.p, b.n), 0);
        pl_buf_fini(&b);
    }
}

TEST(the_zeros_of_a_preallocated_file_are_not_damage)
{
    struct rig r, copy;
    rig_init(&r);
    write_one(&r, "one");
    write_one(&r, "two");
    snapshot(&r, &copy);
    assert_int_equal(rig_open(&copy, 0), 0);
    assert_string_equal((char *)copy.text.p, "one,two,");
    assert_int_equal(copy.n_found, 0);
    write_one(&copy, "three");
    rig_close(&copy);
    assert_int_equal(rig_open(&copy, 0), 0);
    assert_string_equal((char *)copy.text.p, "one,two,three,");
    rig_fini(&copy);
    rig_fini(&r);
}

TEST(a_torn_tail_is_cut_at_every_byte_and_writing_goes_on)
{
    struct rig r;
    rig_init(&r);
    write_one(&r, "first");
    write_one(&r, "the second frame");
    rig_close(&r);
    char path[PATH_MAX];
    assert_true(file_path(&r, 0, path));
    struct pl_buf whole = PL_BUF_INIT;
    assert_int_equal(pl_file_read(path, 1 << 20, &whole), 0);
    size_t second = PL__JOURNAL_HEAD + pl__frame_span(5), end = second + pl__frame_span(16);
    for (size_t n = second; n <= end; n++) {
        struct rig t = r;
        assert_int_equal(pl_path_remove(r.dir), 0);
        assert_int_equal(pl_dir_make(r.dir), 0);
        assert_int_equal(pl_file_replace(path, whole.p, n), 0);
        t.text = (struct pl_buf){0};
        t.conf.ctx = &t;
        assert_int_equal(rig_open(&t, 0), 0);
        assert_string_equal((char *)t.text.p, n == end ? "first,the second frame," : "first,");
        assert_int_equal(t.n_found, n != end && n != second);
        write_one(&t, "more");
        rig_close(&t);
        assert_int_equal(rig_open(&t, 0), 0);
        assert_string_equal((char *)t.text.p,
                            n == end ? "first,the second frame,more," : "first,more,");
        assert_int_equal(t.n_found, 0);
        rig_close(&t);
        pl_buf_fini(&t.text);
    }
    pl_buf_fini(&whole);
    rig_fini(&r);
}

TEST(damage_in_the_middle_is_reported_and_what_follows_is_read)
{
    size_t second = PL__JOURNAL_HEAD + pl__frame_span(5);
    for (size_t byte = 0; byte < PL__FRAME_HEAD + 6; byte++) {
        struct rig r;
        rig_init(&r);
        write_one(&r, "first");
        write_one(&r, "second");
        write_one(&r, "third");
        rig_close(&r);
        flip(&r, 0, (off_t)(second + byte));
        assert_int_equal(pl_journal_check(r.dir, report, &r), 1);
        assert_int_equal(r.found_at, second);
        assert_int_equal(rig_open(&r, 0), 0);
        assert_string_equal((char *)r.text.p, "first,third,");
        assert_int_equal(r.n_found, 1);
        assert_string_equal(r.found, "frame 2 is damaged or missing");
        write_one(&r, "next");
        rig_close(&r);
        assert_int_equal(rig_open(&r, 0), 0);
        assert_string_equal((char *)r.text.p, "first,third,next,");
        rig_fini(&r);
    }
}

TEST(a_flip_in_the_last_frame_after_a_clean_stop_is_damage_too)
{
    struct rig r;
    rig_init(&r);
    write_one(&r, "first");
    write_one(&r, "last");
    rig_close(&r); /* writes a mark behind it */
    flip(&r, 0, (off_t)(PL__JOURNAL_HEAD + pl__frame_span(5) + PL__FRAME_HEAD));
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal(r.found, "frame 2 is damaged or missing");
    rig_fini(&r);
}

/** Write a file by hand: frames "0".."n-1", all of one group from `group` on, the others alone. */
static void hand_made(struct rig *r, size_t n, size_t group, struct pl_buf *out)
{
    uint8_t head[PL__FRAME_HEAD];
    pl__journal_head_put(pl_buf_reserve(out, PL__JOURNAL_HEAD), 1);
    out->n += PL__JOURNAL_HEAD;
    for (size_t i = 0; i < n; i++) {
        char text[8] = {(char)('0' + i)};
        pl__frame_head_put(head,
                           &(struct pl__frame_head){.n = 1,
                                                    .seq = i + 1,
                                                    .type = PL_FRAME_SAMPLES,
                                                    .back = i > group ? (uint32_t)(i - group) : 0,
                                                    .crc = pl_crc32c(0, text, 1)});
        pl_buf_add(out, head, sizeof head);
        pl_buf_add(out, text, 8);
    }
    char path[PATH_MAX];
    pl__journal_path(path, r->dir, 1);
    assert_int_equal(pl_file_replace(path, out->p, out->n), 0);
}

TEST(a_hole_in_the_last_group_cuts_what_follows_in_it)
{
    struct rig r;
    rig_init(&r);
    rig_close(&r);
    struct pl_buf b = PL_BUF_INIT;
    hand_made(&r, 6, 2, &b);
    memset(b.p + PL__JOURNAL_HEAD + 40 * 3, 0, 40); /* frame 4 did not reach the disk */
    char path[PATH_MAX];
    pl__journal_path(path, r.dir, 1);
    assert_int_equal(pl_file_replace(path, b.p, b.n), 0);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal((char *)r.text.p, "0,1,2,");
    assert_int_equal(r.n_found, 1);
    write_one(&r, "new");
    assert_int_equal(r.last_seq, 4);
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal((char *)r.text.p, "0,1,2,new,");
    pl_buf_fini(&b);
    rig_fini(&r);
}

TEST(a_hole_in_a_group_that_was_synced_is_damage_and_the_rest_of_it_is_read)
{
    struct rig r;
    rig_init(&r);
    rig_close(&r);
    struct pl_buf b = PL_BUF_INIT;
    hand_made(&r, 6, 2, &b);
    uint8_t *last = b.p + PL__JOURNAL_HEAD + 40 * 5; /* frame 6 begins a group of its own */
    struct pl__frame_head h;
    assert_true(pl__frame_head_get(last, &h));
    h.back = 0;
    pl__frame_head_put(last, &h);
    memset(b.p + PL__JOURNAL_HEAD + 40 * 3, 0, 40);
    char path[PATH_MAX];
    pl__journal_path(path, r.dir, 1);
    assert_int_equal(pl_file_replace(path, b.p, b.n), 0);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal((char *)r.text.p, "0,1,2,4,5,");
    assert_string_equal(r.found, "frame 4 is damaged or missing");
    assert_int_equal(r.found_at, PL__JOURNAL_HEAD + 40 * 3);
    pl_buf_fini(&b);
    rig_fini(&r);
}

static void fill_files(struct rig *r, size_t n)
{
    static uint8_t big[300000];
    for (size_t i = 0; i < n; i++) {
        memset(big, 'a' + (int)(i % 26), sizeof big);
        size_t before = r->n_committed;
        assert_int_equal(submit(r, big, sizeof big), 0);
        wait_frames(r, before + 1);
    }
}

TEST(files_follow_each_other_and_are_cut_while_the_sequence_goes_on)
{
    struct rig r;
    char path[PATH_MAX];
    rig_init(&r);
    fill_files(&r, 10); /* three in a file */
    assert_true(file_path(&r, 3, path));
    assert_false(file_path(&r, 4, path));
    assert_int_equal(pl_journal_cut(r.j, 5), 0); /* frames 1 to 3 only */
    assert_true(file_path(&r, 2, path));
    assert_false(file_path(&r, 3, path));
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_int_equal(r.n_replayed, 7);
    assert_int_equal(r.n_found, 0);
    assert_int_equal(pl_journal_cut(r.j, 100), 0);
    assert_true(file_path(&r, 0, path));
    assert_false(file_path(&r, 1, path));
    assert_in_range(pl_journal_bytes(r.j), 0, 100);
    write_one(&r, "after the cut");
    assert_true(r.last_seq > 10);
    uint64_t last = r.last_seq;
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal((char *)r.text.p, "after the cut,");
    assert_int_equal(pl_journal_cut(r.j, 1000), 0);
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0); /* nothing is left but a file's name */
    assert_int_equal(r.n_replayed, 0);
    write_one(&r, "later");
    assert_true(r.last_seq > last);
    rig_fini(&r);
}

TEST(a_cut_at_the_last_frame_leaves_an_empty_file_only)
{
    struct rig r;
    char path[PATH_MAX];
    rig_init(&r);
    write_one(&r, "flushed");
    assert_int_equal(pl_journal_cut(r.j, r.last_seq), 0); /* the mark behind it holds nothing */
    assert_true(file_path(&r, 0, path));
    assert_false(file_path(&r, 1, path));
    assert_in_range(pl_journal_bytes(r.j), 0, 100);
    rig_close(&r);
    assert_int_equal(rig_open(&r, 1), 0);
    assert_int_equal(r.n_replayed, 0);
    assert_int_equal(r.n_found, 0);
    rig_fini(&r);
}

TEST(sequences_begin_behind_what_the_caller_knows)
{
    struct rig r;
    rig_init(&r);
    rig_close(&r);
    assert_int_equal(rig_open(&r, 500), 0);
    write_one(&r, "x");
    assert_int_equal(r.last_seq, 501);
    rig_fini(&r);
}

TEST(a_missing_file_is_damage)
{
    struct rig r;
    char path[PATH_MAX];
    rig_init(&r);
    fill_files(&r, 8);
    rig_close(&r);
    assert_true(file_path(&r, 1, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_int_equal(r.n_replayed, 5);
    assert_int_equal(r.n_found, 1);
    assert_string_equal(r.found, "frames 4 to 6 are damaged or missing");
    rig_fini(&r);
}

TEST(a_damaged_file_head_is_reported_and_its_frames_are_read)
{
    struct rig r;
    rig_init(&r);
    fill_files(&r, 8);
    rig_close(&r);
    flip(&r, 1, 3);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_int_equal(r.n_replayed, 8);
    assert_string_equal(r.found, "the file's head is damaged");
    rig_fini(&r);
}

TEST(a_frame_larger_than_a_file_gets_a_file_of_its_size)
{
    struct rig r;
    rig_init(&r);
    size_t n = 5 << 20;
    uint8_t *p = calloc(1, n);
    assert_non_null(p);
    write_one(&r, "small");
    assert_int_equal(submit(&r, p, n), 0);
    wait_frames(&r, 2);
    write_one(&r, "small");
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_int_equal(r.n_replayed, 3);
    assert_int_equal(r.n_found, 0);
    free(p);
    rig_fini(&r);
}

TEST(over_the_queue_limit_frames_are_refused)
{
    struct rig r;
    rig_init(&r);
    r.conf.queue_bytes = 1000;
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    uint8_t p[900] = {0};
    pthread_mutex_lock(&r.lock); /* nothing is applied meanwhile */
    assert_int_equal(submit(&r, p, sizeof p), 0);
    assert_int_equal(submit(&r, p, sizeof p), PL_EBUSY);
    assert_int_equal(pl_journal_define(r.j, 0, 1, PL_STR("\1a\1b")), 0);
    pthread_mutex_unlock(&r.lock);
    wait_frames(&r, 2);
    assert_int_equal(pl_journal_waiting(r.j), 0);
    rig_fini(&r);
}

TEST(a_full_disk_refuses_until_there_is_room)
{
    struct rig r;
    rig_init(&r);
    pl_journal_set_full(r.j, true);
    assert_int_equal(pl_journal_state(r.j), PL_ENOSPC);
    assert_int_equal(submit(&r, "x", 1), PL_ENOSPC);
    assert_int_equal(pl_journal_define(r.j, 0, 1, PL_STR("\1a\1b")), PL_ENOSPC);
    pl_journal_set_full(r.j, false);
    assert_int_equal(pl_journal_state(r.j), 0);
    write_one(&r, "x");
    rig_fini(&r);
}

static int count_defs(void *ctx, const struct pl_frame *f)
{
    struct pl_define_reader d = {0};
    struct pl_series_def defs[64];
    int n;
    if (f->type == PL_FRAME_DEFINE) {
        pl_define_reader_begin(&d, pl_buf_view(&f->payload));
        while ((n = pl_define_read(&d, defs, 64)) > 0) {
            ((struct rig *)ctx)->n_defines += (size_t)n;
        }
        assert_int_equal(n, 0);
        pl_define_reader_fini(&d);
    } else {
        ((struct rig *)ctx)->n_replayed++;
    }
    return 0;
}

TEST(definitions_stand_before_the_samples_that_follow_and_share_frames)
{
    struct rig r;
    rig_init(&r);
    pthread_mutex_lock(&r.lock);
    for (uint32_t i = 0; i < 100; i++) {
        char canon[] = {1, 'a', 2, (char)('a' + i / 26), (char)('a' + i % 26)};
        assert_int_equal(pl_journal_define(r.j, 1, i, pl_str_mem(canon, sizeof canon)), 0);
    }
    assert_int_equal(submit(&r, "s", 1), 0);
    pthread_mutex_unlock(&r.lock);
    pthread_mutex_lock(&r.lock);
    while (r.last_seq == 0 || pl_journal_waiting(r.j)) {
        pthread_cond_wait(&r.cond, &r.lock);
    }
    assert_in_range(r.n_defines, 1, 50);
    pthread_mutex_unlock(&r.lock);
    rig_close(&r);
    r.n_defines = 0;
    r.n_replayed = 0;
    char why[100];
    assert_int_equal(pl_journal_open(&r.conf, 0, count_defs, &r.j, why, sizeof why), 0);
    assert_int_equal(r.n_defines, 100);
    assert_int_equal(r.n_replayed, 1);
    rig_fini(&r);
}

struct writer {
    struct rig *r;
    size_t n;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    for (size_t i = 0; i < w->n; i++) {
        uint8_t p[64];
        memset(p, (int)i, sizeof p);
        while (submit(w->r, p, 1 + i % 64) < 0) {
        }
        char canon[] = {1, 'a', 1, (char)('a' + i % 26)};
        if (i % 16 == 0) {
            assert_int_equal(pl_journal_define(w->r->j, 0, (uint32_t)i, pl_str_mem(canon, 4)), 0);
        }
    }
    return NULL;
}

TEST(several_threads_write_while_files_are_cut)
{
    struct rig r;
    rig_init(&r);
    r.conf.file_bytes = 20000;
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    struct writer w = {&r, 3000};
    pthread_t t[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pl_thread_start(&t[i], "w", write_many, &w), 0);
    }
    uint64_t cut = 0;
    for (int i = 0; i < 20; i++) {
        cut = pl_journal_last_seq(r.j);
        assert_int_equal(pl_journal_cut(r.j, cut), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    rig_close(&r);
    assert_int_equal(r.n_failed, 0);
    assert_int_equal(r.n_committed - r.n_defines, 9000);
    uint64_t last = r.last_seq;
    assert_int_equal(rig_open(&r, cut), 0);
    assert_int_equal(r.n_found, 0);
    assert_int_equal(r.replay_seq, last);
    rig_fini(&r);
}

#ifdef PL_FAULTS
TEST(a_write_without_space_fails_its_group_and_the_next_one_is_written)
{
    static const char *const faults[] = {"journal.write=ENOSPC@1", "journal.write=short@1",
                                         "journal.write=EIO@1"};
    for (size_t i = 0; i < 3; i++) {
        struct rig r;
        rig_init(&r);
        write_one(&r, "good");
        assert_int_equal(pl_fault_set(faults[i]), 0);
        write_one(&r, "bad bad bad");
        assert_int_equal(r.n_failed, 1);
        assert_int_equal(r.err, i == 0 ? PL_ENOSPC : PL_EIO);
        assert_int_equal(pl_fault_set(NULL), 0);
        write_one(&r, "good again");
        assert_int_equal(pl_journal_state(r.j), 0);
        rig_close(&r);
        assert_int_equal(rig_open(&r, 0), 0);
        assert_string_equal((char *)r.text.p, "good,good again,");
        assert_int_equal(r.n_found, 0);
        rig_fini(&r);
    }
}

TEST(definitions_of_a_failed_group_are_written_with_the_next)
{
    struct rig r;
    rig_init(&r);
    write_one(&r, "good");
    assert_int_equal(pl_fault_set("journal.write=ENOSPC"), 0);
    assert_int_equal(pl_journal_define(r.j, 1, 0, PL_STR("\1a\1b")), 0);
    write_one(&r, "bad");
    assert_int_equal(pl_journal_define(r.j, 1, 1, PL_STR("\1a\1c")), 0);
    write_one(&r, "bad");
    assert_int_equal(r.n_failed, 2);
    assert_int_equal(r.n_defines, 0);
    assert_int_equal(pl_fault_set(NULL), 0);
    assert_int_equal(submit(&r, "good", 4), 0);
    pthread_mutex_lock(&r.lock);
    while (pl_journal_waiting(r.j)) {
        pthread_cond_wait(&r.cond, &r.lock);
    }
    pthread_mutex_unlock(&r.lock);
    assert_in_range(r.n_defines, 1, 2);
    rig_close(&r);
    r.n_defines = r.n_replayed = 0;
    char why[100];
    assert_int_equal(pl_journal_open(&r.conf, 0, count_defs, &r.j, why, sizeof why), 0);
    assert_int_equal(r.n_defines, 2);
    assert_int_equal(r.n_replayed, 2);
    rig_fini(&r);
}

TEST(a_failed_sync_is_final_and_its_group_is_not_believed)
{
    struct rig r;
    rig_init(&r);
    write_one(&r, "good");
    assert_int_equal(pl_fault_set("journal.sync=EIO@1"), 0);
    write_one(&r, "bad");
    assert_int_equal(r.n_failed, 1);
    assert_int_equal(r.err, PL_EREADONLY);
    assert_int_equal(pl_fault_set(NULL), 0);
    assert_int_equal(pl_journal_state(r.j), PL_EREADONLY);
    assert_int_equal(submit(&r, "x", 1), PL_EREADONLY);
    assert_int_equal(pl_journal_define(r.j, 0, 1, PL_STR("\1a\1b")), PL_EREADONLY);
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal((char *)r.text.p, "good,");
    rig_fini(&r);
}

TEST(a_file_that_cannot_be_made_fails_the_group_only)
{
    struct rig r;
    rig_init(&r);
    assert_int_equal(pl_fault_set("journal.open=ENOSPC@1"), 0);
    write_one(&r, "bad");
    assert_int_equal(r.err, PL_ENOSPC);
    assert_int_equal(pl_fault_set(NULL), 0);
    write_one(&r, "good");
    rig_close(&r);
    assert_int_equal(rig_open(&r, 0), 0);
    assert_string_equal((char *)r.text.p, "good,");
    rig_fini(&r);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_is_replayed_in_order),
        cmocka_unit_test(a_replay_can_be_stopped),
        cmocka_unit_test(a_clean_stop_leaves_no_preallocated_space),
        cmocka_unit_test(the_zeros_of_a_preallocated_file_are_not_damage),
        cmocka_unit_test(a_torn_tail_is_cut_at_every_byte_and_writing_goes_on),
        cmocka_unit_test(damage_in_the_middle_is_reported_and_what_follows_is_read),
        cmocka_unit_test(a_flip_in_the_last_frame_after_a_clean_stop_is_damage_too),
        cmocka_unit_test(a_hole_in_the_last_group_cuts_what_follows_in_it),
        cmocka_unit_test(a_hole_in_a_group_that_was_synced_is_damage_and_the_rest_of_it_is_read),
        cmocka_unit_test(files_follow_each_other_and_are_cut_while_the_sequence_goes_on),
        cmocka_unit_test(a_cut_at_the_last_frame_leaves_an_empty_file_only),
        cmocka_unit_test(sequences_begin_behind_what_the_caller_knows),
        cmocka_unit_test(a_missing_file_is_damage),
        cmocka_unit_test(a_damaged_file_head_is_reported_and_its_frames_are_read),
        cmocka_unit_test(a_frame_larger_than_a_file_gets_a_file_of_its_size),
        cmocka_unit_test(over_the_queue_limit_frames_are_refused),
        cmocka_unit_test(a_full_disk_refuses_until_there_is_room),
        cmocka_unit_test(definitions_stand_before_the_samples_that_follow_and_share_frames),
        cmocka_unit_test(several_threads_write_while_files_are_cut),
#ifdef PL_FAULTS
        cmocka_unit_test(a_write_without_space_fails_its_group_and_the_next_one_is_written),
        cmocka_unit_test(definitions_of_a_failed_group_are_written_with_the_next),
        cmocka_unit_test(a_failed_sync_is_final_and_its_group_is_not_believed),
        cmocka_unit_test(a_file_that_cannot_be_made_fails_the_group_only),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
