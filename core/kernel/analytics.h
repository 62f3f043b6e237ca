/* Statistics and time series analysis on arrays: what the extension functions of queries compute.
 * docs/promql.md has the mathematics with their sources. Pure; any thread; where a function needs
 * room, the caller gives it. */
#pragma once
#include "core/base/base.h"

/* --- describe.c: n >= 1; v is reordered where it is not const --- */

/** The most frequent value, the least of several. */
double pl_mode(double *v, size_t n);
/** How many different values; NaNs are one. */
double pl_distinct(double *v, size_t n);
/** exp(mean(ln v)): 0 if there is a zero, NaN if there is a negative number. */
double pl_geomean(const double *v, size_t n);
/** Third quartile less the first. */
double pl_iqr(double *v, size_t n);
/** Median of |v - median(v)|. scratch: n values. */
double pl_mad(const double *v, size_t n, double *scratch);
