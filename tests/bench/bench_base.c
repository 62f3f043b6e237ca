/* The speed of what touches every byte: CRC32C, XXH3, UTF-8 checking. One line each. */
#include "core/base/base.h"

#define N      (1u << 20)
#define ROUNDS 200

static uint8_t data[N];

/** Many calls over `step` bytes each, walking through data. */
static void report(const char *name, size_t step, uint64_t (*fn)(const uint8_t *p, size_t n))
{
    uint64_t sum = 0;
    int64_t start = pl_mono_ns(&pl_clock_real);
    size_t calls = 0;
    for (int r = 0; r < ROUNDS; r++) {
        for (size_t at = 0; at + step <= N; at += step) {
            sum += fn(data + at, step);
            calls++;
        }
    }
    double ns = (double)(pl_mono_ns(&pl_clock_real) - start);
    printf("%-10s %8zu bytes  %8.1f ns  %6.2f GB/s  (%llx)\n", name, step, ns / (double)calls,
           (double)calls * (double)step / ns, (unsigned long long)sum);
}

static uint64_t crc(const uint8_t *p, size_t n) { return pl_crc32c(0, p, n); }

static uint64_t hash64(const uint8_t *p, size_t n) { return pl_hash64(p, n, 0); }

static uint64_t hash128(const uint8_t *p, size_t n) { return pl_hash128(p, n, 0).lo; }

static uint64_t utf8(const uint8_t *p, size_t n) { return pl_utf8_check(pl_str_mem(p, n)); }

int main(void)
{
    static const size_t sizes[] = {64, 250, 4096, N};
    for (size_t i = 0; i < N; i++) {
        data[i] = (uint8_t)('a' + i * 7 % 26);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        report("crc32c", sizes[i], crc);
        report("xxh3_64", sizes[i], hash64);
        report("xxh3_128", sizes[i], hash128);
        report("utf8", sizes[i], utf8);
    }
    return 0;
}
