/* See session.h. A session's table is dense: 4 bytes a handle, grown by doubling; beside it the
 * labels as they were sent, since an id may end while a client goes on using its handle. */
#include "core/ingest/session.h"
#include "core/store/store.h"
#include <stdlib.h>
#include <sys/random.h>

#define IDLE_MS (60 * 60 * 1000)

struct kept {
    uint32_t n;
    bool json;
    char p[];
};

struct pl_session {
    struct pl_tenant *tenant;
    uint32_t generation; /* of the tenant, when the table was filled */
    uint32_t *ids;
    struct kept **kept; /* NULL, or as many as ids */
    size_t n, cap;
    /* of a session with a token; under the lock of its pl_sessions */
    struct pl_session *next;
    char token[33];
    int64_t used_ms;
    bool borrowed;
};

int pl_session_new(struct pl_tenant *t, struct pl_session **out)
{
    struct pl_session *s = calloc(1, sizeof(*s));
    if (!s) {
        return PL_ENOMEM;
    }
    s->tenant = t;
    s->generation = pl_tenant_generation(t);
    *out = s;
    return 0;
}

void pl_session_free(struct pl_session *s)
{
    if (s) {
        for (size_t i = 0; s->kept && i < s->n; i++) {
            free(s->kept[i]);
        }
        free(s->kept);
        free(s->ids);
        free(s);
    }
}

void pl_session_renew(struct pl_session *s,
                      int (*intern)(void *ctx, pl_str labels, bool json, uint32_t *id), void *ctx)
{
    uint32_t now = pl_tenant_generation(s->tenant);
    if (now == s->generation) {
        return;
    }
    s->generation = now;
    for (size_t i = 0; i < s->n; i++) {
        const struct kept *k = s->kept ? s->kept[i] : NULL;
        if (!k || intern(ctx, pl_str_mem(k->p, k->n), k->json, &s->ids[i]) < 0) {
            s->ids[i] = PL_HANDLE_NONE;
        }
    }
}

int pl_session_keep(struct pl_session *s, uint32_t handle, pl_str labels, bool json)
{
    if (handle >= s->n) {
        return PL_ENOTFOUND;
    }
    if (!s->kept && !(s->kept = calloc(s->cap, sizeof(struct kept *)))) {
        return PL_ENOMEM;
    }
    struct kept *k = malloc(sizeof(*k) + labels.n);
    if (!k) {
        return PL_ENOMEM;
    }
    k->n = (uint32_t)labels.n;
    k->json = json;
    memcpy(k->p, labels.p, labels.n);
    free(s->kept[handle]);
    s->kept[handle] = k;
    return 0;
}

static int grow(struct pl_session *s, uint32_t handle)
{
    size_t cap = s->cap ? s->cap : 64;
    while (cap <= handle) {
        cap *= 2;
    }
    uint32_t *ids = realloc(s->ids, cap * sizeof(*ids));
    if (!ids) {
        return PL_ENOMEM;
    }
    s->ids = ids;
    if (s->kept) {
        struct kept **kept = realloc(s->kept, cap * sizeof(struct kept *));
        if (!kept) {
            return PL_ENOMEM;
        }
        memset(kept + s->cap, 0, (cap - s->cap) * sizeof(struct kept *));
        s->kept = kept;
    }
    s->cap = cap;
    return 0;
}

int pl_session_define(struct pl_session *s, uint32_t handle, uint32_t id)
{
    if (handle >= PL_SESSION_HANDLES_MAX) {
        return PL_ELIMIT;
    }
    if (handle >= s->cap) {
        int e = grow(s, handle);
        if (e < 0) {
            return e;
        }
    }
    while (s->n <= handle) {
        s->ids[s->n++] = PL_HANDLE_NONE;
    }
    s->ids[handle] = id;
    return 0;
}

const uint32_t *pl_session_table(struct pl_session *s, size_t *n)
{
    *n = s->n;
    return s->ids;
}

/* Sessions by token, in a hash table of lists. */
#define BUCKETS 1024

struct pl_sessions {
    pthread_mutex_t lock;
    const struct pl_clock *clock;
    size_t n, max;
    struct pl_session *buckets[BUCKETS];
};

int pl_sessions_new(const struct pl_clock *clock, size_t max, struct pl_sessions **out)
{
    struct pl_sessions *ss = calloc(1, sizeof(*ss));
    if (!ss) {
        return PL_ENOMEM;
    }
    pthread_mutex_init(&ss->lock, NULL);
    ss->clock = clock;
    ss->max = max;
    *out = ss;
    return 0;
}

void pl_sessions_free(struct pl_sessions *ss)
{
    if (!ss) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (ss->buckets[i]) {
            struct pl_session *s = ss->buckets[i];
            ss->buckets[i] = s->next;
            pl_session_free(s);
        }
    }
    pthread_mutex_destroy(&ss->lock);
    free(ss);
}

/* Locked. */
static void end_idle(struct pl_sessions *ss, int64_t now)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct pl_session **at = &ss->buckets[i]; *at;) {
            struct pl_session *s = *at;
            if (!s->borrowed && now - s->used_ms > IDLE_MS) {
                *at = s->next;
                ss->n--;
                pl_session_free(s);
            } else {
                at = &s->next;
            }
        }
    }
}

static struct pl_session **bucket_of(struct pl_sessions *ss, pl_str token)
{
    return &ss->buckets[pl_hash64(token.p, token.n, 0) % BUCKETS];
}

int pl_sessions_open(struct pl_sessions *ss, struct pl_tenant *t, char *token)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[16];
    struct pl_session *s;
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return PL_EIO;
    }
    int e = pl_session_new(t, &s);
    if (e < 0) {
        return e;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        s->token[2 * i] = hex[bytes[i] >> 4];
        s->token[2 * i + 1] = hex[bytes[i] & 15];
    }
    memcpy(token, s->token, sizeof(s->token));
    pthread_mutex_lock(&ss->lock);
    s->used_ms = pl_now_ms(ss->clock);
    if (ss->n >= ss->max) {
        end_idle(ss, s->used_ms);
    }
    bool room = ss->n < ss->max;
    if (room) {
        struct pl_session **b = bucket_of(ss, pl_str_c(s->token));
        s->next = *b;
        *b = s;
        ss->n++;
    }
    pthread_mutex_unlock(&ss->lock);
    if (!room) {
        pl_session_free(s);
        return PL_ELIMIT;
    }
    return 0;
}

int pl_sessions_get(struct pl_sessions *ss, struct pl_tenant *t, pl_str token,
                    struct pl_session **out)
{
    pthread_mutex_lock(&ss->lock);
    int64_t now = pl_now_ms(ss->clock);
    struct pl_session *s = *bucket_of(ss, token);
    while (s && !(s->tenant == t && pl_str_eq(pl_str_c(s->token), token))) {
        s = s->next;
    }
    int e = !s || (!s->borrowed && now - s->used_ms > IDLE_MS) ? PL_ENOTFOUND
            : s->borrowed                                      ? PL_EBUSY
                                                               : 0;
    if (e == 0) {
        s->borrowed = true;
        s->used_ms = now;
        *out = s;
    }
    pthread_mutex_unlock(&ss->lock);
    return e;
}

void pl_sessions_put(struct pl_sessions *ss, struct pl_session *s)
{
    pthread_mutex_lock(&ss->lock);
    s->borrowed = false;
    s->used_ms = pl_now_ms(ss->clock);
    pthread_mutex_unlock(&ss->lock);
}
