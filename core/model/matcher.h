/* Label matchers, as in `{job="api",path=~"/v1/.*"}`. Immutable after init; any thread. */
#pragma once
#include "core/model/labels.h"
#include "core/model/regex.h"

enum pl_match { PL_MATCH_EQ, PL_MATCH_NE, PL_MATCH_RE, PL_MATCH_NRE };

struct pl_matcher {
    enum pl_match kind;
    pl_str name, value;     /* owned copies */
    struct pl_regex *regex; /* owned; RE and NRE only */
};
/** Copies name and value. 0; PL_EPARSE, PL_ELIMIT with a reason for a bad pattern (why as in
 *  pl_regex_new); PL_ENOMEM. On failure m is untouched. */
int pl_matcher_init(struct pl_matcher *m, enum pl_match kind, pl_str name, pl_str value, char *why,
                    size_t n_why);
void pl_matcher_fini(struct pl_matcher *m);
/** A label that is absent counts as the empty value, as in Prometheus. */
bool pl_matcher_value(const struct pl_matcher *m, pl_str value);
/** All n matchers on one label set; true for none. */
bool pl_matcher_labels(const struct pl_matcher *m, size_t n, pl_str canon);
