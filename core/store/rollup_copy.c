/* Tiers in backups, checks, scrubs and statistics: each as the engine of the samples, in
 * rollup/<name>. */
#include "core/store/rollup.h"
#include "core/store/tenant.h"
#include <dirent.h>
#include <errno.h>

struct part {
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    uint64_t at, total;
};

/** Each engine tells of its own bytes: go on where the one before ended. */
static void advance(void *ctx, uint64_t done, uint64_t total)
{
    struct part *p = ctx;
    p->total = p->at + total;
    p->progress(p->ctx, p->at + done, p->total);
}

int pl__rollup_backup(struct pl_store *s, const char *dir,
                      void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    struct part part = {.progress = progress, .ctx = ctx};
    int result = 0;
    for (size_t i = 0; i < s->rollup.n; i++) {
        const struct pl__tier *x = &s->rollup.tiers[i];
        struct pl_buf path = PL_BUF_INIT;
        pl_buf_f(&path, "%s/rollup/%s%c", dir, x->name, 0);
        int rc = path.failed ? PL_ENOMEM : pl_dir_make((char *)path.p);
        rc = rc < 0 ? rc
                    : x->engine->ops->backup(x->engine, (char *)path.p, progress ? advance : NULL,
                                             &part);
        pl_buf_fini(&path);
        part.at = part.total;
        if (rc < 0 && rc != PL_ECORRUPT) {
            return rc;
        }
        result = rc < 0 ? rc : result;
    }
    return result;
}

int64_t pl__rollup_check(const char *dir,
                         void (*report)(void *ctx, const char *file, int64_t offset,
                                        const char *what),
                         void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    struct pl_buf path = PL_BUF_INIT;
    int64_t total = 0;
    struct dirent *e;
    pl_buf_f(&path, "%s/rollup%c", dir, 0);
    DIR *d = path.failed ? NULL : opendir((char *)path.p);
    if (!d) {
        int rc = path.failed ? PL_ENOMEM : errno == ENOENT ? 0 : pl_errno(errno);
        pl_buf_fini(&path);
        return rc;
    }
    while (total >= 0 && (e = readdir(d))) {
        if (e->d_name[0] == '.') {
            continue;
        }
        pl_buf_clear(&path);
        pl_buf_f(&path, "%s/rollup/%s%c", dir, e->d_name, 0);
        int64_t n = path.failed ? PL_ENOMEM : pl_lmdb_check((char *)path.p, report, progress, ctx);
        total = n < 0 ? n : total + n;
    }
    closedir(d);
    pl_buf_fini(&path);
    return total;
}

int pl__rollup_scrub(struct pl_tenant *t, bool (*stop)(void *ctx), void *ctx, uint64_t *packs,
                     uint64_t *findings)
{
    int rc = 0;
    for (size_t i = 0; i < t->s->rollup.n && rc >= 0; i++) {
        struct pl_engine_tenant *et;
        struct pl__tier_state st;
        if (pl__tier_open(t, i, &et, &st) >= 0) {
            rc = t->s->rollup.tiers[i].engine->ops->scrub(et, stop, ctx, packs, findings);
        }
    }
    return rc;
}

int pl__rollup_stats(struct pl_tenant *t, uint64_t *disk_bytes)
{
    int rc = 0;
    for (size_t i = 0; i < t->s->rollup.n && rc >= 0; i++) {
        struct pl_engine_tenant *et;
        struct pl__tier_state st;
        struct pl_engine_stats e = {0};
        if (pl__tier_open(t, i, &et, &st) >= 0) {
            rc = t->s->rollup.tiers[i].engine->ops->stats(et, &e);
            *disk_bytes += e.disk_bytes;
        }
    }
    return rc;
}
