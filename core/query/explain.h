/* Inside of explain: the plan of a query, one node for each node of its tree, by number. */
#pragma once
#include "core/query/ext.h"

#define PL__EXPLAIN_NODES 2000
#define PL__NO_NODE       UINT32_MAX

/** What running a node came to, all below it included. Main thread. */
struct pl__actual {
    uint64_t calls, series, samples, chunks;
    int64_t ns;
    size_t rows;
};
struct pl__plan_node {
    struct pl_expr *e;
    struct pl__frame frame;         /* steps it is evaluated at */
    const char *run;                /* constant, scalar, lazy, fused, folded, held */
    bool once;                      /* for one step, and repeated */
    size_t tasks, rows;             /* rows: series it gives */
    bool exact;                     /* rows is known, not guessed */
    const pl_str *labels;           /* of the rows, where they are known */
    double series, samples, chunks; /* of a selector: it reads */
    int64_t t0, t1;
    int64_t tier_ms;  /* the tier it would read; 0: only samples */
    double cost;      /* ns, without what is below it */
    double total;     /* with it */
    uint32_t same_as; /* an equal node before this one */
    struct pl__actual actual;
};
struct pl__explain {
    bool analyze;
    struct pl_buf *out; /* the plan as JSON */
    struct pl__plan_node *node;
    size_t n;
};

size_t pl__children(const struct pl_expr *e);
struct pl_expr *pl__child(const struct pl_expr *e, size_t i);

/** Number the nodes of the tree. Called before anything is evaluated. PL_ELIMIT, PL_ENOMEM. */
int pl__explain_begin(struct pl__explain *x, struct pl__exec *ex, struct pl_expr *root);
/** plan.c: resolve the selectors and fill the nodes. */
int pl__plan(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
             struct pl_expr *root);
/** Plan, and write the JSON. */
int pl__explain_end(struct pl__explain *x, struct pl__exec *ex, const struct pl__frame *f,
                    struct pl_expr *root, const struct pl_query_stats *stats);
