/* The scrub of a store in use: all tenants, one after another, on the caller's thread. What the
 * head and the journal hold is not looked at: the journal is checked when it is read. */
#include "core/store/tenant.h"

int pl_store_scrub(struct pl_store *s, bool (*stop)(void *ctx), void *ctx, uint64_t *packs,
                   uint64_t *findings)
{
    unsigned n = atomic_load_explicit(&s->n_tenants, memory_order_acquire);
    int rc = 0;
    *packs = *findings = 0;
    for (unsigned i = 0; i < n && rc >= 0; i++) {
        struct pl_engine_tenant *et = s->tenants[i] ? atomic_load(&s->tenants[i]->et) : NULL;
        uint64_t more_packs = 0, more_findings = 0;
        if (et) {
            rc = s->engine->ops->scrub(et, stop, ctx, &more_packs, &more_findings);
            rc = rc < 0 ? rc
                        : pl__rollup_scrub(s->tenants[i], stop, ctx, &more_packs, &more_findings);
        }
        pl_count(s->n_scrub_packs, more_packs);
        pl_count(s->n_scrub_findings, more_findings);
        *packs += more_packs;
        *findings += more_findings;
    }
    if (rc >= 0) {
        atomic_store(&s->scrubbed_ms, pl_now_ms(s->conf.clock));
    }
    pl_logf(s->conf.log, *findings ? PL_ERROR : PL_INFO, "store",
            rc < 0 ? "scrub ended early" : "scrub", "packs=%llu findings=%llu err=%s",
            (unsigned long long)*packs, (unsigned long long)*findings,
            rc < 0 ? pl_err_name(rc) : "none");
    return rc < 0 ? rc : 0;
}
