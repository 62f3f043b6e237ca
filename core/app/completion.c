/* `perilune completion bash|zsh`: made from the tables of commands and settings. Thread: main. */
#include "core/app/app.h"
#include "core/app/config.h"
#include <stdio.h>
#include <string.h>

static void commands(FILE *out)
{
    for (unsigned i = 0; i < pl__n_commands; i++) {
        fprintf(out, "%s%s", i ? " " : "", pl__commands[i].name);
    }
}

static void settings(FILE *out)
{
    fputs("--config --help", out);
    for (size_t i = 0; i < pl__n_options; i++) {
        fprintf(out, " --%s", pl__options[i].name);
    }
}

/* `serve--durability) words='disk process' ;;` for settings that are one of a few words. */
static void choices(FILE *out)
{
    for (size_t i = 0; i < pl__n_options; i++) {
        const struct pl_option *o = &pl__options[i];
        pl_str rest = pl_str_c(o->value_name ? o->value_name : "");
        if (!rest.n || !memchr(rest.p, '|', rest.n)) {
            continue;
        }
        fprintf(out, "    serve--%s) words='", o->name);
        for (bool first = true; rest.p; first = false) {
            pl_str one = pl_str_cut(&rest, '|');
            fprintf(out, "%s%.*s", first ? "" : " ", PL_PRS(one));
        }
        fputs("' ;;\n", out);
    }
}

static void bash(FILE *out)
{
    fputs("# bash completion for perilune: source <(perilune completion bash)\n"
          "_perilune() {\n"
          "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
          "  if [ \"$COMP_CWORD\" = 1 ]; then words='",
          out);
    commands(out);
    fputs("'; else\n"
          "    case ${COMP_WORDS[1]} in\n"
          "    serve) words='",
          out);
    settings(out);
    fputs("' ;;\n"
          "    push) words='--format --precision --extra-label --url --tenant --help' ;;\n"
          "    query) words='--format --time --range --start --end --step --explain --analyze "
          "--url --tenant --help' ;;\n"
          "    queries) words='--kill --url --tenant --help' ;;\n"
          "    series|labels) words='--start --end --limit --url --tenant --help' ;;\n"
          "    export) words='--start --end --url --tenant --help' ;;\n"
          "    import|backup) words='--url --tenant --help' ;;\n"
          "    restore) words='--force --help' ;;\n"
          "    check-store|version) words='--help' ;;\n"
          "    completion) words='bash zsh --help' ;;\n"
          "    esac\n"
          "    case ${COMP_WORDS[1]}$prev in\n"
          "    push--format) words='prometheus influx jsonl json msgpack remote-write' ;;\n"
          "    query--format) words='table json csv plot' ;;\n",
          out);
    choices(out);
    fputs("    esac\n"
          "  fi\n"
          "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "}\n"
          "complete -o filenames -F _perilune perilune\n",
          out);
}

static void zsh(FILE *out)
{
    fputs("#compdef perilune\n"
          "# zsh completion for perilune: source <(perilune completion zsh)\n"
          "autoload -U +X bashcompinit && bashcompinit\n",
          out);
    bash(out);
}

int pl_cmd_completion(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "bash") == 0) {
        bash(stdout);
    } else if (argc == 1 && strcmp(argv[0], "zsh") == 0) {
        zsh(stdout);
    } else {
        fputs("Usage: perilune completion bash|zsh\n\nPrint the completion script of a shell:\n\n"
              "  source <(perilune completion bash)\n",
              argc == 1 && strcmp(argv[0], "--help") == 0 ? stdout : stderr);
        return argc == 1 && strcmp(argv[0], "--help") == 0 ? PL_EXIT_OK : PL_EXIT_USAGE;
    }
    return PL_EXIT_OK;
}
