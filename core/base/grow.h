/* Arrays on the heap that grow as they are filled. Any thread. */
#pragma once
#include <stddef.h>

/** Room for one more behind n elements of `size` bytes; the room doubles.
 *
 *     if (pl_grow(&x->ids, x->n, &x->cap, sizeof *x->ids) < 0) ...
 *     x->ids[x->n++] = id;
 *
 *  @param array  address of the pointer to the malloc'ed array, NULL with *cap 0 at first
 *  @return 0; PL_ENOMEM: all is as before */
int pl_grow(void *array, size_t n, size_t *cap, size_t size);
