/* Where settings come from: files, environment, flags. Thread: main. */
#include "core/app/config.h"
#include <stdlib.h>

void pl_config_help(FILE *out)
{
    fputs(
        "Usage: perilune serve [--data DIR] [--http HOST:PORT] [options]\n\n"
        "Run the server in the foreground until SIGTERM or Ctrl-C. Without --config it reads no\n"
        "file. Try it:\n\n"
        "  perilune serve --data ./data &\n"
        "  curl --data-binary 'temperature{room=\"attic\"} 21.5' "
        "http://127.0.0.1:1969/api/v1/import/prometheus\n"
        "  curl 'http://127.0.0.1:1969/api/v1/query?query=temperature'\n\n"
        "Every option is also an environment variable (--http is PERILUNE_HTTP) and a key of the\n"
        "YAML files that --config names (http: 127.0.0.1:1969). Flags win over the environment,\n"
        "the environment over files, later files over earlier ones.\n\n"
        "  --config FILE                     settings to read first; may be given more than once\n"
        "  --help                            this text\n",
        out);
    const char *group = "";
    for (size_t i = 0; i < pl__n_options; i++) {
        const struct pl_option *o = &pl__options[i];
        char head[128];
        if (strcmp(group, o->group) != 0) {
            fprintf(out, "\n%s\n", o->group);
            group = o->group;
        }
        snprintf(head, sizeof(head), "--%s%s%s", o->name, o->value_name ? " " : "",
                 o->value_name ? o->value_name : "");
        fprintf(out, "  %-33s %s%s%s%s\n", head, o->help, o->def[0] ? " [" : "", o->def,
                o->def[0] ? "]" : "");
    }
}

static void env_name(const char *option, char *out, size_t n)
{
    size_t k = (size_t)snprintf(out, n, "PERILUNE_%s", option);
    for (size_t i = 9; i < k && i < n; i++) {
        out[i] = out[i] == '-'                    ? '_'
                 : out[i] >= 'a' && out[i] <= 'z' ? (char)(out[i] - 32)
                                                  : out[i];
    }
}

/* PERILUNE_FAULTS belongs to fault points, PERILUNE_URL and PERILUNE_TENANT to the other commands;
 * PERILUNE_SERVICE_*, PERILUNE_PORT and PERILUNE_PORT_* are what Kubernetes sets beside a service
 * of our name. */
static bool known_elsewhere(pl_str name)
{
    static const char *const names[] = {"PERILUNE_FAULTS", "PERILUNE_URL", "PERILUNE_TENANT",
                                        "PERILUNE_CONFIG", "PERILUNE_PORT"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (pl_str_eq(name, pl_str_c(names[i]))) {
            return true;
        }
    }
    return pl_str_starts(name, PL_STR("PERILUNE_SERVICE_")) ||
           pl_str_starts(name, PL_STR("PERILUNE_PORT_"));
}

static int unknown_variable(pl_str name, char *why, size_t n_why)
{
    const struct pl_option *near = NULL;
    size_t best = PL_NEAR + 1;
    char wanted[128], nearest[128] = "";
    for (size_t i = 0; i < pl__n_options; i++) {
        env_name(pl__options[i].name, wanted, sizeof(wanted));
        size_t d = pl_name_distance(name, pl_str_c(wanted));
        if (d < best) {
            best = d;
            near = &pl__options[i];
            memcpy(nearest, wanted, sizeof(nearest));
        }
    }
    snprintf(why, n_why, "unknown environment variable %.*s: %s%s", PL_PRS(name),
             near ? "did you mean " : "`perilune serve --help` lists the options", nearest);
    return PL_EPARSE;
}

static int load_env(struct pl_config *c, char **environ_, char *why, size_t n_why)
{
    for (char **e = environ_; e && *e; e++) {
        pl_str value = pl_str_c(*e), name = pl_str_cut(&value, '=');
        if (!pl_str_starts(name, PL_STR("PERILUNE_")) || known_elsewhere(name)) {
            continue;
        }
        const struct pl_option *o = NULL;
        for (size_t i = 0; i < pl__n_options && !o; i++) {
            char wanted[128];
            env_name(pl__options[i].name, wanted, sizeof(wanted));
            o = pl_str_eq(name, pl_str_c(wanted)) ? &pl__options[i] : NULL;
        }
        if (!o) {
            return unknown_variable(name, why, n_why);
        }
        char inner[300];
        if (pl_config_set(c, o, value.p, inner, sizeof(inner)) < 0) {
            snprintf(why, n_why, "environment variable %.*s: %s", PL_PRS(name), inner);
            return PL_EPARSE;
        }
    }
    return 0;
}

static int unknown_flag(const char *arg, pl_str name, char *why, size_t n_why)
{
    const struct pl_option *near = pl_option_near(name);
    snprintf(why, n_why, "unknown option %s: %s%s", arg,
             near ? "did you mean --" : "`perilune serve --help` lists them",
             near ? near->name : "");
    return PL_EPARSE;
}

/* Flags; with only_config, only the files are read, else only the rest is set. */
static int load_flags(struct pl_config *c, int argc, char **argv, bool only_config, char *why,
                      size_t n_why)
{
    for (int i = 0; i < argc; i++) {
        pl_str value = pl_str_c(argv[i]);
        if (!pl_str_starts(value, PL_STR("--"))) {
            snprintf(why, n_why, "unexpected argument \"%s\"", argv[i]);
            return PL_EPARSE;
        }
        pl_str name = pl_str_cut(&value, '=');
        name.p += 2;
        name.n -= 2;
        bool config = pl_str_eq(name, PL_STR("config"));
        const struct pl_option *o = pl_option_find(name);
        if (!o && !config) {
            return unknown_flag(argv[i], name, why, n_why);
        }
        const char *text = value.p;
        if (!text && o && o->type == PL_OPTION_BOOL) {
            text = "true";
        } else if (!text && i + 1 < argc) {
            text = argv[++i];
        } else if (!text) {
            snprintf(why, n_why, "--%.*s needs a value", PL_PRS(name));
            return PL_EPARSE;
        }
        int e = 0;
        if (config && only_config) {
            e = pl_config_yaml(c, text, why, n_why);
        } else if (!config && !only_config) {
            char inner[300];
            e = pl_config_set(c, o, text, inner, sizeof(inner));
            if (e < 0) {
                snprintf(why, n_why, "--%s", inner);
            }
        }
        if (e < 0) {
            return e;
        }
    }
    return 0;
}

/* PERILUNE_CONFIG names one file, which is read before those of --config. */
static int load_env_file(struct pl_config *c, char **environ_, char *why, size_t n_why)
{
    for (char **e = environ_; e && *e; e++) {
        pl_str value = pl_str_c(*e), name = pl_str_cut(&value, '=');
        if (pl_str_eq(name, PL_STR("PERILUNE_CONFIG")) && value.n) {
            return pl_config_yaml(c, value.p, why, n_why);
        }
    }
    return 0;
}

int pl_config_load(struct pl_config *c, int argc, char **argv, char **environ_, char *why,
                   size_t n_why)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            pl_config_help(stdout);
            return PL_ECANCELED;
        }
    }
    int e = load_env_file(c, environ_, why, n_why);
    e = e < 0 ? e : load_flags(c, argc, argv, true, why, n_why);
    e = e < 0 ? e : load_env(c, environ_, why, n_why);
    return e < 0 ? e : load_flags(c, argc, argv, false, why, n_why);
}
