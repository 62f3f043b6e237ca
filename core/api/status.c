/* /-/healthy, /-/ready, /metrics, and of /api/v1/status what is about the process. Thread: loops;
 * nothing here blocks for long. */
#include "core/api/internal.h"
#include "perilune/version.h"
#include <fcntl.h>
#include <unistd.h>

void pl__ep_healthy(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    pl_http_reply_text(req, 200, "Perilune Server is Healthy.\n");
}

void pl__ep_ready(struct pl_api *a, struct pl_http_req *req)
{
    if (a->ready) {
        pl_http_reply_text(req, 200, "Perilune Server is Ready.\n");
    } else {
        pl_http_reply_header(req, "Retry-After", PL_STR("1"));
        pl_http_reply_text(req, 503, "Service Unavailable: starting or stopping.\n");
    }
}

void pl__ep_metrics(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_metrics_render(a->conf.metrics, &out);
    pl_http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static struct pl_json_w begin(struct pl_buf *out)
{
    struct pl_json_w w = pl_json_w(out);
    pl_json_obj(&w);
    pl_json_field_str(&w, "status", PL_STR("success"));
    pl_json_key(&w, "data");
    return w;
}

void pl__ep_buildinfo(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = begin(&out);
    (void)a;
    pl_json_obj(&w);
    pl_json_field_str(&w, "version", PL_STR(PL_VERSION));
    pl_json_field_str(&w, "revision", PL_STR(PL_REVISION));
    pl_json_field_str(&w, "branch", PL_STR(""));
    pl_json_field_str(&w, "buildUser", PL_STR(""));
    pl_json_field_str(&w, "buildDate", PL_STR(""));
    pl_json_field_str(&w, "goVersion", PL_STR(""));
    pl_json_field_str(&w, "application", PL_STR("perilune"));
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl__reply_json(req, 200, &out);
}

void pl__json_time(struct pl_json_w *w, const char *key, int64_t ms)
{
    struct pl_buf text = PL_BUF_INIT;
    pl_time_text(ms, &text);
    pl_json_key(w, key);
    pl_json_str(w, pl_buf_view(&text));
    pl_buf_fini(&text);
}

/* Threads of this process: the 20th field of /proc/self/stat, behind the name's parenthesis. */
static int64_t threads(void)
{
    char text[512];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
    int64_t found = 0;
    pl_str rest = pl_str_mem(text, n > 0 ? (size_t)n : 0);
    if (fd >= 0) {
        close(fd);
    }
    const char *name_end = rest.n ? memrchr(rest.p, ')', rest.n) : NULL;
    if (name_end) {
        rest = pl_str_mem(name_end, (size_t)(rest.p + rest.n - name_end));
        for (int i = 0; i < 18; i++) {
            pl_str_cut(&rest, ' ');
        }
        pl_str_i64(pl_str_cut(&rest, ' '), &found);
    }
    return found;
}

/* A setting by its name, from the object of all of them. The caller frees out. */
static bool setting(struct pl_api *a, const char *name, struct pl_buf *out)
{
    struct pl_buf json = PL_BUF_INIT;
    struct pl_json_r r;
    bool found = false, wanted = false;
    if (!a->conf.flags) {
        return false;
    }
    a->conf.flags(a->conf.ctx, &json);
    pl_json_r_init(&r, pl_buf_view(&json));
    for (enum pl_json_tok t;
         (t = pl_json_next(&r)) != PL_JSON_END && t != PL_JSON_ERROR && !found;) {
        if (t == PL_JSON_KEY) {
            wanted = pl_str_eq(r.str, pl_str_c(name));
        } else if (t == PL_JSON_STR && wanted) {
            pl_buf_str(out, r.str);
            found = true;
        }
    }
    pl_json_r_fini(&r);
    pl_buf_fini(&json);
    return found;
}

static void retention(struct pl_api *a, struct pl_json_w *w)
{
    struct pl_buf text = PL_BUF_INIT;
    setting(a, "retention", &text);
    pl_json_field_str(w, "storageRetention", pl_buf_view(&text));
    pl_buf_fini(&text);
}

void pl__ep_config(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT, json = PL_BUF_INIT, yaml = PL_BUF_INIT;
    struct pl_json_r r;
    if (a->conf.flags) {
        a->conf.flags(a->conf.ctx, &json);
    }
    struct pl_json_w value = pl_json_w(&yaml);
    pl_json_r_init(&r, pl_buf_view(&json));
    for (enum pl_json_tok t; (t = pl_json_next(&r)) != PL_JSON_END && t != PL_JSON_ERROR;) {
        if (t == PL_JSON_KEY) {
            pl_buf_str(&yaml, r.str);
            pl_buf_z(&yaml, ": ");
        } else if (t == PL_JSON_STR) { /* a string of JSON is one of YAML */
            value.comma = false;
            pl_json_str(&value, r.str);
            pl_buf_u8(&yaml, '\n');
        }
    }
    pl_json_r_fini(&r);
    struct pl_json_w w = begin(&out);
    pl_json_obj(&w);
    pl_json_field_str(&w, "yaml", pl_buf_view(&yaml));
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl_buf_fini(&json);
    pl_buf_fini(&yaml);
    pl__reply_json(req, 200, &out);
}

void pl__ep_walreplay(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = begin(&out);
    struct pl_store_stats s = {0};
    pl_store_stats(a->conf.store, &s); /* we listen when all of it was read */
    pl_json_obj(&w);
    pl_json_field_i64(&w, "min", (int64_t)s.flushed_seq);
    pl_json_field_i64(&w, "max", (int64_t)s.journal_seq);
    pl_json_field_i64(&w, "current", (int64_t)s.journal_seq);
    pl_json_field_str(&w, "state", PL_STR("done"));
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl__reply_json(req, 200, &out);
}

void pl__ep_runtimeinfo(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = begin(&out);
    struct pl_store_stats s = {0};
    char cwd[4096], host[256] = "";
    pl_store_stats(a->conf.store, &s);
    pl_json_obj(&w);
    pl__json_time(&w, "startTime", a->started_ms);
    pl_json_field_str(&w, "CWD", pl_str_c(getcwd(cwd, sizeof(cwd)) ? cwd : ""));
    pl_json_field_str(&w, "hostname", pl_str_c(gethostname(host, sizeof(host)) == 0 ? host : ""));
    pl__json_time(&w, "serverTime", pl_now_ms(a->conf.clock));
    pl_json_key(&w, "reloadConfigSuccess"); /* settings are read once, at the start */
    pl_json_bool(&w, true);
    pl__json_time(&w, "lastConfigTime", a->started_ms);
    pl_json_field_i64(&w, "corruptionCount", 0);
    pl_json_field_i64(&w, "goroutineCount", threads());
    pl_json_field_i64(&w, "GOMAXPROCS", sysconf(_SC_NPROCESSORS_ONLN));
    pl_json_field_i64(&w, "GOMEMLIMIT", INT64_MAX);
    pl_json_field_str(&w, "GOGC", PL_STR(""));
    pl_json_field_str(&w, "GODEBUG", PL_STR(""));
    retention(a, &w);
    pl_json_field_i64(&w, "loops", (int64_t)a->n_loops);
    pl_json_field_i64(&w, "journalSequence", (int64_t)s.journal_seq);
    pl_json_field_i64(&w, "flushedSequence", (int64_t)s.flushed_seq);
    pl_json_field_bool(&w, "readOnly", s.readonly);
    pl_json_field_bool(&w, "diskFull", s.full);
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
    pl__reply_json(req, 200, &out);
}

void pl__ep_flags(struct pl_api *a, struct pl_http_req *req)
{
    struct pl_buf out = PL_BUF_INIT;
    struct pl_json_w w = begin(&out);
    if (a->conf.flags) {
        a->conf.flags(a->conf.ctx, &out);
    } else {
        pl_json_obj(&w);
        pl_json_obj_end(&w);
    }
    w.comma = true;
    pl_json_obj_end(&w);
    pl__reply_json(req, 200, &out);
}
