/* Numbers as text, locale-free and round-tripping. Any thread. */
#pragma once
#include "core/base/base.h"

/** Parse a float as Go's strconv.ParseFloat does for decimal text, also Inf, +Inf, -inf, Infinity,
 *  NaN (no sign), hexadecimal floats and integers; no underscores. The nearest double, ties to
 * even; too small is 0. The whole of s, else PL_EPARSE; PL_ELIMIT beyond the largest double. */
int pl_number_parse(pl_str s, double *out);
/** Like it, but stops at the first byte that does not belong; *used bytes were read. */
int pl_number_scan(pl_str s, double *out, size_t *used);
#define PL_NUMBER_MAX 32
/** Shortest text that parses back to v, laid out as Prometheus' JSON does: 0.1, 100000, 1e+21,
 *  1e-07, +Inf, -Inf, NaN. Writes at most PL_NUMBER_MAX; returns the length. */
size_t pl_number_text(double v, char *out);
/** 1435781451.781 from 1435781451781, 3 from 3000. At most PL_NUMBER_MAX; returns the length. */
size_t pl_number_time_ms(int64_t ms, char *out);
