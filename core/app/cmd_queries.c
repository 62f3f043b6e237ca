/* `perilune queries`: what the server is asked just now, and an end to one of them. Thread: main.
 */
#include "core/app/cli.h"
#include "core/codec/codec.h"
#include <stdio.h>

/* What is shown of a query; texts in the arena. */
struct row {
    pl_str id, state, tenant, query, kind;
    double elapsed, samples;
};

static void header(void)
{
    printf("%-8s %-8s %10s %14s  %-12s %s\n", "ID", "STATE", "SECONDS", "SAMPLES", "TENANT",
           "QUERY");
}

static void print_row(const struct row *r)
{
    printf("%-8.*s %-8.*s %10.3f %14.0f  %-12.*s ", PL_PRS(r->id), PL_PRS(r->state), r->elapsed,
           r->samples, PL_PRS(r->tenant));
    for (size_t i = 0; i < r->query.n; i++) { /* on one line */
        putchar(r->query.p[i] == '\n' || r->query.p[i] == '\t' ? ' ' : r->query.p[i]);
    }
    putchar('\n');
}

/* The value of a key of a query's object. */
static void field(struct pl_arena *a, struct row *r, pl_str key, const struct pl_json_r *j,
                  enum pl_json_tok t)
{
    if (t == PL_JSON_NUM && pl_str_eq(key, PL_STR("id"))) {
        r->id = pl_arena_dup(a, j->str);
    } else if (t == PL_JSON_NUM && pl_str_eq(key, PL_STR("elapsedSeconds"))) {
        r->elapsed = j->num;
    } else if (t == PL_JSON_NUM && pl_str_eq(key, PL_STR("samples"))) {
        r->samples = j->num;
    } else if (t == PL_JSON_STR) {
        pl_str *to = pl_str_eq(key, PL_STR("state"))    ? &r->state
                     : pl_str_eq(key, PL_STR("tenant")) ? &r->tenant
                     : pl_str_eq(key, PL_STR("query"))  ? &r->query
                                                        : NULL;
        if (to) {
            *to = pl_arena_dup(a, j->str);
        }
    }
}

/* {"status":..,"data":{"queries":[{..},..]}}: the objects at depth 4. 0, or PL_EPARSE. */
static int print_all(pl_str json)
{
    struct pl_json_r j;
    struct pl_arena a;
    struct row r = {0};
    pl_str key = PL_STR_NULL;
    enum pl_json_tok t;
    pl_arena_init(&a, 0);
    pl_json_r_init(&j, json);
    header();
    while ((t = pl_json_next(&j)) != PL_JSON_END && t != PL_JSON_ERROR) {
        if (t == PL_JSON_OBJ && j.depth == 4) {
            pl_arena_reset(&a);
            r = (struct row){0};
        } else if (t == PL_JSON_KEY) {
            key = pl_arena_dup(&a, j.str);
        } else if (t == PL_JSON_OBJ_END && j.depth == 3) {
            print_row(&r);
        } else if (j.depth == 4) {
            field(&a, &r, key, &j, t);
        }
    }
    pl_json_r_fini(&j);
    pl_arena_fini(&a);
    return t == PL_JSON_END ? 0 : PL_EPARSE;
}

static int run(struct pl_cli *c, const char *kill)
{
    struct pl_client *client;
    struct pl_client_reply r = {0};
    struct pl_buf path = PL_BUF_INIT;
    if (c->n_args) {
        return pl_cli_fail(c, PL_EXIT_USAGE, "unexpected argument \"%s\"", c->args[0]);
    }
    int code = pl_cli_client(c, &client);
    if (code) {
        return code;
    }
    pl_buf_z(&path, "/api/v1/status/queries");
    if (kill) {
        pl_buf_u8(&path, '/');
        pl_url_encode(&path, pl_str_c(kill));
    }
    pl_buf_u8(&path, 0);
    code =
        pl_cli_request(c, client, kill ? "DELETE" : "GET", (char *)path.p, NULL, PL_STR_NULL, &r);
    if (code == 0) {
        if (!kill && print_all(pl_buf_view(&r.body)) < 0) {
            code = pl_cli_fail(c, PL_EXIT_FAILED, "the answer cannot be read");
        }
        pl_client_reply_fini(&r);
    }
    pl_client_free(client);
    pl_buf_fini(&path);
    return code;
}

int pl_cmd_queries(int argc, char **argv)
{
    const char *kill = NULL;
    const struct pl_cli_option options[] = {
        {"kill", "ID", "end this one: its client gets the error `canceled`", &kill},
    };
    struct pl_cli c = {
        .command = "queries",
        .arguments = "[--kill ID]",
        .about = "List the queries that wait or run on the server, newest first, or end one.",
        .options = options,
        .n_options = 1,
        .server = true,
    };
    int code = pl_cli_parse(&c, argc, argv);
    code = code < 0 ? run(&c, kill) : code;
    pl_cli_fini(&c);
    return code;
}
