/* Advice beside an error's words (hints.c). */
#pragma once
#include "core/query/query.h"

/** Fill err->hint from the words and the place of an error of this query, unless there is one or
 *  nothing helps. */
void pl__hint(pl_str query, struct pl_query_error *err);
