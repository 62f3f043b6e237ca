/* The latest samples of many series: what an instant query needs of each. The series of a run are
 * walked through pack by pack; of each chunk the place of the sample is found once for all series
 * that share its timestamps. Series that do not stand as most do (in several packs, with damage,
 * with histograms, under a tombstone) are left to pl__db_read. Any thread, one cursor. */
#include "core/store/db_cursor.h"

/** Where the latest sample stands in a column of timestamps. */
struct place {
    const struct pl_chunk *chunks; /* of which pack */
    uint32_t tcol_ix;
    int at; /* < 0: there is none in the range, or an error */
    int64_t t;
};

/** The sample of chunk i that is the latest in [t0, t1]. */
static void find_place(struct pl_pack *p, uint32_t i, int64_t t0, int64_t t1, struct place *x)
{
    const int64_t *t;
    int n = pl_pack_times(p, i, &t);
    x->chunks = p->chunks;
    x->tcol_ix = p->chunks[i].tcol_ix;
    x->at = n < 0 ? -2 : n - 1;
    while (x->at >= 0 && t[x->at] > t1) {
        x->at--;
    }
    if (x->at >= 0 && t[x->at] < t0) {
        x->at = -1;
    }
    x->t = x->at >= 0 ? t[x->at] : 0;
}

/** The last of chunks [from, to) of one series that begins in time; to: none. */
static uint32_t last_chunk(const struct pl_pack *p, uint32_t from, uint32_t to, int64_t t0,
                           int64_t t1)
{
    for (uint32_t i = to; i > from; i--) {
        if (p->chunks[i - 1].t0 <= t1) {
            return p->chunks[i - 1].t1 >= t0 ? i - 1 : to;
        }
    }
    return to;
}

/** The series' chunks in the open pack. false: this is not the way to read it. */
static bool take(struct pl__slot *s, uint32_t id, int64_t t0, int64_t t1, struct place *x,
                 struct pl_latest *out, struct pl_read_stats *stats)
{
    double v[PL_CHUNK_MAX];
    uint32_t from, to;
    if (pl_pack_find(&s->pack, id, &from, &to) < 0) {
        return s->ids && !roaring_bitmap_contains(s->ids, id);
    }
    uint32_t i = last_chunk(&s->pack, from, to, t0, t1);
    if (i == to) {
        return true;
    }
    const struct pl_chunk *c = &s->pack.chunks[i];
    if (c->type != PL_SAMPLE_FLOAT) {
        return false;
    }
    if (x->chunks != s->pack.chunks || x->tcol_ix != c->tcol_ix) {
        find_place(&s->pack, i, t0, t1, x);
    }
    if (x->at < 0 || x->t < out->t) {
        return x->at >= -1;
    }
    if (pl_pack_values(&s->pack, i, v) < 0) {
        return false;
    }
    *out = (struct pl_latest){x->t, v[x->at]};
    stats->chunks++;
    stats->samples++;
    return true;
}

/** One series of a run. */
static bool latest(struct pl_cursor *c, struct pl__slot *s, uint32_t id, int64_t t0, int64_t t1,
                   struct place *x, struct pl_latest *out, struct pl_read_stats *stats)
{
    if (!pl__slot_stands_on(s, id)) {
        if (s->ids && !roaring_bitmap_contains(s->ids, id)) {
            return true;
        }
        if (s->bad || pl__slot_seek(s, c->view->shares, id, stats) < 0) {
            return false;
        }
        x->chunks = NULL; /* another pack may lie where one was */
    }
    /* the last series of a pack may go on in the next one */
    return s->pack.last_id != id && take(s, id, t0, t1, x, out, stats);
}

/** Leave to reading what lies under a tombstone. */
static void leave_erased(const struct pl_view *v, const struct pl__slot *s, const uint32_t *ids,
                         size_t n, struct pl_latest *out)
{
    for (size_t k = 0; k < v->state->n_tombs; k++) {
        for (size_t i = 0; i < n && pl__slot_erased(s, v->state->tombs[k]); i++) {
            if (roaring_bitmap_contains(v->state->tombs[k]->ids, ids[i])) {
                out[i].t = PL_LATEST_READ;
            }
        }
    }
}

void pl__db_latest(struct pl_cursor *c, const uint32_t *ids, size_t n, int64_t t0, int64_t t1,
                   struct pl_latest *out, struct pl_read_stats *stats)
{
    struct pl_view *v = c->view;
    struct pl_read_stats ignored = {0};
    stats = stats ? stats : &ignored;
    for (size_t k = 0; k < v->n_runs; k++) { /* in order of their numbers within a day */
        struct pl__slot *s = &c->slots[k];
        struct place x = {.chunks = NULL};
        if (s->run->m.t_min > t1 || s->run->m.t_max < t0) {
            continue;
        }
        leave_erased(v, s, ids, n, out);
        bool good = (s->ready || pl__slot_prepare(c, s) >= 0) && !s->failed;
        for (size_t i = 0; i < n; i++) {
            if (out[i].t != PL_LATEST_READ &&
                !(good && latest(c, s, ids[i], t0, t1, &x, &out[i], stats))) {
                out[i].t = PL_LATEST_READ;
            }
        }
    }
}
