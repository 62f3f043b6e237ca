/* The plan of a query, read from the JSON of /api/v1/explain, as text. Internal to app. Thread:
 * main. */
#pragma once
#include "core/base/base.h"

/** A line for each node, indented as the tree is. PL_EPARSE: it is not such a plan, or nested too
 *  deep. */
int pl_plan_text(pl_str json, struct pl_buf *out);
