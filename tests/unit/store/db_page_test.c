/* Flipped bits anywhere in the files of the engine: never a crash, never a wrong sample. What can
 * be read is right, and what cannot says so; the check finds it. */
#include "tests/unit/store/engine_place.h"
#include <dirent.h>
#include <fcntl.h>

static int open_lmdb(const char *dir, const struct pl_clock *clock, struct pl_engine **out)
{
    char why[256];
    struct pl_engine_conf conf = {.dir = dir, .clock = clock};
    return pl_lmdb_open(&conf, out, why, sizeof why);
}

static const struct engine_under_test lmdb = {open_lmdb};

#define N_IDS 60

static void fill(struct place *p, struct rows *x)
{
    uint64_t rnd = 99;
    for (int round = 0; round < 3; round++) {
        size_t from = x->n;
        for (uint32_t id = 0; id < N_IDS; id++) {
            for (int i = 0; i < (id % 8 == 0 ? 1200 : 3); i++) { /* several packs */
                int64_t t = T0 + round * 20000000 + i * 10000 + id;
                rows_add(x, id, t, pl_bits_f64(next_random(&rnd) >> 2));
            }
        }
        assert_int_equal(rows_flush(p->t, p->e, x, from), 0);
    }
    struct pl_record r[40];
    char keys[40][8], values[40][300];
    for (int i = 0; i < 40; i++) {
        snprintf(keys[i], sizeof keys[i], "k%02d", i);
        memset(values[i], 'a' + i % 26, sizeof values[i]);
        r[i] = (struct pl_record){PL_RECORD_SERIES, false, pl_str_c(keys[i]),
                                  pl_str_mem(values[i], sizeof values[i])};
    }
    struct pl_flush f = {.first_seq = x->seq, .last_seq = x->seq, .records = r, .n_records = 40};
    assert_int_equal(p->e->ops->write(p->t, &f), 0);
}

/** Path of the data file in the tenant's directory that begins with prefix. */
static void find_file(const struct place *p, const char *prefix, char *path, size_t n)
{
    char dir[160];
    snprintf(dir, sizeof dir, "%s/default", p->dir);
    DIR *d = opendir(dir);
    assert_non_null(d);
    path[0] = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
            snprintf(path, n, "%s/%.100s/data.mdb", dir, e->d_name);
        }
    }
    closedir(d);
    assert_true(path[0]);
}

static int see_record(void *ctx, pl_str key, pl_str value)
{
    (*(size_t *)ctx)++;
    int i = (key.p[1] - '0') * 10 + key.p[2] - '0';
    assert_int_equal(value.n, 300);
    assert_int_equal(value.p[299], 'a' + i % 26);
    return 0;
}

/** Open and read all. Right, or an error; the number of errors. */
static int look(struct place *p, struct pl_columns *want)
{
    struct pl_view *v;
    struct pl_cursor *c;
    struct pl_columns got = {0};
    int bad = 0;
    assert_int_equal(open_lmdb(p->dir, &p->clock, &p->e), 0);
    int err = p->e->ops->tenant(p->e, PL_STR("default"), false, &p->t);
    if (err < 0) {
        assert_int_equal(err, PL_ECORRUPT);
        p->e->ops->close(p->e);
        return 1;
    }
    size_t n = 0;
    err = p->e->ops->records(p->t, PL_RECORD_SERIES, see_record, &n);
    assert_true(err == PL_ECORRUPT || n == 40);
    bad += err < 0;
    assert_int_equal(p->e->ops->view(p->t, INT64_MIN, INT64_MAX, &v), 0);
    assert_int_equal(p->e->ops->cursor(v, &c), 0);
    for (uint32_t id = 0; id < N_IDS; id++) {
        err = p->e->ops->read(c, id, INT64_MIN, INT64_MAX, &got, NULL);
        if (err == 0) {
            same_columns(&got, &want[id]);
        } else {
            assert_int_equal(err, PL_ECORRUPT);
            assert_true(got.n <= want[id].n);
            bad++;
        }
    }
    p->e->ops->cursor_free(c);
    p->e->ops->view_free(v);
    p->e->ops->close(p->e);
    pl_columns_fini(&got);
    return bad;
}

/** Which bytes of a file to try: all of page headers and the pages of the tree are dense enough. */
static void flip_all(struct place *p, const char *prefix, struct pl_columns *want, size_t step)
{
    char path[300];
    find_file(p, prefix, path, sizeof path);
    struct pl_buf was = PL_BUF_INIT, is = PL_BUF_INIT;
    assert_int_equal(pl_file_read(path, 1u << 26, &was), 0);
    assert_int_equal(look(p, want), 0);
    size_t found = 0, tried = 0;
    for (size_t at = 0; at < was.n; at += at % 4096 < 64 ? 1 : step) {
        uint8_t byte = was.p[at] ^ (uint8_t)(1u << (at + at / 8 + tried) % 8);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        int bad = look(p, want);
        int64_t findings = tried % 4 == 0 ? pl_lmdb_check(p->dir, NULL, NULL, NULL) : -1;
        if (bad) {
            assert_int_not_equal(findings, 0);
        }
        found += bad > 0;
        tried++;
        pl_buf_clear(&is); /* only what we changed is changed */
        assert_int_equal(pwrite(fd, was.p + at, 1, (off_t)at), 1);
        close(fd);
    }
    assert_true(tried > 300);
    assert_true(found > tried / 10);
    assert_int_equal(look(p, want), 0);
    pl_buf_fini(&was);
    pl_buf_fini(&is);
}

static void flip_in(const char *prefix, bool seal, size_t step)
{
    struct place p;
    struct model m = {0};
    static struct pl_columns want[N_IDS];
    place_begin(&p);
    fill(&p, &m.rows);
    if (seal) {
        assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    }
    for (uint32_t id = 0; id < N_IDS; id++) {
        model_read(&m, id, INT64_MIN, INT64_MAX, &want[id]);
    }
    p.e->ops->close(p.e);
    flip_all(&p, prefix, want, step);
    for (uint32_t id = 0; id < N_IDS; id++) {
        pl_columns_fini(&want[id]);
    }
    place_open(&p);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_flipped_bit_in_a_hot_partition_gives_no_wrong_sample) { flip_in("hot-", false, 397); }

TEST(a_flipped_bit_in_a_sealed_partition_gives_no_wrong_sample) { flip_in("sealed-", true, 397); }

TEST(a_flipped_bit_in_the_catalogue_gives_no_wrong_sample) { flip_in("catalogue", false, 41); }

TEST(a_partition_cut_short_at_any_page_is_found_and_the_others_are_read)
{
    struct place p;
    struct model m = {0};
    char path[300];
    place_begin(&p);
    fill(&p, &m.rows);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    size_t from = m.rows.n;
    rows_add(&m.rows, 1, T0 - 3 * DAY, 5);
    assert_int_equal(rows_flush(p.t, p.e, &m.rows, from), 0);
    p.e->ops->close(p.e);
    find_file(&p, "sealed-", path, sizeof path);
    struct pl_buf was = PL_BUF_INIT;
    assert_int_equal(pl_file_read(path, 1u << 26, &was), 0);
    for (size_t n = 0; n < was.n; n += 4096 * (1 + was.n / 4096 / 20)) {
        assert_int_equal(truncate(path, (off_t)n), 0);
        struct pl_view *v;
        struct pl_cursor *c;
        struct pl_columns got = {0};
        place_open(&p);
        assert_int_equal(p.e->ops->view(p.t, INT64_MIN, INT64_MAX, &v), 0);
        assert_int_equal(p.e->ops->cursor(v, &c), 0);
        assert_int_equal(p.e->ops->read(c, 1, INT64_MIN, INT64_MAX, &got, NULL), PL_ECORRUPT);
        assert_int_equal(got.n, 1);
        assert_int_equal(got.t[0], T0 - 3 * DAY);
        p.e->ops->cursor_free(c);
        p.e->ops->view_free(v);
        p.e->ops->close(p.e);
        assert_true(pl_lmdb_check(p.dir, NULL, NULL, NULL) > 0);
        pl_columns_fini(&got);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, was.p, was.n, 0), was.n);
        close(fd);
    }
    place_open(&p);
    same_as_model(&p, &m, N_IDS, INT64_MIN, INT64_MAX);
    pl_buf_fini(&was);
    free(m.rows.r);
    place_end(&p);
}

struct report {
    size_t n, with_offset;
    char file[300];
};

static void note(void *ctx, const char *file, int64_t offset, const char *what)
{
    struct report *r = ctx;
    r->n++;
    r->with_offset += offset >= 0;
    assert_non_null(what);
    snprintf(r->file, sizeof r->file, "%s", file);
}

TEST(the_check_names_file_and_offset_of_a_damaged_pack)
{
    struct place p;
    struct rows x = {0};
    char path[300];
    place_begin(&p);
    fill(&p, &x);
    p.e->ops->close(p.e);
    struct report r = {0};
    assert_int_equal(pl_lmdb_check(p.dir, note, NULL, &r), 0);
    find_file(&p, "hot-", path, sizeof path);
    struct pl_buf was = PL_BUF_INIT;
    assert_int_equal(pl_file_read(path, 1u << 26, &was), 0);
    size_t at = was.n / 2 / 4096 * 4096 + 2000; /* in the middle of some pack */
    uint8_t byte = was.p[at] ^ 1;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
    assert_true(pl_lmdb_check(p.dir, note, NULL, &r) > 0);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.with_offset, 1);
    assert_string_equal(r.file, path);
    pl_buf_fini(&was);
    place_open(&p);
    free(x.r);
    place_end(&p);
}

int main(void)
{
    engine_conformance = &lmdb;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_in_a_hot_partition_gives_no_wrong_sample),
        cmocka_unit_test(a_flipped_bit_in_a_sealed_partition_gives_no_wrong_sample),
        cmocka_unit_test(a_flipped_bit_in_the_catalogue_gives_no_wrong_sample),
        cmocka_unit_test(a_partition_cut_short_at_any_page_is_found_and_the_others_are_read),
        cmocka_unit_test(the_check_names_file_and_offset_of_a_damaged_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
