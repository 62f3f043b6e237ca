#include "core/codec/ints.h"
#include "tests/unit/codec/columns.h"

enum kind {
    EQUAL,
    RAMP,
    NOISE,
    OUTLIERS,
    RARE,
    EXPONENTIAL,
    STEPS_OF_7,
    JITTER,
    CURVE,
    FULL,
    N_KINDS
};

static void integers(struct rng *r, enum kind kind, int64_t *m, size_t n)
{
    int64_t x = (int64_t)below(r, 1u << 20) - 1000, slope = (int64_t)below(r, 100000);
    unsigned w = 1 + (unsigned)below(r, 40);
    for (size_t i = 0; i < n; i++) {
        int64_t noise = (int64_t)(rnd(r) & pl__mask(w));
        switch (kind) {
        case EQUAL:
            m[i] = x;
            break;
        case RAMP:
            m[i] = x += slope;
            break;
        case NOISE:
            m[i] = x + noise;
            break;
        case OUTLIERS:
            m[i] = below(r, 25) ? x + (noise & 15) : (int64_t)rnd(r);
            break;
        case RARE:
            m[i] = x += below(r, 20) ? 0 : (noise & 3) - 1;
            break;
        case EXPONENTIAL:
            m[i] = x + (int64_t)(rnd(r) >> (64 - below(r, 63) - 1) >> (63 - w));
            break;
        case STEPS_OF_7:
            m[i] = x += 7 * (int64_t)below(r, 50);
            break;
        case JITTER:
            m[i] = (int64_t)i * slope + (noise & 7);
            break;
        case CURVE:
            m[i] = x += slope += 3;
            break;
        default:
            m[i] = (int64_t)rnd(r);
            break;
        }
    }
}

TEST(every_kind_of_run_comes_back_and_costs_what_was_planned)
{
    struct rng r = {41};
    int64_t m[PL_CHUNK_MAX], got[PL_CHUNK_MAX];
    for (int k = 0; k < 6000; k++) {
        size_t n = 1 + below(&r, k & 1 ? 30 : PL_CHUNK_MAX);
        struct pl__ints_plan plan;
        struct pl_buf b = PL_BUF_INIT;
        integers(&r, (enum kind)(k % N_KINDS), m, n);
        pl__ints_plan(m, n, k & 4 ? PL_EFFORT_SMALL : PL_EFFORT_FAST, k & 8, &plan);
        pl__ints_put(m, n, &plan, &b);
        assert_true(b.n <= plan.bytes + 8);
        uint8_t *c = exact_copy(b.p, b.n);
        const uint8_t *end = pl__ints_get(c, c + b.n, n, plan.order, plan.step > 1, got);
        assert_ptr_equal(end, c + b.n);
        assert_memory_equal(got, m, n * sizeof *m);
        free(c);
        pl_buf_fini(&b);
    }
}

TEST(small_never_takes_more_room_than_fast)
{
    struct rng r = {42};
    int64_t m[PL_CHUNK_MAX];
    for (int k = 0; k < 2000; k++) {
        size_t n = 1 + below(&r, PL_CHUNK_MAX);
        struct pl__ints_plan fast, small;
        integers(&r, (enum kind)(k % N_KINDS), m, n);
        pl__ints_plan(m, n, PL_EFFORT_FAST, false, &fast);
        pl__ints_plan(m, n, PL_EFFORT_SMALL, false, &small);
        assert_true(small.bytes <= fast.bytes + fast.bytes / 20 + 4);
    }
}

TEST(rice_coding_survives_every_cut)
{
    struct rng r = {43};
    uint64_t u[100];
    int64_t got[PL_CHUNK_MAX];
    for (unsigned k = 0; k <= 20; k++) {
        struct pl_buf b = PL_BUF_INIT;
        for (int i = 0; i < 100; i++) {
            u[i] = below(&r, 5ULL << k);
        }
        pl__rice_put(u, 100, k, &b);
        assert_int_equal(b.n, pl__rice_bytes(u, 100, k));
        for (size_t n = 0; n <= b.n; n++) {
            uint8_t *c = exact_copy(b.p, n);
            const uint8_t *end = pl__rice_get(c, c + n, 100, k, got);
            assert_true(n < b.n ? end == NULL : end == c + n);
            free(c);
        }
        assert_memory_equal(got, u, sizeof u);
        pl_buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_run_comes_back_and_costs_what_was_planned),
        cmocka_unit_test(small_never_takes_more_room_than_fast),
        cmocka_unit_test(rice_coding_survives_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
