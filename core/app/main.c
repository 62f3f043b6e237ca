/* perilune COMMAND [ARGUMENT...]. */
#include "core/app/app.h"
#include "core/app/config.h"
#include "perilune/version.h"
#include <stdio.h>
#include <string.h>

static int version(int argc, char **argv)
{
    bool help = argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    if (argc && !help) {
        fprintf(stderr, "perilune version: unexpected argument \"%s\"\n", argv[0]);
        return PL_EXIT_USAGE;
    }
    fputs(help ? "Usage: perilune version\n\nPrint the version and the revision.\n"
               : "perilune " PL_VERSION " (" PL_REVISION ")\n",
          stdout);
    return PL_EXIT_OK;
}

const struct pl_command pl__commands[] = {
    {"serve", "run the server", pl_cmd_serve},
    {"push", "send samples from a file or standard input", pl_cmd_push},
    {"query", "ask PromQL: table, JSON, CSV or a plot", pl_cmd_query},
    {"queries", "list the queries that run, or end one", pl_cmd_queries},
    {"series", "list series", pl_cmd_series},
    {"labels", "list label names, or the values of one", pl_cmd_labels},
    {"import", "send what export wrote", pl_cmd_import},
    {"export", "write samples as JSON lines", pl_cmd_export},
    {"backup", "copy a consistent state of the running server", pl_cmd_backup},
    {"restore", "make a data directory from a backup", pl_cmd_restore},
    {"check-store", "look for damage in a data directory", pl_cmd_check_store},
    {"completion", "print the completion script of bash or zsh", pl_cmd_completion},
    {"version", "print the version", version},
};
const unsigned pl__n_commands = sizeof(pl__commands) / sizeof(*pl__commands);

static void usage(FILE *out)
{
    fputs(
        "Perilune: a metrics platform that is scripted in Lua.\n\nUsage: perilune COMMAND ...\n\n",
        out);
    for (unsigned i = 0; i < pl__n_commands; i++) {
        const struct pl_command *c = &pl__commands[i];
        fprintf(out, "  %-12s %s\n", c->name, c->help);
    }
    fputs("\n`perilune COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong use,\n"
          "3 server not reached, 4 damage found.\n",
          out);
}

static int unknown(const char *name)
{
    const char *near = NULL;
    size_t best = PL_NEAR + 1;
    for (unsigned i = 0; i < pl__n_commands; i++) {
        size_t d = pl_name_distance(pl_str_c(name), pl_str_c(pl__commands[i].name));
        if (d < best) {
            best = d;
            near = pl__commands[i].name;
        }
    }
    fprintf(stderr, "perilune: unknown command \"%s\": %s%s\n", name,
            near ? "did you mean " : "`perilune --help` lists them", near ? near : "");
    return PL_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage(argc > 1 ? stdout : stderr);
        return argc > 1 ? PL_EXIT_OK : PL_EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (unsigned i = 0; i < pl__n_commands; i++) {
        if (strcmp(name, pl__commands[i].name) == 0) {
            return pl__commands[i].run(argc - 2, argv + 2);
        }
    }
    return unknown(name);
}
