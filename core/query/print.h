/* Pieces of a query's text that more than one printer needs: print.c (one line) has them, pretty.c
 * (several) and ast_json.c use them. */
#pragma once
#include "core/query/ast.h"

/** Without exponent, as Go's FormatFloat(v, 'f', -1, 64); 1e300 has 301 digits. */
void pl__plain_number(struct pl_buf *b, double v);
/** As Go's %g: the shortest digits that read the same again, 1e+06 and 1e-05 with exponents. */
void pl__go_number(struct pl_buf *b, double v);
/** `[5m:1m] @ 10.000 offset 1h` of a subquery. */
void pl__subquery_suffix(const struct pl_expr *e, struct pl_buf *b);
/** `== bool on (a) group_left (b)` of a binary operator. */
void pl__binary_op(const struct pl_expr *e, struct pl_buf *b);
/** `sum by (a) ` of an aggregation. */
void pl__aggregate_op(const struct pl_expr *e, struct pl_buf *b);
