/* The scrub of an engine that is in use: what it finds, and that the rest reads.
 */
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

static void fill(struct place *p, struct model *m)
{
    uint64_t rnd = 7;
    for (uint32_t id = 0; id < N_IDS; id++) {
        for (int i = 0; i < 1500; i++) {
            rows_add(&m->rows, id, T0 + i * 10000, pl_bits_f64(next_random(&rnd) >> 2));
        }
    }
    assert_int_equal(rows_flush(p->t, p->e, &m->rows, 0), 0);
}

static void find_file(const char *tenant, const char *prefix, char *path, size_t n)
{
    DIR *d = opendir(tenant);
    assert_non_null(d);
    path[0] = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
            snprintf(path, n, "%s/%.100s/data.mdb", tenant, e->d_name);
        }
    }
    closedir(d);
    assert_true(path[0]);
}

/** Turn one bit. */
static void flip(const char *path, off_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/** In the middle of what is written of a file: some pack. A hot one has room at its end. */
static off_t middle_of(const char *path)
{
    struct pl_buf text = PL_BUF_INIT;
    assert_int_equal(pl_file_read(path, 1u << 26, &text), 0);
    size_t n = text.n;
    while (n && !text.p[n - 1]) {
        n--;
    }
    pl_buf_fini(&text);
    return (off_t)(n / 2 / 4096 * 4096 + 2000);
}

static uint64_t scrub(struct place *p, uint64_t *packs)
{
    uint64_t findings = 0;
    *packs = 0;
    assert_int_equal(p->e->ops->scrub(p->t, NULL, NULL, packs, &findings), 0);
    return findings;
}

/** How many series cannot be read in full; the others are right. */
static int unread(struct place *p, const struct model *m)
{
    struct pl_view *v;
    struct pl_cursor *c;
    struct pl_columns got = {0}, want = {0};
    int bad = 0;
    assert_int_equal(p->e->ops->view(p->t, INT64_MIN, INT64_MAX, &v), 0);
    assert_int_equal(p->e->ops->cursor(v, &c), 0);
    for (uint32_t id = 0; id < N_IDS; id++) {
        int err = p->e->ops->read(c, id, INT64_MIN, INT64_MAX, &got, NULL);
        if (err == PL_ECORRUPT) {
            bad++;
        } else {
            assert_int_equal(err, 0);
            model_read(m, id, INT64_MIN, INT64_MAX, &want);
            same_columns(&got, &want);
        }
    }
    p->e->ops->cursor_free(c);
    p->e->ops->view_free(v);
    pl_columns_fini(&got);
    pl_columns_fini(&want);
    return bad;
}

static void flip_in_a_pack(const char *prefix, bool seal)
{
    struct place p;
    struct model m = {0};
    char tenant[160], path[300];
    uint64_t packs, again;
    place_begin(&p);
    fill(&p, &m);
    if (seal) {
        assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    }
    assert_int_equal(scrub(&p, &packs), 0);
    assert_true(packs > 2);
    assert_int_equal(unread(&p, &m), 0); /* and the partition is open */
    snprintf(tenant, sizeof tenant, "%s/default", p.dir);
    find_file(tenant, prefix, path, sizeof path);
    off_t middle = middle_of(path);
    int n_found = 0;
    for (off_t at = middle; at < middle + 8 * 4096; at += 4096) { /* packs, and room behind them */
        flip(path, at);
        uint64_t found = scrub(&p, &again);
        int bad = unread(&p, &m);
        assert_int_equal(again, packs);
        assert_int_equal(found, bad > 0); /* one, if it is in a pack */
        assert_true(bad < N_IDS);
        n_found += bad > 0;
        flip(path, at);
        assert_int_equal(scrub(&p, &again), 0);
    }
    assert_true(n_found > 0);
    assert_int_equal(unread(&p, &m), 0);
    free(m.rows.r);
    place_end(&p);
}

TEST(a_flipped_bit_in_a_sealed_pack_is_found_and_other_series_are_read)
{
    flip_in_a_pack("sealed-", true);
}

TEST(a_flipped_bit_in_a_hot_pack_is_found_and_other_series_are_read)
{
    flip_in_a_pack("hot-", false);
}

TEST(a_sealed_file_whose_tree_is_damaged_is_not_walked_any_more)
{
    struct place p;
    struct model m = {0};
    char tenant[160], path[300];
    uint64_t packs;
    place_begin(&p);
    fill(&p, &m);
    assert_int_equal(p.e->ops->seal(p.t, true, NULL, NULL), 0);
    snprintf(tenant, sizeof tenant, "%s/default", p.dir);
    find_file(tenant, "sealed-", path, sizeof path);
    flip(path, 16); /* the first meta page's magic number */
    assert_int_equal(scrub(&p, &packs), 1);
    assert_int_equal(packs, 0);
    assert_int_equal(scrub(&p, &packs), 1); /* it says so again */
    assert_int_equal(unread(&p, &m), N_IDS);
    free(m.rows.r);
    place_end(&p);
}

static bool at_once(void *ctx)
{
    (*(int *)ctx)++;
    return true;
}

TEST(a_scrub_ends_when_it_is_told_to)
{
    struct place p;
    struct model m = {0};
    uint64_t packs = 0, findings = 0;
    int asked = 0;
    place_begin(&p);
    fill(&p, &m);
    assert_int_equal(p.e->ops->scrub(p.t, at_once, &asked, &packs, &findings), PL_ECANCELED);
    assert_int_equal(asked, 1);
    assert_int_equal(findings, 0);
    free(m.rows.r);
    place_end(&p);
}

int main(void)
{
    engine_conformance = &lmdb;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_in_a_sealed_pack_is_found_and_other_series_are_read),
        cmocka_unit_test(a_flipped_bit_in_a_hot_pack_is_found_and_other_series_are_read),
        cmocka_unit_test(a_sealed_file_whose_tree_is_damaged_is_not_walked_any_more),
        cmocka_unit_test(a_scrub_ends_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
