/* The check of a data directory, or of a backup, without a server: its journal, its engine
 * and those of tiers, TENANTS. */
#include "core/store/tenant.h"

#define TENANTS_BYTES_MAX (16u << 20)

static int64_t check_tenants(const char *path,
                             void (*report)(void *ctx, const char *file, int64_t offset,
                                            const char *what),
                             void *ctx)
{
    struct pl_buf text = PL_BUF_INIT;
    int rc = pl_file_read(path, TENANTS_BYTES_MAX, &text);
    int64_t found = 0;
    if (rc == PL_ENOTFOUND || rc == PL_ELIMIT ||
        (rc >= 0 && pl__tenants_check(pl_buf_view(&text)) < 0)) {
        report(ctx, path, -1, rc == PL_ENOTFOUND ? "missing" : "checksum or form is wrong");
        found = 1;
        rc = 0;
    }
    pl_buf_fini(&text);
    return rc < 0 ? rc : found;
}

int64_t pl_store_check(const char *dir,
                       void (*report)(void *ctx, const char *file, int64_t offset,
                                      const char *what),
                       void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    struct pl_buf path = PL_BUF_INIT;
    pl_buf_f(&path, "%s/TENANTS%c", dir, 0);
    int64_t total = path.failed ? PL_ENOMEM : check_tenants((char *)path.p, report, ctx);
    if (total >= 0) {
        pl_buf_clear(&path);
        pl_buf_f(&path, "%s/journal%c", dir, 0);
        int64_t n = path.failed ? PL_ENOMEM : pl_journal_check((char *)path.p, report, ctx);
        total = n >= 0 ? total + n : n == PL_ENOTFOUND ? total : n; /* a backup has none */
    }
    if (total >= 0) {
        pl_buf_clear(&path);
        pl_buf_f(&path, "%s/tenants%c", dir, 0);
        int64_t n = path.failed ? PL_ENOMEM : pl_lmdb_check((char *)path.p, report, progress, ctx);
        total = n < 0 ? n : total + n;
    }
    if (total >= 0) {
        int64_t n = pl__rollup_check(dir, report, progress, ctx);
        total = n < 0 ? n : total + n;
    }
    pl_buf_fini(&path);
    return total;
}
