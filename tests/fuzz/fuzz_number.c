/* Numbers: every text reads as strtod reads it; every double, made of the first 8 bytes, is written
 * in a text that reads back. */
#include "core/codec/number.h"
#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_strtod(pl_str s)
{
    double v;
    size_t used;
    int rc = pl_number_scan(s, &v, &used);
    if (rc == PL_EPARSE) {
        return;
    }
    char *z = calloc(1, s.n + 1);
    memcpy(z, s.p, s.n);
    if (rc == 0) {
        z[used] = 0; /* strtod takes more, as nan(...) */
    }
    char *end;
    double want = strtod(z, &end);
    if (rc == 0 && (used > s.n || end != z + used ||
                    (pl_f64_bits(v) != pl_f64_bits(want) && !(isnan(v) && isnan(want))))) {
        abort();
    }
    if (rc == PL_ELIMIT && !isinf(want)) {
        abort();
    }
    free(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_strtod(pl_str_mem(data, size));
    if (size >= 8) {
        char text[PL_NUMBER_MAX];
        double v = pl_rdf64(data), again;
        size_t n = pl_number_text(v, text);
        if (n > PL_NUMBER_MAX || pl_number_parse(pl_str_mem(text, n), &again) < 0 ||
            (pl_f64_bits(again) != pl_f64_bits(v) && !isnan(v))) {
            abort();
        }
        n = pl_number_time_ms((int64_t)pl_rd64(data), text);
        if (n > PL_NUMBER_MAX || pl_number_parse(pl_str_mem(text, n), &again) < 0) {
            abort();
        }
    }
    return 0;
}
