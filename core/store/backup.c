/* Backup and check. A backup is what the engine holds after a flush, so it needs no journal:
 *
 *   dir/tenants/...   the engine's copy; what is there already and equal is kept
 *   dir/rollup/...    the tiers' engines, not ahead of it: both are written by one thread
 *   dir/TENANTS       the numbers, as in the data directory
 *   dir/BACKUP        text for people and tools: the journal number and the time; written last, so
 *                     that a directory without it is not a complete backup
 *
 * It opens as a data directory. */
#include "core/store/tenant.h"
#include <stdlib.h>
#include <unistd.h>

static int replace(const char *dir, const char *name, const struct pl_buf *text)
{
    struct pl_buf path = PL_BUF_INIT;
    pl_buf_f(&path, "%s/%s%c", dir, name, 0);
    int rc =
        path.failed || text->failed ? PL_ENOMEM : pl_file_replace((char *)path.p, text->p, text->n);
    pl_buf_fini(&path);
    return rc;
}

static bool there(const char *dir, const char *name)
{
    struct pl_buf path = PL_BUF_INIT;
    pl_buf_f(&path, "%s/%s%c", dir, name, 0);
    bool is = !path.failed && access((char *)path.p, F_OK) == 0;
    pl_buf_fini(&path);
    return is;
}

int pl__backup(struct pl_store *s, struct pl__job *job)
{
    if (there(job->dir, "LOCK")) {
        return PL_EEXIST; /* a data directory, perhaps our own */
    }
    struct pl_buf sub = PL_BUF_INIT, text = PL_BUF_INIT;
    pl_buf_f(&sub, "%s/tenants%c", job->dir, 0);
    int rc = sub.failed ? PL_ENOMEM : pl_dir_make((char *)sub.p);
    rc = rc < 0 ? rc : s->engine->ops->backup(s->engine, (char *)sub.p, job->progress, job->ctx);
    rc = rc < 0 ? rc : pl__rollup_backup(s, job->dir, job->progress, job->ctx);
    if (rc >= 0) {
        pl__tenants_text(s, &text);
        rc = replace(job->dir, "TENANTS", &text);
    }
    if (rc >= 0) {
        pl_buf_clear(&text);
        pl_buf_f(&text, "perilune backup 1\ntime_ms %lld\njournal_seq %llu\n",
                 (long long)pl_now_ms(s->conf.clock),
                 (unsigned long long)pl_journal_last_seq(s->journal));
        rc = replace(job->dir, "BACKUP", &text);
    }
    pl_buf_fini(&sub);
    pl_buf_fini(&text);
    return rc < 0 ? rc : 0;
}

int pl_store_backup(struct pl_store *s, const char *dir,
                    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    struct pl__job job = {.kind = PL__JOB_BACKUP, .dir = dir, .progress = progress, .ctx = ctx};
    return pl__storage_job(s, &job);
}
