/* Tests of core/ingest/ingest.c. */
#include "tests/unit/ingest/fake_store.h"
#include "core/ingest/scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_report_counts_all_and_lists_the_first(void **state)
{
    struct pl_ingest_report r = {.unit = "row"};
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        pl_report_reject(&r, i, PL_REJECT_VALUE, 2, i ? "number %d" : NULL, (int)i);
    }
    assert_int_equal(r.rejected, 200);
    assert_int_equal(r.by_why[PL_REJECT_VALUE], 200);
    assert_int_equal(r.n_first, PL_REJECTS_SHOWN);
    assert_string_equal(r.first[0].text, "");
    assert_string_equal(r.first[7].text, "number 7");
    assert_int_equal(r.first[7].at, 7);
}

static void every_reason_has_a_label_and_words(void **state)
{
    (void)state;
    for (int i = 0; i < PL_REJECT_N; i++) {
        assert_true(strlen(pl_reject_label((enum pl_reject_why)i)) > 2);
        assert_true(strlen(pl_reject_text((enum pl_reject_why)i)) > 5);
    }
}

static void errors_of_an_item_are_rejects_and_those_of_a_request_are_not(void **state)
{
    enum pl_reject_why why;
    (void)state;
    assert_true(pl_reject_of(PL_ETOOOLD, &why) && why == PL_REJECT_TOO_OLD);
    assert_true(pl_reject_of(PL_EFUTURE, &why) && why == PL_REJECT_FUTURE);
    assert_true(pl_reject_of(PL_EINVAL, &why) && why == PL_REJECT_LABELS);
    assert_true(pl_reject_of(PL_EEXIST, &why) && why == PL_REJECT_SERIES_LIMIT);
    assert_false(pl_reject_of(PL_ENOMEM, &why));
    assert_false(pl_reject_of(PL_EBUSY, &why));
    assert_false(pl_reject_of(PL_ELIMIT, &why));
}

static void interning_says_what_is_wrong_with_labels(void **state)
{
    struct fake *f = fake_new();
    const char *why;
    uint32_t id;
    (void)state;
    f->tenant.max = 1;
    assert_int_equal(pl__intern(f->g, f->b, 0, &id, &why), PL_EINVAL);
    assert_non_null(strstr(why, "at least one"));
    f->g->labels[0] = (struct pl_label){PL_STR("a"), PL_STR("b")};
    assert_int_equal(pl__intern(f->g, f->b, 1, &id, &why), 1);
    assert_int_equal(id, 0);
    assert_int_equal(pl__intern(f->g, f->b, 1, &id, &why), 0);
    f->g->labels[0] = f->g->labels[1] = (struct pl_label){PL_STR("a"), PL_STR("b")};
    assert_int_equal(pl__intern(f->g, f->b, 2, &id, &why), PL_EINVAL);
    assert_non_null(strstr(why, "twice"));
    f->g->labels[0] = (struct pl_label){PL_STR("c"), PL_STR("d")};
    assert_int_equal(pl__intern(f->g, f->b, 1, &id, &why), PL_EEXIST);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_counts_all_and_lists_the_first),
        cmocka_unit_test(every_reason_has_a_label_and_words),
        cmocka_unit_test(errors_of_an_item_are_rejects_and_those_of_a_request_are_not),
        cmocka_unit_test(interning_says_what_is_wrong_with_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
