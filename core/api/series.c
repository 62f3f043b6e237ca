/* /api/v1/series, labels, label/<name>/values. Threads: parsed on the loop, run on the pool. */
#include "core/api/internal.h"
#include <stdlib.h>

/* The answer as it grows. JSON is {"status":"success","data":[ ... ]}; msgpack the same, its count
 * of entries set at the end; CSV is collected and written at the end. */
struct list {
    struct pl_job *job;
    uint64_t n;
    bool cut;      /* more than the limit */
    size_t head;   /* msgpack: where the count stands */
    pl_str *texts; /* CSV: in the arena */
    size_t cap;
    struct pl_arena arena;
    bool failed;
};

static struct list list_begin(struct pl_job *job)
{
    struct list l = {.job = job};
    if (job->args.format == PL__MSGPACK) {
        pl_mp_w_map(&job->out, 2);
        pl_mp_w_str(&job->out, PL_STR("status"));
        pl_mp_w_str(&job->out, PL_STR("success"));
        pl_mp_w_str(&job->out, PL_STR("data"));
        l.head = job->out.n;
        pl_buf_add(&job->out, "\xdd\0\0\0\0", 5);
    } else if (job->args.format == PL__CSV) {
        pl_arena_init(&l.arena, job->api->conf.query_max_memory_bytes);
    } else {
        pl_buf_z(&job->out, "{\"status\":\"success\",\"data\":[");
    }
    job->content_type = pl__content_type(job->args.format);
    return l;
}

static bool list_room(struct list *l)
{
    l->cut = l->job->args.limit && l->n >= l->job->args.limit;
    if (l->job->cancel || l->cut || l->failed) {
        return false;
    }
    if (l->n++ && l->job->args.format == PL__JSON) {
        pl_buf_u8(&l->job->out, ',');
    }
    return true;
}

static bool keep(struct list *l, pl_str s)
{
    size_t i = (size_t)l->n - 1;
    if (pl_grow(&l->texts, i, &l->cap, sizeof *l->texts) < 0) {
        l->failed = true;
        return false;
    }
    l->texts[i] = pl_arena_dup(&l->arena, s);
    l->failed = !l->texts[i].p;
    return !l->failed;
}

static bool list_string(void *ctx, pl_str s)
{
    struct list *l = ctx;
    if (!list_room(l)) {
        return false;
    }
    if (l->job->args.format == PL__CSV) {
        return keep(l, s);
    }
    if (l->job->args.format == PL__MSGPACK) {
        pl_mp_w_str(&l->job->out, s);
    } else {
        struct pl_json_w w = pl_json_w(&l->job->out);
        pl_json_str(&w, s);
    }
    return true;
}

static void list_labels(struct list *l, pl_str canon)
{
    if (l->job->args.format == PL__CSV) {
        keep(l, canon);
    } else if (l->job->args.format == PL__MSGPACK) {
        pl__labels_msgpack(&l->job->out, canon);
    } else {
        pl__labels_json(&l->job->out, canon);
    }
}

/* heading: of the one column, NULL for label sets. */
static void list_end(struct list *l, int e, const char *heading)
{
    struct pl_job *job = l->job;
    enum pl__format format = job->args.format;
    if (e >= 0 && l->failed) {
        e = PL_ENOMEM;
    }
    if (e < 0) {
        pl__job_error(job, e, "%s", pl_err_text(e));
    } else if (format == PL__JSON) {
        pl_buf_z(&job->out, l->cut ? "],\"warnings\":[\"" PL__TRUNCATED "\"]}" : "]}");
    } else if (format == PL__CSV) {
        if (heading) {
            pl__texts_csv(&job->out, heading, l->texts, (size_t)l->n);
        } else {
            pl__labels_csv(&job->out, l->texts, (size_t)l->n);
        }
    } else if (!job->out.failed) {
        for (int i = 0; i < 4; i++) {
            job->out.p[l->head + 1 + (size_t)i] = (uint8_t)(l->n >> (24 - 8 * i));
        }
        if (l->cut) {
            job->out.p[l->head - 21]++; /* the map's head: 0x82 to 0x83 */
            pl_mp_w_str(&job->out, PL_STR("warnings"));
            pl_mp_w_array(&job->out, 1);
            pl_mp_w_str(&job->out, PL_STR(PL__TRUNCATED));
        }
    }
    pl__job_keep(job, job->args.t0, job->args.t1, true);
    free(l->texts);
    if (format == PL__CSV) {
        pl_arena_fini(&l->arena);
    }
}

static void work_series(struct pl_job *job)
{
    struct pl_select *sel;
    struct pl_buf labels = PL_BUF_INIT;
    struct list l = list_begin(job);
    int e = pl_select_new(job->args.tenant, job->args.sel.sel, job->args.sel.n, job->args.t0,
                          job->args.t1, job->api->conf.query_max_series, &sel);
    if (e < 0) {
        list_end(&l, e, NULL);
        return;
    }
    for (size_t i = 0, n = pl_select_count(sel); i < n; i++) {
        pl_buf_clear(&labels);
        if (pl_select_labels(sel, i, &labels) >= 0) {
            if (!list_room(&l)) {
                break;
            }
            list_labels(&l, pl_buf_view(&labels));
        }
    }
    pl_select_free(sel);
    pl_buf_fini(&labels);
    list_end(&l, 0, NULL);
}

static void work_labels(struct pl_job *job)
{
    struct list l = list_begin(job);
    int e = pl_tenant_label_names(job->args.tenant, job->args.sel.sel, job->args.sel.n,
                                  job->args.t0, job->args.t1, list_string, &l);
    list_end(&l, e, "label");
}

static void work_values(struct pl_job *job)
{
    struct list l = list_begin(job);
    int e = pl_tenant_label_values(job->args.tenant, job->args.text, job->args.sel.sel,
                                   job->args.sel.n, job->args.t0, job->args.t1, list_string, &l);
    list_end(&l, e, "value");
}

/* U__a_2e_b is a.b: a name as Prometheus' clients escape it in a path. `__` is an underscore,
 * `_2e_` a code point in hex; what is not well-formed is taken as it stands. */
pl_str pl__unescape_name(struct pl_arena *arena, pl_str name)
{
    char *out = pl_arena_alloc(arena, name.n + 4);
    size_t n = 0;
    for (size_t i = 3; out && i < name.n; i++) {
        if (name.p[i] != '_') {
            out[n++] = name.p[i];
            continue;
        }
        if (++i < name.n && name.p[i] == '_') {
            out[n++] = '_';
            continue;
        }
        uint32_t code = 0;
        size_t digits = 0;
        for (; i < name.n && name.p[i] != '_'; i++, digits++) {
            char c = (char)(name.p[i] | 0x20);
            bool digit = name.p[i] >= '0' && name.p[i] <= '9';
            if ((!digit && (c < 'a' || c > 'f')) || digits == 6) {
                return name;
            }
            code = code << 4 | (uint32_t)(digit ? name.p[i] - '0' : c - 'a' + 10);
        }
        if (i == name.n || digits == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            return name;
        }
        n += pl_utf8_put(out + n, code);
    }
    return out ? pl_str_mem(out, n) : name;
}

/* match[], start, end, limit, then the pool. Without start and end: all times. */
static void start(struct pl_api *a, struct pl_http_req *req, bool needs_match, pl_str text,
                  void (*work)(struct pl_job *))
{
    struct pl_job_args with = {.text = text,
                               .t0 = INT64_MIN,
                               .t1 = INT64_MAX,
                               .repeats = true,
                               .format = pl__accept(pl_http_header(req, "Accept"))};
    if (!pl__tenant(a, req, false, &with.tenant) || !pl__time_param(req, "start", &with.t0) ||
        !pl__time_param(req, "end", &with.t1) || !pl__limit_param(req, "limit", &with.limit) ||
        !pl__selectors(req, &with.sel)) {
        return;
    }
    if (needs_match && !with.sel.n) {
        pl__reply_error(req, PL_EPARSE, "no match[] parameter provided");
        pl__selectors_fini(&with.sel);
        return;
    }
    if (with.t1 < with.t0) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"end\": end timestamp must not be before start time");
        pl__selectors_fini(&with.sel);
        return;
    }
    pl__job_start(a, req, a->conf.pool, true, work, &with);
}

void pl__ep_series(struct pl_api *a, struct pl_http_req *req)
{
    start(a, req, true, PL_STR_NULL, work_series);
}

void pl__ep_labels(struct pl_api *a, struct pl_http_req *req)
{
    start(a, req, false, PL_STR_NULL, work_labels);
}

void pl__ep_label_values(struct pl_api *a, struct pl_http_req *req)
{
    pl_str name = pl__segment(req->path, 3);
    if (pl_str_starts(name, PL_STR("U__"))) {
        name = pl__unescape_name(&req->arena, name);
    }
    if (!name.p || !name.n || pl_utf8_check(name) < name.n) {
        pl__reply_error(req, PL_EPARSE, "invalid label name: \"%.*s\"",
                        PL_PRS(pl__segment(req->path, 3)));
        return;
    }
    start(a, req, false, name, work_values);
}
