/* Settings of rollup tiers: `5m:180d,1h:2y` (resolution:how long), and in files other tiers for
 * some series:
 *
 *     rollup_overrides:
 *       - match: '{job="node"}'
 *         tiers: '1h:30d'
 *
 * Thread: main. */
#include "core/app/config.h"
#include "core/model/model.h"
#include "core/query/query.h"
#include <stdlib.h>

#define OVERRIDES_MAX 200

int pl_tiers_parse(pl_str text, struct pl_tier *out, size_t *n)
{
    size_t k = 0;
    while (text.n) {
        pl_str retention = pl_str_cut(&text, ','), resolution = pl_str_cut(&retention, ':');
        struct pl_tier x;
        if (k == PL_CONFIG_TIERS || !retention.p ||
            pl_duration_parse(resolution, &x.resolution_ms) < 0 ||
            pl_duration_parse(retention, &x.retention_ms) < 0 ||
            x.resolution_ms < PL_TIER_RESOLUTION_MIN || x.resolution_ms > PL_TIER_RESOLUTION_MAX ||
            (x.retention_ms && x.retention_ms < x.resolution_ms)) {
            return PL_EPARSE;
        }
        out[k++] = x;
        if (text.p && text.n == 0) {
            return PL_EPARSE; /* a comma at the end */
        }
    }
    *n = k;
    return 0;
}

/** A selector for as long as the store lives. */
static int selector(const char *match, struct pl_selector *out, char *why, size_t n_why)
{
    struct pl_arena a;
    struct pl_query_error err = {0};
    pl_arena_init(&a, 0);
    int e = pl_query_selector(&a, pl_str_c(match), out, &err);
    pl_arena_fini(&a);
    if (e < 0) {
        snprintf(why, n_why, "match: \"%s\": %s", match, err.text);
    }
    return e;
}

int pl_config_override(struct pl_config *c, const char *match, const char *tiers, char *why,
                       size_t n_why)
{
    struct pl_config_override x = {0};
    if (c->n_rollup_overrides == OVERRIDES_MAX) {
        snprintf(why, n_why, "more than %d rollup_overrides", OVERRIDES_MAX);
        return PL_ELIMIT;
    }
    if (pl_tiers_parse(pl_str_c(tiers), x.tiers, &x.n_tiers) < 0) {
        snprintf(why, n_why, "tiers: \"%s\" is not %s", tiers, PL_CONFIG_TIERS_WANTED);
        return PL_EPARSE;
    }
    int e = selector(match, &x.sel, why, n_why);
    if (e < 0) {
        return e;
    }
    void *more = realloc(c->rollup_overrides, (c->n_rollup_overrides + 1) * sizeof x);
    if (!more) {
        pl_query_selector_fini(&x.sel);
        return PL_ENOMEM;
    }
    c->rollup_overrides = more;
    c->rollup_overrides[c->n_rollup_overrides++] = x;
    return 0;
}

void pl_config_overrides_fini(struct pl_config *c)
{
    for (size_t i = 0; i < c->n_rollup_overrides; i++) {
        pl_query_selector_fini(&c->rollup_overrides[i].sel);
    }
    free(c->rollup_overrides);
    free(c->store_overrides);
    c->rollup_overrides = NULL;
    c->store_overrides = NULL;
    c->n_rollup_overrides = 0;
}

int pl_config_tiers(struct pl_config *c, struct pl_store_conf *conf)
{
    int e = pl_tiers_parse(pl_str_c(c->rollup), c->rollup_tiers, &conf->n_tiers);
    struct pl_tier_override *o = calloc(c->n_rollup_overrides + 1, sizeof *o);
    if (e < 0 || !o) {
        free(o);
        return e < 0 ? e : PL_ENOMEM;
    }
    for (size_t i = 0; i < c->n_rollup_overrides; i++) {
        const struct pl_config_override *x = &c->rollup_overrides[i];
        o[i] = (struct pl_tier_override){x->sel, x->tiers, x->n_tiers};
    }
    free(c->store_overrides);
    c->store_overrides = o;
    conf->tiers = c->rollup_tiers;
    conf->tier_overrides = o;
    conf->n_tier_overrides = c->n_rollup_overrides;
    return 0;
}
