/* Numbers as text, locale-free and round-tripping. */
#pragma once
#include "core/base/base.h"

/** Parse a float as Go's strconv.ParseFloat does for decimal text (also Inf, +Inf, -inf, NaN, nan,
 *  hexadecimal floats and integers): the nearest double, ties to even. The whole of s, else
 *  PL_EPARSE. Fast path for up to 19 digits (Clinger / Eisel-Lemire), big-number fall-back. */
int pl_number_parse(pl_str s, double *out);
/** Like it, but stops at the first byte that does not belong; *used bytes were read. */
int pl_number_scan(pl_str s, double *out, size_t *used);
#define PL_NUMBER_MAX 32
/** Shortest text that parses back to v; as Go's FormatFloat(v, 'f' or 'e', -1) in the JSON of
 *  Prometheus: 0.1, 1e+21, +Inf, -Inf, NaN. Writes at most PL_NUMBER_MAX; returns the length. */
size_t pl_number_text(double v, char *out);
/** 1435781451.781 from 1435781451781. At most PL_NUMBER_MAX. */
size_t pl_number_time_ms(int64_t ms, char *out);
