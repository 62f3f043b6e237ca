/* Metric types as text, as in `# TYPE` lines and in Prometheus' API. */
#include "core/model/metadata.h"

static const char *const texts[] = {
#define PL_TYPE_TEXT(name, text) text,
    PL_METRIC_TYPES(PL_TYPE_TEXT)
#undef PL_TYPE_TEXT
};

const char *pl_metric_type_text(enum pl_metric_type t)
{
    size_t i = (size_t)t;
    return i < sizeof texts / sizeof texts[0] ? texts[i] : texts[PL_TYPE_UNKNOWN];
}

enum pl_metric_type pl_metric_type_parse(pl_str s)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (pl_str_eq(s, pl_str_c(texts[i]))) {
            return (enum pl_metric_type)i;
        }
    }
    return PL_TYPE_UNKNOWN;
}
