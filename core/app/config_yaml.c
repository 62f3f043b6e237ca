/* Settings from YAML: one mapping of option names to scalars, and rollup_overrides. Anything else
 * is refused at its line and column. Thread: main. Source: YAML 1.1 by libyaml. */
#include "core/app/config.h"
#include <yaml.h>

/* Top-level keys of prometheus.yml and alertmanager.yml: they mean what they mean there, so no
 * setting of ours may have such a name (decisions.md 24). */
static const char *const reserved[] = {
    "global",
    "scrape_configs",
    "scrape_config_files",
    "rule_files",
    "alerting",
    "remote_write",
    "remote_read",
    "storage",
    "tracing",
    "otlp",
    "runtime",
    "route",
    "receivers",
    "templates",
    "inhibit_rules",
    "time_intervals",
    "mute_time_intervals",
};

struct where {
    const char *path;
    char *why;
    size_t n_why;
};

static int refuse(const struct where *w, yaml_mark_t at, const char *what, const char *more)
{
    snprintf(w->why, w->n_why, "%s:%zu:%zu: %s%s", w->path, at.line + 1, at.column + 1, what, more);
    return PL_EPARSE;
}

static int unknown(const struct where *w, const yaml_node_t *key, pl_str name)
{
    char text[256];
    for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
        if (pl_str_eq(name, pl_str_c(reserved[i]))) {
            snprintf(text, sizeof(text),
                     "\"%s\" is a key of Prometheus' or Alertmanager's configuration, which this "
                     "version does not read",
                     reserved[i]);
            return refuse(w, key->start_mark, text, "");
        }
    }
    const struct pl_option *near = pl_option_near(name);
    snprintf(text, sizeof(text), "unknown key \"%.100s\"%s", name.p, near ? ": did you mean " : "");
    return refuse(w, key->start_mark, text, near ? near->name : "");
}

static pl_str scalar(const yaml_node_t *n)
{
    return pl_str_mem(n->data.scalar.value, n->data.scalar.length);
}

/* An entry of rollup_overrides: match and tiers, both. */
static int override(struct pl_config *c, const struct where *w, yaml_document_t *d,
                    const yaml_node_t *entry)
{
    const yaml_node_t *match = NULL, *tiers = NULL;
    char inner[600];
    if (entry->type != YAML_MAPPING_NODE) {
        return refuse(w, entry->start_mark, "rollup_overrides: ", "match and tiers are wanted");
    }
    for (yaml_node_pair_t *p = entry->data.mapping.pairs.start; p < entry->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(d, p->key);
        const yaml_node_t *value = yaml_document_get_node(d, p->value);
        bool is_match = key->type == YAML_SCALAR_NODE && pl_str_eq(scalar(key), PL_STR("match"));
        bool is_tiers = key->type == YAML_SCALAR_NODE && pl_str_eq(scalar(key), PL_STR("tiers"));
        if (!is_match && !is_tiers) {
            return refuse(w, key->start_mark, "rollup_overrides: ", "its keys are match and tiers");
        }
        if (value->type != YAML_SCALAR_NODE) {
            return refuse(w, value->start_mark, is_match ? "match" : "tiers",
                          ": one value is wanted");
        }
        if (is_match ? match != NULL : tiers != NULL) {
            return refuse(w, key->start_mark, "given twice: ", is_match ? "match" : "tiers");
        }
        *(is_match ? &match : &tiers) = value;
    }
    if (!match || !tiers) {
        return refuse(w, entry->start_mark,
                      "rollup_overrides: ", match ? "tiers is missing" : "match is missing");
    }
    if (pl_config_override(c, scalar(match).p, scalar(tiers).p, inner, sizeof(inner)) < 0) {
        return refuse(w,
                      pl_str_starts(pl_str_c(inner), PL_STR("tiers")) ? tiers->start_mark
                                                                      : match->start_mark,
                      inner, "");
    }
    return 0;
}

/* Of several files the later wins, so its list replaces that of the former. */
static int overrides(struct pl_config *c, const struct where *w, yaml_document_t *d,
                     const yaml_node_t *list)
{
    int e = 0;
    if (list->type != YAML_SEQUENCE_NODE) {
        return refuse(w, list->start_mark, "rollup_overrides: ",
                      "a list is wanted, as `- {match: '{job=\"x\"}', tiers: '1h:30d'}`");
    }
    pl_config_overrides_fini(c);
    for (yaml_node_item_t *i = list->data.sequence.items.start;
         i < list->data.sequence.items.top && e >= 0; i++) {
        e = override(c, w, d, yaml_document_get_node(d, *i));
    }
    return e;
}

static int pair(struct pl_config *c, const struct where *w, yaml_document_t *d,
                const yaml_node_t *key, const yaml_node_t *value)
{
    char inner[300];
    if (key->type != YAML_SCALAR_NODE) {
        return refuse(w, key->start_mark, "a key must be a name", "");
    }
    const struct pl_option *o = pl_option_find(scalar(key));
    if (pl_str_eq(scalar(key), PL_STR("rollup_overrides"))) {
        return overrides(c, w, d, value);
    }
    if (!o) {
        return unknown(w, key, scalar(key));
    }
    if (value->type != YAML_SCALAR_NODE) {
        return refuse(w, value->start_mark, o->name, ": one value is wanted");
    }
    if (pl_config_set(c, o, scalar(value).p, inner, sizeof(inner)) < 0) {
        return refuse(w, value->start_mark, inner, "");
    }
    return 0;
}

/* The key of p once more after first..p? Of two values one would be ignored in silence. */
static int given_twice(yaml_document_t *d, const struct where *w, yaml_node_pair_t *first,
                       yaml_node_pair_t *p)
{
    const yaml_node_t *key = yaml_document_get_node(d, p->key);
    for (; first < p; first++) {
        if (pl_str_eq(scalar(yaml_document_get_node(d, first->key)), scalar(key))) {
            return refuse(w, key->start_mark,
                          "given twice: ", (const char *)key->data.scalar.value);
        }
    }
    return 0;
}

static int document(struct pl_config *c, const struct where *w, yaml_document_t *d)
{
    yaml_node_t *root = yaml_document_get_root_node(d);
    int e = 0;
    if (root->type != YAML_MAPPING_NODE) {
        return refuse(w, root->start_mark, "settings are wanted, as `http: 127.0.0.1:1969`", "");
    }
    yaml_node_pair_t *first = root->data.mapping.pairs.start;
    for (yaml_node_pair_t *p = first; p < root->data.mapping.pairs.top && e >= 0; p++) {
        e = pair(c, w, d, yaml_document_get_node(d, p->key), yaml_document_get_node(d, p->value));
        e = e < 0 ? e : given_twice(d, w, first, p);
    }
    return e;
}

int pl_config_yaml(struct pl_config *c, const char *path, char *why, size_t n_why)
{
    struct where w = {path, why, n_why};
    struct pl_buf text = PL_BUF_INIT;
    int e = pl_file_read(path, 4u << 20, &text);
    if (e < 0) {
        snprintf(why, n_why, "%s: cannot be read: %s", path, pl_err_text(e));
        return e;
    }
    yaml_parser_t parser;
    yaml_document_t d;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, text.p, text.n);
    for (int n = 0; e >= 0; n++) {
        if (!yaml_parser_load(&parser, &d)) {
            e = refuse(&w, parser.problem_mark, "not YAML: ", parser.problem ? parser.problem : "");
            break;
        }
        yaml_node_t *root = yaml_document_get_root_node(&d);
        if (root) {
            e = n ? refuse(&w, root->start_mark, "a second document: one is read", "")
                  : document(c, &w, &d);
        }
        yaml_document_delete(&d);
        if (!root) {
            break; /* the end */
        }
    }
    yaml_parser_delete(&parser);
    pl_buf_fini(&text);
    return e;
}
