/* Labels. The canonical form of a label set, hashed for identity and kept in definitions:
 *
 *     ( varint n_name | name | varint n_value | value ) *      sorted by name (bytes), names
 * unique, no empty value
 *
 * The metric name is the label __name__. Names and values are any non-empty valid UTF-8
 * (Prometheus 3); decoders of formats with a narrower charset check it themselves. */
#pragma once
#include "core/base/base.h"

#define PL_LABELS_MAX       128   /* labels of a series */
#define PL_LABEL_NAME_MAX   1024  /* bytes */
#define PL_LABEL_VALUE_MAX  16384 /* bytes */
#define PL_LABELS_BYTES_MAX 65536 /* canonical bytes of a series */
#define PL_METRIC_NAME      PL_STR("__name__")

struct pl_label {
    pl_str name, value;
};

/** Sort l in place by name, drop labels with an empty value, check, append the canonical form.
 *  @param l    n labels in any order; order is changed
 *  @param out  appended to; unchanged on failure
 *  @param why  a static sentence naming what is wrong ("label name twice", "label value is not
 *              UTF-8"), or NULL
 *  @return canonical bytes appended (0: no labels), PL_EINVAL, PL_ELIMIT, PL_ENOMEM
 *  Already sorted input (the usual case) costs one pass. */
int pl_labels_canon(struct pl_label *l, size_t n, struct pl_buf *out, const char **why);

/** Check bytes that claim to be canonical (from disk or a peer). PL_ECORRUPT. */
int pl_labels_check(pl_str canon);

/** Identity of a series inside its tenant, engine-neutral: XXH3-128 of the canonical bytes. */
static inline struct pl_hash128 pl_labels_hash(pl_str canon)
{
    return pl_hash128(canon.p, canon.n, 0);
}

/** Walk canonical bytes: `pl_str it = canon; struct pl_label l; while (pl_labels_next(&it, &l))`.
 *  Canonical bytes are trusted here; names and values are borrowed from them. */
bool pl_labels_next(pl_str *it, struct pl_label *out);
/** Value of a label, or an empty string (p = NULL) if absent. */
pl_str pl_labels_get(pl_str canon, pl_str name);
size_t pl_labels_count(pl_str canon);
/** Prometheus' order of label sets: label by label, the shorter one first. < 0, 0, > 0. */
int pl_labels_cmp(pl_str a, pl_str b);
/** Classic names: [a-zA-Z_:][a-zA-Z0-9_:]* and the same without colon. */
bool pl_metric_name_classic(pl_str s);
bool pl_label_name_classic(pl_str s);
/** Append `name{a="b",c="d"}` as Prometheus prints it (quoted UTF-8 names where needed). */
void pl_labels_text(pl_str canon, struct pl_buf *out);
