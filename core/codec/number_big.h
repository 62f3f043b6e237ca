/* Inside of codec: whether decimal digits stand above or below the middle of two doubles, exactly.
 */
#pragma once
#include "core/base/base.h"

/** The double nearest to the decimal digits in `text` (a '.' among them is skipped) times 10^q,
 *  where q counts from behind the last digit; ties to even.
 *  @param near  bits of a finite double not far from it; cost grows with the distance
 *  @return bits, those of +Inf when it rounds beyond the finite ones */
uint64_t pl__number_nearest(pl_str text, int64_t q, uint64_t near);
