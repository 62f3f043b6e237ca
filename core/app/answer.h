/* The answer to a query, read from Prometheus' JSON, for printing. Internal to app. Thread: main.
 */
#pragma once
#include "core/base/base.h"

struct pl_answer_series {
    pl_str labels; /* as text: name{a="b"} */
    double *t, *v; /* seconds; n of them */
    size_t n, cap;
};
struct pl_answer {
    struct pl_arena arena;
    struct pl_answer_series *series;
    size_t n, cap;
    bool range;          /* a matrix */
    struct pl_buf notes; /* "warning: ...\n", "info: ...\n" */
};
/** PL_EPARSE when it is not such an answer. */
int pl_answer_parse(pl_str json, struct pl_answer *out);
void pl_answer_fini(struct pl_answer *a);
/** Lines of the terminal: one plot of all series, `width` columns wide, with scale and legend.
 *  @param colour  series in six colours; without, they are only told apart by their shape */
void pl_answer_plot(const struct pl_answer *a, int width, int height, bool colour,
                    struct pl_buf *out);
