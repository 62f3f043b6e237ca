/* Coarse timeouts: a list per span, appended at the tail, so that its head is due first. Starting
 * and stopping cost a few stores; 10,000 idle connections cost a tick nothing. */
#include "core/net/timeout.h"

void pl__timeouts_init(struct pl__timeouts *ts, int64_t span_ms,
                       void (*expired)(struct pl__timeout *t))
{
    pl__list_init(&ts->list);
    ts->span_ms = span_ms;
    ts->expired = expired;
}

void pl__timeout_stop(struct pl__timeout *t)
{
    pl__list_remove(&t->link);
    t->in = NULL;
}

void pl__timeout_start(struct pl__timeouts *ts, struct pl__timeout *t, int64_t now_ms)
{
    pl__timeout_stop(t);
    if (ts->span_ms > 0) {
        t->in = ts;
        t->deadline_ms = now_ms + ts->span_ms;
        pl__list_append(&ts->list, &t->link);
    }
}

void pl__timeout_keep(struct pl__timeouts *ts, struct pl__timeout *t, int64_t now_ms)
{
    if (t->in != ts) {
        pl__timeout_start(ts, t, now_ms);
    }
}

void pl__timeouts_tick(struct pl__timeouts *ts, int64_t now_ms)
{
    while (!pl__list_empty(&ts->list)) {
        struct pl__timeout *t = PL__CONTAINER(ts->list.next, struct pl__timeout, link);
        if (t->deadline_ms > now_ms) {
            break;
        }
        pl__timeout_stop(t);
        ts->expired(t);
    }
}
