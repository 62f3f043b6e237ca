/* What Prometheus has and we have not, or not yet: targets, rules, alerts, Alertmanagers,
 * notifications. Its clients ask, and get the answer of a Prometheus that has none; what they ask
 * wrongly is an error all the same. Thread: loops. */
#include "core/api/internal.h"

static void none(struct pl_http_req *req, const char *data)
{
    struct pl_buf out = PL_BUF_INIT;
    pl_buf_f(&out, "{\"status\":\"success\",\"data\":%s}", data);
    pl__reply_json(req, 200, &out);
}

void pl__ep_rules(struct pl_api *a, struct pl_http_req *req)
{
    struct pl__selectors sel;
    pl_str type = pl_http_param(req, "type"), limit = pl_http_param(req, "group_limit");
    int64_t n = 1;
    (void)a;
    if (type.n && !pl_str_ieq(type, PL_STR("alert")) && !pl_str_ieq(type, PL_STR("record"))) {
        pl__reply_error(req, PL_EPARSE, "invalid parameter \"type\": not supported value \"%.*s\"",
                        PL_PRS(type));
    } else if (limit.n && (pl_str_i64(limit, &n) < 0 || n <= 0)) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"group_limit\": group_limit needs to be a valid number "
                        "and greater than 0");
    } else if (!limit.n && pl_http_param(req, "group_next_token").n) {
        pl__reply_error(req, PL_EPARSE,
                        "invalid parameter \"group_limit\": group_limit needs to be provided with "
                        "group_next_token");
    } else if (pl__bool_param(req, "exclude_alerts") && pl__selectors(req, &sel)) {
        pl__selectors_fini(&sel);
        none(req, "{\"groups\":[]}");
    }
}

void pl__ep_alerts(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "{\"alerts\":[]}");
}

void pl__ep_targets(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}");
}

void pl__ep_targets_metadata(struct pl_api *a, struct pl_http_req *req)
{
    pl_str limit = pl_http_param(req, "limit");
    int64_t n;
    (void)a;
    if (limit.n && pl_str_i64(limit, &n) < 0) {
        pl__reply_error(req, PL_EPARSE, "limit must be a number");
    } else {
        none(req, "[]");
    }
}

void pl__ep_scrape_pools(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "{\"scrapePools\":[]}");
}

void pl__ep_alertmanagers(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}");
}

void pl__ep_notifications(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    none(req, "[]");
}

void pl__ep_lifecycle(struct pl_api *a, struct pl_http_req *req)
{
    (void)a;
    if (req->method == PL_GET || req->method == PL_HEAD) {
        pl_http_reply_header(req, "Allow", PL_STR("POST, PUT"));
        pl_http_reply_text(req, 405, "Only POST or PUT requests allowed.\n");
    } else {
        pl_http_reply_text(req, 403,
                           "Lifecycle API is not enabled: settings are read at the start, and "
                           "SIGTERM ends the server.\n");
    }
}
