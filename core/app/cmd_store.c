/* `perilune backup`, `restore`, `check-store`. Backup asks a running server; the others work on
 * directories. Thread: main; backup watches the progress from a second connection. */
#include "core/app/cli.h"
#include "core/codec/codec.h"
#include "core/store/store.h"
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct backup {
    struct pl_task task;
    struct pl_cli *cli;
    struct pl_client *client;
    struct pl_buf path;
    int code;
    uint64_t bytes; /* written, once done */
    _Atomic bool done;
};

/* The number behind a name, in our metrics or JSON; 0 when it is not there. */
static uint64_t metric(pl_str text, const char *name)
{
    const char *at = text.n ? memmem(text.p, text.n, name, strlen(name)) : NULL;
    double x = 0;
    size_t used;
    if (at) {
        at += strlen(name);
        pl_number_scan(pl_str_mem(at, (size_t)(text.p + text.n - at)), &x, &used);
    }
    return (uint64_t)x;
}

static void ask(struct pl_task *task)
{
    struct backup *b = (struct backup *)task;
    struct pl_client_reply r = {0};
    b->code = pl_cli_request(b->cli, b->client, "POST", (char *)b->path.p, NULL, PL_STR_NULL, &r);
    if (b->code == 0) {
        b->bytes = metric(pl_buf_view(&r.body), "\"bytes\":");
        pl_client_reply_fini(&r);
    }
    b->done = true;
}

static void watch(struct backup *b, struct pl_progress *p)
{
    struct pl_client *second;
    char why[200];
    if (pl_cli_client(b->cli, &second) != 0) {
        return;
    }
    while (!b->done) {
        struct pl_client_reply r = {0};
        usleep(100000);
        if (pl_client_do(second, "GET", "/metrics", NULL, NULL, PL_STR_NULL, &r, why,
                         sizeof(why)) == 0) {
            pl_str text = pl_buf_view(&r.body);
            pl_progress_at(p, metric(text, "\nperilune_backup_done_bytes "),
                           metric(text, "\nperilune_backup_size_bytes "), "bytes");
            pl_client_reply_fini(&r);
        }
    }
    pl_client_free(second);
}

static int run_backup(struct pl_cli *c)
{
    char dir[PATH_MAX];
    struct backup b = {.cli = c, .task.run = ask};
    struct pl_progress progress;
    struct pl_pool *pool;
    if (c->n_args != 1) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "give the directory of the backup");
    }
    if (c->args[0][0] == '/') {
        snprintf(dir, sizeof(dir), "%s", c->args[0]);
    } else if (getcwd(dir, sizeof(dir))) {
        size_t n = strlen(dir);
        snprintf(dir + n, sizeof(dir) - n, "/%s", c->args[0]);
    } else {
        return pl_cli_fail(c, PL_EXIT_FAILED, "the working directory cannot be named");
    }
    int code = pl_cli_client(c, &b.client);
    if (code || pl_pool_new(1, "backup", &pool) < 0) {
        return code ? code : PL_EXIT_FAILED;
    }
    pl_buf_z(&b.path, "/api/v1/admin/backup");
    pl_cli_param(&b.path, "dir", pl_str_c(dir));
    pl_buf_u8(&b.path, 0);
    pl_progress_begin(&progress, "backup");
    pl_pool_submit(pool, &b.task);
    watch(&b, &progress);
    pl_pool_free(pool);
    if (b.code == 0) {
        pl_progress_end(&progress, b.bytes, "bytes");
    }
    pl_buf_fini(&b.path);
    pl_client_free(b.client);
    return b.code;
}

int pl_cmd_backup(int argc, char **argv)
{
    struct pl_cli c = {
        .command = "backup",
        .arguments = "DIR",
        .about =
            "Copy a consistent state of the running server into DIR, a directory on the\n"
            "server's machine. Into an earlier backup only what is new is copied. The result\n"
            "is a data directory: `perilune restore DIR DATA`, or `perilune serve --data DIR`.",
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    code = code < 0 ? run_backup(&c) : code;
    pl_cli_fini(&c);
    return code;
}

struct told {
    struct pl_progress progress;
    uint64_t done;
};

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct told *t = ctx;
    t->done = done;
    pl_progress_at(&t->progress, done, total, "bytes");
}

static void on_damage(void *ctx, const char *file, int64_t offset, const char *what)
{
    (void)ctx;
    if (offset >= 0) {
        printf("%s: offset %lld: %s\n", file, (long long)offset, what);
    } else {
        printf("%s: %s\n", file, what);
    }
}

static int check(const struct pl_cli *c, const char *dir)
{
    struct told t = {0};
    if (access(dir, R_OK | X_OK) != 0) {
        return pl_cli_fail(c, PL_EXIT_FAILED, "%s cannot be read", dir);
    }
    pl_progress_begin(&t.progress, "check");
    int64_t found = pl_store_check(dir, on_damage, on_progress, &t);
    pl_progress_end(&t.progress, t.done, "bytes");
    if (found < 0) {
        return pl_cli_fail(c, PL_EXIT_FAILED, "%s: %s", dir, pl_err_text((int)found));
    }
    if (found) {
        printf("%s: %lld findings\n", dir, (long long)found);
    } else {
        printf("%s: no damage found\n", dir);
    }
    return found ? PL_EXIT_DAMAGE : PL_EXIT_OK;
}

int pl_cmd_check_store(int argc, char **argv)
{
    struct pl_cli c = {
        .command = "check-store",
        .arguments = "DIR",
        .about = "Check every checksum and count of a data directory or a backup. The server must\n"
                 "not be running on it. Exit code 4 when something is damaged.",
    };
    int code = pl_cli_parse(&c, argc, argv);
    if (code < 0) {
        code = c.n_args == 1 ? check(&c, c.args[0])
                             : pl_cli_fail(&c, PL_EXIT_USAGE, "give the directory");
    }
    pl_cli_fini(&c);
    return code;
}

static int run_restore(struct pl_cli *c, bool force)
{
    struct told t = {0};
    char why[512] = "";
    if (c->n_args != 2) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "give the backup and the data directory to make");
    }
    if (!force) {
        int code = check(c, c->args[0]);
        if (code == PL_EXIT_DAMAGE) {
            return pl_cli_fail(c, code, "the backup is damaged: --force restores what can be read");
        }
        if (code) {
            return code;
        }
    }
    pl_progress_begin(&t.progress, "restore");
    int e = pl_store_restore(c->args[0], c->args[1], on_progress, &t, why, sizeof(why));
    if (e < 0) {
        return pl_cli_fail(c, PL_EXIT_FAILED, "%s", why[0] ? why : pl_err_text(e));
    }
    pl_progress_end(&t.progress, t.done, "bytes");
    return PL_EXIT_OK;
}

int pl_cmd_restore(int argc, char **argv)
{
    const char *force = NULL;
    const struct pl_cli_option options[] = {
        {"force", NULL, "also from a backup in which damage is found", &force}};
    struct pl_cli c = {
        .command = "restore",
        .arguments = "[--force] BACKUP DATA",
        .about = "Check a backup and copy it into DATA, which must be empty or absent.",
        .options = options,
        .n_options = 1,
    };
    int code = pl_cli_parse(&c, argc, argv);
    code = code < 0 ? run_restore(&c, force != NULL) : code;
    pl_cli_fini(&c);
    return code;
}
