/* A blocking HTTP client on libcurl: one easy handle, which keeps its connection. Any one thread at
 * a time, never a loop. */
#include "core/net/client.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT_MS 10000L
#define STALL_SECONDS      300L /* without a byte: given up */

struct pl_client {
    CURL *curl;
    char *base; /* without a slash at the end */
    char *tenant;
};

struct transfer {
    struct pl_buf *body;
    int (*on_data)(void *ctx, pl_str part);
    void *ctx;
    bool stopped;
};

int pl_client_new(const char *base_url, const char *tenant, struct pl_client **out)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) { /* counted, and thread-safe since 7.84 */
        return PL_ENOMEM;
    }
    struct pl_client *c = calloc(1, sizeof(*c));
    if (c) {
        c->curl = curl_easy_init();
        c->base = strdup(base_url);
        c->tenant = tenant ? strdup(tenant) : NULL;
    }
    if (!c || !c->curl || !c->base || (tenant && !c->tenant)) {
        if (c) {
            pl_client_free(c);
        } else {
            curl_global_cleanup();
        }
        return PL_ENOMEM;
    }
    size_t n = strlen(c->base);
    while (n && c->base[n - 1] == '/') {
        c->base[--n] = 0;
    }
    *out = c;
    return 0;
}

void pl_client_free(struct pl_client *c)
{
    if (c) {
        if (c->curl) {
            curl_easy_cleanup(c->curl);
        }
        free(c->base);
        free(c->tenant);
        free(c);
        curl_global_cleanup();
    }
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    if (t->on_data) {
        t->stopped = t->on_data(t->ctx, (pl_str){p, size * n}) < 0;
        return t->stopped ? 0 : size * n;
    }
    pl_buf_add(t->body, p, size * n);
    return t->body->failed ? 0 : size * n;
}

static struct curl_slist *add_header(struct curl_slist *list, bool *failed, const char *name,
                                     const char *value)
{
    char line[512];
    int n = snprintf(line, sizeof(line), value[0] ? "%s: %s" : "%s:", name, value);
    struct curl_slist *l = n > 0 && (size_t)n < sizeof(line) ? curl_slist_append(list, line) : NULL;
    *failed |= !l;
    return l ? l : list;
}

static int perform(struct pl_client *c, const char *method, const char *path,
                   const char *content_type, const char *content_encoding, pl_str body,
                   struct transfer *t, char *why, size_t n_why)
{
    char error[CURL_ERROR_SIZE] = "";
    CURL *curl = c->curl;
    struct curl_slist *headers = NULL;
    bool failed = false, has_body = body.p != NULL;
    size_t n_url = strlen(c->base) + strlen(path) + 1;
    char *url = malloc(n_url);
    int r = url ? 0 : PL_ENOMEM;
    if (r < 0) {
        goto out;
    }
    snprintf(url, n_url, "%s%s", c->base, path);
    if (content_type) {
        headers = add_header(headers, &failed, "Content-Type", content_type);
    }
    if (content_encoding) {
        headers = add_header(headers, &failed, "Content-Encoding", content_encoding);
    }
    if (c->tenant) {
        headers = add_header(headers, &failed, "X-Scope-OrgID", c->tenant);
    }
    headers = add_header(headers, &failed, "Expect", ""); /* saves a round trip */
    curl_easy_reset(curl);                                /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (has_body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    } else {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    }
    CURLcode code = failed ? CURLE_OUT_OF_MEMORY : curl_easy_perform(curl);
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && t->stopped)) {
        snprintf(why, n_why, "%s: %s", c->base, error[0] ? error : curl_easy_strerror(code));
        r = code == CURLE_OUT_OF_MEMORY ? PL_ENOMEM : PL_EIO;
    }
out:
    curl_slist_free_all(headers);
    free(url);
    return r;
}

static int status_of(struct pl_client *c)
{
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

int pl_client_do(struct pl_client *c, const char *method, const char *path,
                 const char *content_type, const char *content_encoding, pl_str body,
                 struct pl_client_reply *out, char *why, size_t n_why)
{
    struct pl_client_reply reply = {.retry_after_s = -1};
    struct transfer t = {.body = &reply.body};
    int r = perform(c, method, path, content_type, content_encoding, body, &t, why, n_why);
    if (r < 0) {
        pl_buf_fini(&reply.body);
        return r;
    }
    reply.status = status_of(c);
    char *type = NULL;
    struct curl_header *h = NULL;
    if (curl_easy_getinfo(c->curl, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type) {
        snprintf(reply.content_type, sizeof(reply.content_type), "%s", type);
    }
    if (curl_easy_header(c->curl, "Retry-After", 0, CURLH_HEADER, -1, &h) == CURLHE_OK) {
        int64_t s;
        if (pl_str_i64(pl_str_trim(pl_str_c(h->value)), &s) == 0 && s >= 0) {
            reply.retry_after_s = s;
        }
    }
    *out = reply;
    return 0;
}

int pl_client_stream(struct pl_client *c, const char *method, const char *path,
                     const char *content_type, pl_str body, int (*on_data)(void *ctx, pl_str part),
                     void *ctx, int *status, char *why, size_t n_why)
{
    struct transfer t = {.on_data = on_data, .ctx = ctx};
    int r = perform(c, method, path, content_type, NULL, body, &t, why, n_why);
    if (r == 0) {
        *status = status_of(c);
    }
    return r;
}

void pl_client_reply_fini(struct pl_client_reply *r) { pl_buf_fini(&r->body); }
