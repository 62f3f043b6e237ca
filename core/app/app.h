/* The door of app: the program's commands. Each takes the arguments behind its name and returns the
 * exit code:
 *
 *     0 done   1 it failed (the reason is on stderr)   2 wrong use   3 could not reach the server
 *     4 check-store found damage                                                              */
#pragma once

enum {
    PL_EXIT_OK = 0,
    PL_EXIT_FAILED = 1,
    PL_EXIT_USAGE = 2,
    PL_EXIT_UNREACHABLE = 3,
    PL_EXIT_DAMAGE = 4,
};

struct pl_command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
};
extern const struct pl_command pl__commands[];
extern const unsigned pl__n_commands;

int pl_cmd_serve(int argc, char **argv);
int pl_cmd_push(int argc, char **argv);
int pl_cmd_query(int argc, char **argv);
int pl_cmd_queries(int argc, char **argv);
int pl_cmd_series(int argc, char **argv);
int pl_cmd_labels(int argc, char **argv);
int pl_cmd_import(int argc, char **argv);
int pl_cmd_export(int argc, char **argv);
int pl_cmd_backup(int argc, char **argv);
int pl_cmd_restore(int argc, char **argv);
int pl_cmd_check_store(int argc, char **argv);
int pl_cmd_completion(int argc, char **argv);
