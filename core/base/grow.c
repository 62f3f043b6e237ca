#include "core/base/grow.h"
#include "perilune/err.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 16 /* elements */

int pl_grow(void *array, size_t n, size_t *cap, size_t size)
{
    void *p;
    size_t more = *cap ? *cap : FIRST / 2, bytes;
    if (n < *cap) {
        return 0;
    }
    if (__builtin_mul_overflow(more, 2, &more) || __builtin_mul_overflow(more, size, &bytes)) {
        return PL_ENOMEM;
    }
    memcpy(&p, array, sizeof p); /* it is no void * but a pointer to something */
    p = realloc(p, bytes);
    if (!p) {
        return PL_ENOMEM;
    }
    memcpy(array, &p, sizeof p);
    *cap = more;
    return 0;
}
