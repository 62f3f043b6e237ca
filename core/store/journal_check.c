/* The journal checked without a server: every frame's CRCs and the sequence. Any thread; a journal
 * that is being written at the time shows a torn tail. */
#include "core/store/journal_file.h"
#include <stdlib.h>

static int nothing(void *ctx, const struct pl__frame_head *h, const uint8_t *payload,
                   struct pl__journal_data *data)
{
    (void)ctx, (void)h, (void)payload, (void)data;
    return 0;
}

int64_t pl_journal_check(const char *dir,
                         void (*report)(void *ctx, const char *file, int64_t offset,
                                        const char *what),
                         void *ctx)
{
    struct pl__journal_walk w = {.dir = dir, .each = nothing, .report = report, .report_ctx = ctx};
    int rc = pl__journal_walk(&w);
    free(w.files);
    return rc < 0 ? rc : (int64_t)w.findings;
}
