/* Times as text: RFC 3339 or seconds since the epoch, as Prometheus' API takes them. Any thread. */
#pragma once
#include "core/base/base.h"

/** The first and the last time there is, far enough apart from the limits of int64_t that sums and
 *  differences of two times do not overflow. Seconds further than 292 years from the epoch are
 * taken as these. */
#define PL_TIME_MIN (-(INT64_C(1) << 61))
#define PL_TIME_MAX (INT64_C(1) << 61)

/** 1700000000.5, 2023-11-14T22:13:20.5Z, 2023-11-14T23:13:20+01:00, and the two texts that
 *  Prometheus' clients send for its first and last time. Rounded to the millisecond.
 *  @return 0, or PL_EPARSE (out untouched) */
int pl_time_parse(pl_str s, int64_t *out_ms);
/** Append 2023-11-14T22:13:20.500Z; seconds since the epoch where the year has not four digits. */
void pl_time_text(int64_t ms, struct pl_buf *out);
