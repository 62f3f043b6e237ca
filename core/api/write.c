/* See write.h. Threads: the request's loop; `written` on the store's apply thread, from where the
 * answer is posted back to the loop. */
#include "core/api/write.h"

struct pl_write *pl__write_new(struct pl_api *a, struct pl_http_req *req,
                               void (*answer)(struct pl_write *w))
{
    struct pl_write *w = pl_arena_zalloc(&req->arena, sizeof(*w));
    if (!w) {
        pl__reply_error(req, PL_ENOMEM, "out of memory");
        return NULL;
    }
    w->api = a;
    w->req = req;
    w->answer = answer;
    w->begun_ns = pl_mono_ns(a->conf.clock);
    return pl__tenant(a, req, true, &w->tenant) ? w : NULL;
}

static struct pl_buf *room_of(struct pl_write *w)
{
    return &w->api->rooms[pl_loop_index(w->req->loop)];
}

static int inflate(struct pl_write *w, bool snappy, pl_str *body)
{
    size_t max = w->api->conf.max_inflated_bytes;
    struct pl_buf *room = room_of(w);
    if (!snappy || pl_http_header(w->req, "Content-Encoding").n) {
        return pl_http_body_decode(w->req, max, room, body);
    }
    pl_buf_clear(room);
    int e = pl_snappy_decode(w->req->body, max, room);
    *body = pl_buf_view(room);
    return e;
}

static const char *inflate_words(int err)
{
    switch (err) {
    case PL_ELIMIT:
        return "the body inflates to more than --max-inflated-bytes: send less in one request";
    case PL_EUNSUPPORTED:
        return "Content-Encoding is not one of gzip, zstd, deflate, snappy";
    case PL_EBUSY:
        return "the bodies under way take --http-max-inflight-bytes: try again";
    case PL_ENOMEM:
        return "out of memory";
    default:
        return "the body is not what its Content-Encoding says";
    }
}

bool pl__write_open(struct pl_write *w, bool snappy, struct pl_batch **b, pl_str *body)
{
    int e = pl_batch_new(w->tenant, b);
    if (e < 0) {
        w->err = e;
        pl__write_error(w);
        return false;
    }
    e = inflate(w, snappy, body);
    if (e == 0) {
        return true;
    }
    pl_batch_free(*b);
    bool unnamed = snappy && !pl_http_header(w->req, "Content-Encoding").n;
    pl__reply_error(w->req, e == PL_ECORRUPT ? PL_EPARSE : e, "%s",
                    e == PL_ECORRUPT && unnamed ? "the body is not snappy (block format)"
                                                : inflate_words(e));
    return false;
}

/* The decoder is through with the body: keep the usual room, give back the unusual. */
static void close_room(struct pl_write *w)
{
    struct pl_buf *room = room_of(w);
    if (room->cap > 16u << 20) {
        pl_buf_fini(room);
    }
}

static void answer(struct pl_task *task)
{
    struct pl_write *w = (struct pl_write *)task;
    pl_histo_observe(w->api->write_seconds,
                     (double)(pl_mono_ns(w->api->conf.clock) - w->begun_ns) / 1e9);
    if (w->err < 0) {
        pl__write_error(w);
    } else {
        w->answer(w);
    }
}

static void written(struct pl_batch *b, int err)
{
    struct pl_write *w = b->user;
    w->err = err;
    pl_batch_free(b);
    pl_loop_post(w->req->loop, &w->task);
}

void pl__write_commit(struct pl_write *w, struct pl_batch *b, int err)
{
    w->task.run = answer;
    w->accepted = b->n;
    close_room(w);
    if (err < 0) {
        if (w->producer.p) {
            pl_idem_abort(w->tenant, w->producer, w->key, err);
        }
        w->err = err;
        pl_batch_free(b);
        answer(&w->task);
        return;
    }
    b->user = w;
    pl_batch_write(b, written);
}

const char *pl__write_words(int err)
{
    switch (err) {
    case PL_EBUSY:
        return "too much waits to be written (--journal-queue-bytes): try again";
    case PL_ENOSPC:
        return "the disk is nearly full (--disk-reserve-bytes): writes are taken again when there "
               "is room";
    case PL_EREADONLY:
        return "a sync of the journal failed: writes are refused until the server is restarted; "
               "the log names the file";
    case PL_ECLOSED:
        return "shutting down";
    case PL_ELIMIT:
        return "over 8M samples, or on more days than --max-batch-partitions: send less in one "
               "request";
    default:
        return pl_err_text(err);
    }
}

void pl__write_error(struct pl_write *w)
{
    bool own = w->err == PL_EBUSY || w->err == PL_ENOSPC || w->err == PL_EREADONLY ||
               w->err == PL_ECLOSED || !w->report.error[0];
    pl__reply_error(w->req, w->err, "%s", own ? pl__write_words(w->err) : w->report.error);
}

static void reject_text(struct pl_buf *out, const struct pl_ingest_report *r,
                        const struct pl_reject *j)
{
    pl_buf_f(out, "%s %llu: %s", r->unit, (unsigned long long)j->at, pl_reject_text(j->why));
    if (j->text[0]) {
        pl_buf_f(out, ": %s", j->text);
    }
}

void pl__report_text(struct pl_buf *out, const struct pl_ingest_report *r)
{
    pl_buf_f(out, "%llu rejected: ", (unsigned long long)r->rejected);
    for (size_t i = 0; i < r->n_first; i++) {
        if (i) {
            pl_buf_z(out, "; ");
        }
        reject_text(out, r, &r->first[i]);
    }
    if (r->n_first == PL_REJECTS_SHOWN && r->rejected > r->n_first) {
        pl_buf_z(out, "; ...");
    }
}

void pl__report_json(struct pl_buf *out, size_t accepted, const struct pl_ingest_report *r)
{
    struct pl_json_w w = pl_json_w(out);
    pl_json_obj(&w);
    pl_json_key(&w, "status");
    pl_json_str(&w, PL_STR("success"));
    pl_json_key(&w, "data");
    pl_json_obj(&w);
    pl_json_key(&w, "accepted");
    pl_json_i64(&w, (int64_t)accepted);
    pl_json_key(&w, "rejected");
    pl_json_i64(&w, (int64_t)r->rejected);
    if (r->rejected) {
        pl_json_key(&w, "rejects");
        pl_json_arr(&w);
        for (size_t i = 0; i < r->n_first; i++) {
            const struct pl_reject *j = &r->first[i];
            pl_json_obj(&w);
            pl_json_key(&w, r->unit);
            pl_json_i64(&w, (int64_t)j->at);
            pl_json_key(&w, "reason");
            pl_json_str(&w, pl_str_c(pl_reject_label(j->why)));
            pl_json_key(&w, "text");
            struct pl_buf text = PL_BUF_INIT;
            reject_text(&text, r, j);
            pl_json_str(&w, pl_buf_view(&text));
            pl_buf_fini(&text);
            pl_json_obj_end(&w);
        }
        pl_json_arr_end(&w);
    }
    pl_json_obj_end(&w);
    pl_json_obj_end(&w);
}
