/* The scrub of a store that is in use: tenants, numbers, metrics. */
#include "tests/unit/store/store_fixture.h"
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

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

static off_t size_of(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t n = lseek(fd, 0, SEEK_END);
    close(fd);
    return n;
}

static double metric(struct pl_metrics *m, const char *name)
{
    struct pl_buf text = PL_BUF_INIT;
    char line[100];
    snprintf(line, sizeof line, "\n%s ", name);
    pl_metrics_render(m, &text);
    pl_buf_u8(&text, 0);
    const char *at = strstr((const char *)text.p, line);
    assert_non_null(at);
    double v = (double)strtoll(at + strlen(line), NULL, 10);
    pl_buf_fini(&text);
    return v;
}

TEST(the_scrub_of_a_store_counts_what_it_read_and_found)
{
    struct fixture f;
    char tenant[100], path[300];
    uint64_t packs, findings;
    fixture_begin(&f);
    f.conf.engine = NULL;
    f.conf.metrics = pl_metrics_new();
    fixture_open(&f);
    for (uint32_t i = 0; i < 20; i++) {
        put(&f, i, NOW_MS, i);
    }
    assert_int_equal(pl_store_compact(f.s), 0);
    assert_int_equal(pl_store_scrub(f.s, NULL, NULL, &packs, &findings), 0);
    assert_true(packs > 0);
    assert_int_equal(findings, 0);
    snprintf(tenant, sizeof tenant, "%s/tenants/default", f.dir);
    find_file(tenant, "sealed-", path, sizeof path);
    assert_int_equal(truncate(path, size_of(path) - 4096), 0);
    uint64_t before = packs;
    assert_int_equal(pl_store_scrub(f.s, NULL, NULL, &packs, &findings), 0);
    assert_int_equal(findings, 1);
    assert_int_equal(metric(f.conf.metrics, "perilune_store_scrub_findings_total"), 1);
    assert_int_equal(metric(f.conf.metrics, "perilune_store_scrub_packs_total"), before + packs);
    assert_int_equal(metric(f.conf.metrics, "perilune_store_scrub_last_seconds"), NOW_MS / 1000);
    fixture_end(&f);
    pl_metrics_free(f.conf.metrics);
}

static bool at_once(void *ctx)
{
    (void)ctx;
    return true;
}

TEST(a_scrub_that_was_stopped_does_not_count_as_one)
{
    struct fixture f;
    uint64_t packs = 9, findings = 9;
    fixture_begin(&f);
    f.conf.metrics = pl_metrics_new();
    fixture_open(&f);
    put(&f, 1, NOW_MS, 1);
    assert_int_equal(pl_store_flush(f.s), 0);
    assert_int_equal(pl_store_scrub(f.s, at_once, NULL, &packs, &findings), PL_ECANCELED);
    assert_int_equal(packs, 0);
    assert_int_equal(metric(f.conf.metrics, "perilune_store_scrub_last_seconds"), 0);
    assert_int_equal(pl_store_scrub(f.s, NULL, NULL, &packs, &findings), 0);
    assert_int_equal(packs, 1);
    assert_int_equal(findings, 0);
    fixture_end(&f);
    pl_metrics_free(f.conf.metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scrub_of_a_store_counts_what_it_read_and_found),
        cmocka_unit_test(a_scrub_that_was_stopped_does_not_count_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
