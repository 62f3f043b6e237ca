/* Durations as in PromQL: 5m, 1h30m, 100ms, 1y. Units ms s m h d w y, each once, large to small;
 * also a plain number of seconds (90, 1.5, 2e3), rounded to the millisecond. No sign. Any thread.
 */
#pragma once
#include "core/base/base.h"

/** @return 0, PL_EPARSE, PL_ELIMIT (over 292 years). out in ms */
int pl_duration_parse(pl_str s, int64_t *out_ms);
/** Append as Prometheus prints it: 5400000 -> 1h30m, 0 -> 0s, a year only where it divides all. */
void pl_duration_text(int64_t ms, struct pl_buf *out);
