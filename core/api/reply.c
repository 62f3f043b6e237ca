/* Errors as Prometheus words them, {"status":"error","errorType":..,"error":..}, or as InfluxDB
 * does where its clients write. Thread: loops. */
#include "core/api/internal.h"
#include <stdarg.h>
#include <stdio.h>

int pl__status_of(int err)
{
    switch (err) {
    case PL_EPARSE:
    case PL_EINVAL:
    case PL_ETOOOLD:
    case PL_EFUTURE:
    case PL_ECORRUPT:
        return 400;
    case PL_ENOTFOUND:
        return 404;
    case PL_EEXIST:
        return 409;
    case PL_ELIMIT:
        return 413;
    case PL_EBUSY:
        return 429;
    case PL_ENOSPC:
        return 507;
    case PL_EUNSUPPORTED:
        return 415;
    case PL_EIO:
        return 500;
    default:
        return 503;
    }
}

static const char *type_of(int status)
{
    switch (status) {
    case 400:
    case 413:
    case 415:
        return "bad_data";
    case 404:
        return "not_found";
    case 422:
        return "execution";
    case 429:
    case 507:
        return "unavailable";
    case 500:
        return "internal";
    default:
        return "unavailable";
    }
}

/* InfluxDB 2's words for a status. */
static const char *influx_code(int status)
{
    switch (status) {
    case 400:
        return "invalid";
    case 404:
        return "not found";
    case 409:
        return "conflict";
    case 413:
        return "request too large";
    case 415:
        return "unsupported media type";
    case 429:
        return "too many requests";
    case 500:
        return "internal error";
    default:
        return "unavailable";
    }
}

void pl__influx_error(struct pl_buf *out, int status, pl_str text)
{
    struct pl_json_w w = pl_json_w(out);
    pl_json_obj(&w);
    pl_json_key(&w, "code");
    pl_json_str(&w, pl_str_c(influx_code(status)));
    pl_json_key(&w, "message");
    pl_json_str(&w, text);
    pl_json_key(&w, "error"); /* 1.x reads this one */
    pl_json_str(&w, text);
    pl_json_obj_end(&w);
}

static void prometheus_error(struct pl_buf *out, int status, pl_str text, const char *hint)
{
    struct pl_json_w w = pl_json_w(out);
    pl_json_obj(&w);
    pl_json_key(&w, "status");
    pl_json_str(&w, PL_STR("error"));
    pl_json_key(&w, "errorType");
    pl_json_str(&w, pl_str_c(type_of(status)));
    pl_json_key(&w, "error");
    pl_json_str(&w, text);
    if (hint[0]) {
        pl_json_key(&w, "hint");
        pl_json_str(&w, pl_str_c(hint));
    }
    pl_json_obj_end(&w);
}

void pl__reply_error(struct pl_http_req *req, int err, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    int status = pl__status_of(err);
    struct pl_buf out = PL_BUF_INIT;
    bool influx =
        pl_str_eq(req->path, PL_STR("/write")) || pl_str_starts(req->path, PL_STR("/api/v2/write"));
    if (influx) {
        pl__influx_error(&out, status, pl_str_c(text));
    } else {
        prometheus_error(&out, status, pl_str_c(text), "");
    }
    if (status == 429 || status == 503 || status == 507) {
        pl_http_reply_header(req, "Retry-After", status == 507 ? PL_STR("10") : PL_STR("1"));
    }
    pl__reply_json(req, status, &out);
}

void pl__reply_query_error(struct pl_http_req *req, const char *before,
                           const struct pl_query_error *err)
{
    char text[1024];
    struct pl_buf out = PL_BUF_INIT;
    int status = pl__status_of(PL_EPARSE);
    snprintf(text, sizeof(text), "%s%s", before, err->text);
    prometheus_error(&out, status, pl_str_c(text), err->hint);
    pl__reply_json(req, status, &out);
}

void pl__reply_json(struct pl_http_req *req, int status, struct pl_buf *json)
{
    if (json->failed) {
        pl_buf_fini(json);
        pl_http_reply_text(req, 503, "out of memory\n");
        return;
    }
    pl_http_reply(req, status, "application/json", json);
}
