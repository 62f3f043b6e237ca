/* What every decoder of compress.h must stand: shared by snappy_test.c, zlib_test.c, zstd_test.c.
 */
#pragma once
#include "core/codec/compress.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

typedef int (*decode_fn)(pl_str, size_t, struct pl_buf *);

/* n bytes, part repetitive, part not. */
static inline void fill(struct pl_buf *b, size_t n)
{
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        pl_buf_u8(b, (uint8_t)(i % 512 < 256 ? 'a' + i % 7 : x >> 24));
    }
}

static inline void check_decodes(decode_fn f, pl_str packed, pl_str want)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_buf_z(&out, "kept");
    assert_int_equal(f(packed, want.n, &out), 0); /* exactly at the limit */
    assert_int_equal(out.n, want.n + 4);
    assert_memory_equal(out.p, "kept", 4);
    assert_true(pl_str_eq(pl_str_mem(out.p + 4, want.n), want));
    if (want.n > 0) {
        assert_int_equal(f(packed, want.n - 1, &out), PL_ELIMIT);
        assert_int_equal(out.n, want.n + 4);
    }
    pl_buf_fini(&out);
}

/* Every prefix is refused, but those of `fine` bytes (whole members). */
static inline void check_prefixes(decode_fn f, pl_str packed, size_t fine)
{
    struct pl_buf out = PL_BUF_INIT;
    for (size_t n = 0; n < packed.n; n++) {
        char *exact = malloc(n + 1);
        memcpy(exact, packed.p, n);
        int rc = f(pl_str_mem(exact, n), 1 << 20, &out);
        assert_int_equal(rc, fine && n == fine ? 0 : PL_ECORRUPT);
        out.n = 0;
        free(exact);
    }
    pl_buf_fini(&out);
}

static inline void check_bit_flips(decode_fn f, pl_str packed)
{
    struct pl_buf out = PL_BUF_INIT;
    char *copy = malloc(packed.n);
    memcpy(copy, packed.p, packed.n);
    for (size_t bit = 0; bit < 8 * packed.n; bit++) {
        copy[bit / 8] ^= (char)(1 << bit % 8);
        int rc = f(pl_str_mem(copy, packed.n), 1 << 16, &out);
        assert_true(rc == 0 || rc == PL_ECORRUPT || rc == PL_ELIMIT);
        assert_true(out.n <= 1 << 16);
        assert_true(rc == 0 || out.n == 0);
        out.n = 0;
        copy[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(copy);
    pl_buf_fini(&out);
}
