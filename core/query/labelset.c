/* Label sets as canonical bytes (core/model/labels.h): projection, editing, order, and an index
 * that gives each a dense number without building strings. */
#include "core/query/exec.h"
#include "core/query/lex.h"

#include <stdlib.h>

void pl__index_fini(struct pl__index *x)
{
    free(x->slot);
    free(x->key);
    free(x->hash);
    *x = (struct pl__index){0};
}

static bool index_grow(struct pl__index *x)
{
    size_t cap = x->cap ? x->cap * 2 : 64, room = cap / 2;
    uint32_t *slot = calloc(cap, sizeof *slot);
    pl_str *key = realloc(x->key, room * sizeof *key);
    x->key = key ? key : x->key;
    uint64_t *hash = realloc(x->hash, room * sizeof *hash);
    x->hash = hash ? hash : x->hash;
    if (!slot || !key || !hash) {
        free(slot);
        return false;
    }
    for (size_t i = 0; i < x->n; i++) {
        size_t at = x->hash[i] & (cap - 1);
        while (slot[at]) {
            at = (at + 1) & (cap - 1);
        }
        slot[at] = (uint32_t)i + 1;
    }
    free(x->slot);
    x->slot = slot;
    x->cap = cap;
    x->room = room;
    return true;
}

static size_t find(const struct pl__index *x, pl_str key, uint64_t hash, size_t *free_at)
{
    size_t at = hash & (x->cap - 1);
    for (; x->slot[at]; at = (at + 1) & (x->cap - 1)) {
        size_t i = x->slot[at] - 1;
        if (x->hash[i] == hash && pl_str_eq(x->key[i], key)) {
            return i;
        }
    }
    *free_at = at;
    return PL__INDEX_NONE;
}

size_t pl__index_put(struct pl__index *x, pl_str key, bool *fresh)
{
    if (x->n == x->room && !index_grow(x)) {
        return PL__INDEX_NONE;
    }
    uint64_t hash = pl_hash64(key.p, key.n, 0);
    size_t at, i = find(x, key, hash, &at);
    *fresh = i == PL__INDEX_NONE;
    if (*fresh) {
        i = x->n++;
        x->slot[at] = (uint32_t)i + 1;
        x->key[i] = key;
        x->hash[i] = hash;
    }
    return i;
}

size_t pl__index_get(const struct pl__index *x, pl_str key)
{
    size_t at;
    return x->n ? find(x, key, pl_hash64(key.p, key.n, 0), &at) : PL__INDEX_NONE;
}

bool pl__names_has(const struct pl__names *names, pl_str name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (pl_str_eq(names->v[i], name)) {
            return true;
        }
    }
    return false;
}

void pl__project(struct pl_buf *out, pl_str canon, const struct pl__names *names, bool keep)
{
    pl_str it = canon;
    struct pl_label l;
    for (const char *from = it.p; pl_labels_next(&it, &l); from = it.n ? it.p : NULL) {
        if (pl__names_has(names, l.name) == keep) {
            pl_buf_add(out, from, (size_t)(l.value.p + l.value.n - from));
        }
    }
}

static void put_label(struct pl_buf *out, pl_str name, pl_str value)
{
    pl_buf_varint(out, name.n);
    pl_buf_str(out, name);
    pl_buf_varint(out, value.n);
    pl_buf_str(out, value);
}

bool pl__of_metric(pl_str name)
{
    return pl_str_eq(name, PL_METRIC_NAME) || pl_str_eq(name, PL_STR("__type__")) ||
           pl_str_eq(name, PL_STR("__unit__"));
}

pl_str pl__drop_name(struct pl_arena *a, pl_str canon)
{
    pl_str it = canon, first = canon;
    struct pl_label l;
    bool more = pl_labels_next(&it, &l);
    if (more && pl__of_metric(l.name)) { /* most often the first one and the only one */
        first = it;
        more = pl_labels_next(&it, &l);
        if (!more || pl_str_cmp(l.name, PL_STR("__unit__")) > 0) {
            return first;
        }
    }
    it = first;
    bool any = false;
    while (!any && pl_labels_next(&it, &l) && pl_str_cmp(l.name, PL_STR("__unit__")) <= 0) {
        any = pl__of_metric(l.name);
    }
    if (!any) {
        return first;
    }
    char *p = pl_arena_alloc(a, first.n);
    size_t n = 0;
    if (!p) {
        return PL_STR_NULL;
    }
    it = first;
    for (const char *from = it.p; pl_labels_next(&it, &l); from = it.p) {
        size_t bytes = (size_t)(l.value.p + l.value.n - from);
        if (!pl__of_metric(l.name)) {
            memcpy(p + n, from, bytes);
            n += bytes;
        }
    }
    return pl_str_mem(p, n);
}

void pl__set_label(struct pl_buf *out, pl_str canon, pl_str name, pl_str value)
{
    pl_str it = canon;
    struct pl_label l;
    bool done = value.n == 0;
    while (pl_labels_next(&it, &l)) {
        int c = pl_str_cmp(l.name, name);
        if (c >= 0 && !done) {
            put_label(out, name, value);
            done = true;
        }
        if (c != 0) {
            put_label(out, l.name, l.value);
        }
    }
    if (!done) {
        put_label(out, name, value);
    }
}

void pl__labels_show(struct pl_buf *out, pl_str canon)
{
    struct pl_label l;
    pl_buf_z(out, "{");
    for (bool first = true; pl_labels_next(&canon, &l); first = false) {
        pl_buf_z(out, first ? "" : ", ");
        if (pl_label_name_classic(l.name)) {
            pl_buf_str(out, l.name);
        } else {
            pl__quote(out, l.name);
        }
        pl_buf_z(out, "=");
        pl__quote(out, l.value);
    }
    pl_buf_z(out, "}");
}

int pl__group(struct pl__exec *ex, const pl_str *labels, size_t n, const struct pl__names *by,
              bool without, uint32_t *group, pl_str **group_labels, size_t *n_groups)
{
    if (!without && by->n == 0) { /* one group of all */
        pl_str *one = pl_arena_zalloc(ex->arena, sizeof *one);
        if (!one) {
            return PL_ENOMEM;
        }
        memset(group, 0, n * sizeof *group);
        *group_labels = one;
        *n_groups = n > 0;
        return 0;
    }
    struct pl__names names = *by;
    if (without) { /* the metric name goes too */
        names.v = pl_arena_alloc(ex->arena, (by->n + 1) * sizeof *names.v);
        if (!names.v) {
            return PL_ENOMEM;
        }
        for (size_t i = 0; i < by->n; i++) {
            names.v[i] = by->v[i];
        }
        names.v[names.n++] = PL_METRIC_NAME;
    }
    struct pl__index x = {0};
    struct pl_buf key = PL_BUF_INIT;
    int err = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        bool fresh = false;
        if (i % 4096 == 0 && (err = pl__tick(ex)) < 0) {
            break;
        }
        pl_buf_clear(&key);
        pl__project(&key, labels[i], &names, !without);
        size_t g = key.failed ? PL__INDEX_NONE : pl__index_put(&x, pl_buf_view(&key), &fresh);
        if (g == PL__INDEX_NONE) {
            err = PL_ENOMEM;
        } else if (fresh) {
            x.key[g] = pl_arena_dup(ex->arena, x.key[g]);
            err = x.key[g].p ? 0 : PL_ENOMEM;
        }
        group[i] = (uint32_t)g;
    }
    if (err == 0) {
        *group_labels = pl_arena_alloc(ex->arena, (x.n + 1) * sizeof **group_labels);
        err = *group_labels ? 0 : PL_ENOMEM;
    }
    if (err == 0) {
        memcpy(*group_labels, x.key ? x.key : *group_labels, x.n * sizeof **group_labels);
        *n_groups = x.n;
    }
    pl_buf_fini(&key);
    pl__index_fini(&x);
    return err;
}
