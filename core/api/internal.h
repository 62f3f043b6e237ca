/* What the endpoint files share. Internal to api. */
#pragma once
#include "core/api/api.h"
#include "core/codec/codec.h"
#include "core/ingest/ingest.h"
#include "core/query/query.h"

#define PL__FLIGHTS   256         /* buckets */
#define PL__ARENA_MAX (64u << 20) /* of what a request is parsed into */
#define PL__TOOK      4096        /* texts whose duration is remembered */
#define PL__LIGHT     4096        /* shapes of light queries */

/** queue.c: jobs that wait for a thread; locked by `lock`, a leaf. */
struct pl_queries {
    pthread_mutex_t lock;
    struct pl__turn *ring; /* whose turn it is */
    size_t n_ring, n_running, n_long, max_long;
    struct pl_node *aside; /* tickets */
};
struct pl_api {
    struct pl_api_conf conf;
    struct pl_http_handler http;
    struct pl_stream_handler stream;
    struct pl_ingest **ingest; /* one per loop */
    struct pl_buf *rooms;      /* one per loop: bodies are inflated here, one after another */
    size_t n_loops;
    struct pl_sessions *sessions;
    int64_t started_ms;
    _Atomic bool ready;
    pthread_mutex_t flights_lock; /* a leaf */
    struct pl_job *flights[PL__FLIGHTS];
    struct pl_queries waiting;
    struct pl_query_budget budget;
    _Atomic uint32_t took_ms[PL__TOOK];
    _Atomic uint64_t light[PL__LIGHT];
    _Atomic uint64_t queries_waiting, backup_done, backup_total;
    pthread_mutex_t active_lock; /* a leaf */
    struct pl__active *active;   /* active_lock: queries that wait or run, newest first */
    uint64_t active_id;          /* active_lock: of the newest */
    struct pl_counter *queries, *queries_on_loop, *query_errors, *query_refused, *query_samples;
    struct pl_histo *query_seconds, *write_seconds;
};

typedef void (*pl_endpoint)(struct pl_api *a, struct pl_http_req *req);

enum { PL_M_GET = 1, PL_M_POST = 2, PL_M_PUT = 4, PL_M_DELETE = 8 };
struct pl_route {
    unsigned methods;
    const char *path; /* `*` stands for one whole segment */
    pl_endpoint run;
    bool writes;      /* refused at the headers while the store does not take writes */
    const char *help; /* for the page at / */
};
extern const struct pl_route pl__routes[];
extern const size_t pl__n_routes;

/* reply.c */
/** Prometheus' error object: errorType and status by err; fmt as printf. */
void pl__reply_error(struct pl_http_req *req, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** An expression that cannot be read: 400, its words behind `before`, and its hint. */
void pl__reply_query_error(struct pl_http_req *req, const char *before,
                           const struct pl_query_error *err);
void pl__reply_json(struct pl_http_req *req, int status, struct pl_buf *json);
/** InfluxDB's error object: {"code":..,"message":..,"error":..}. */
void pl__influx_error(struct pl_buf *out, int status, pl_str text);
int pl__status_of(int err);
/** "key": "2024-01-02T03:04:05.678Z"; status.c */
void pl__json_time(struct pl_json_w *w, const char *key, int64_t ms);

/* params.c: times as RFC 3339 or seconds; errors are answered here (false: request is gone). */
bool pl__tenant(struct pl_api *a, struct pl_http_req *req, bool create, struct pl_tenant **out);
/** @param name  parameter; absent: out is untouched */
bool pl__time_param(struct pl_http_req *req, const char *name, int64_t *out_ms);
bool pl__duration_param(struct pl_http_req *req, const char *name, int64_t *out_ms);
/** A limit in Prometheus' words: 0 (the default) is none, negative ones are refused. */
bool pl__limit_param(struct pl_http_req *req, const char *name, uint64_t *out);
/** Is a parameter a boolean, as Go takes it, or absent? */
bool pl__bool_param(struct pl_http_req *req, const char *name);
/** The i-th segment (0-based) of the path. */
pl_str pl__segment(pl_str path, size_t i);
/** The name behind `U__...` (Prometheus' escaping in paths); series.c. */
pl_str pl__unescape_name(struct pl_arena *arena, pl_str name);
/** All match[] parameters, parsed; free with pl__selectors_fini. */
struct pl__selectors {
    struct pl_selector *sel;
    size_t n;
    struct pl_arena arena;
};
bool pl__selectors(struct pl_http_req *req, struct pl__selectors *out);
void pl__selectors_fini(struct pl__selectors *s);

/* accept.c */
enum pl__format { PL__JSON, PL__MSGPACK, PL__CSV };
/** The format that an Accept header asks for; JSON where it names none of ours. */
enum pl__format pl__accept(pl_str header);
const char *pl__content_type(enum pl__format f);

enum pl__stats { PL__STATS_NONE, PL__STATS_SOME, PL__STATS_ALL }; /* of a query: what is told */

/* job.c: work on a pool for a request, and the answer back on its loop. */
struct pl_job_args { /* what the endpoint read from the request; what it needs of these */
    struct pl_tenant *tenant;
    pl_str text;
    int64_t t0, t1, step;
    int64_t lookback_ms; /* 0: as configured */
    uint64_t limit;
    int64_t deadline_ns; /* by the mono clock; 0: none */
    enum pl__stats stats;
    enum pl__format format;
    const char *listed; /* a query that status/queries shows: its kind */
    bool strict;        /* no extensions of PromQL */
    bool analyze;       /* explain: run it, too */
    bool repeats;       /* the same request means the same again: its answer may be kept */
    bool nocache;       /* set by pl__job_start */
    struct pl__selectors sel;
};
/* active.c: what status/queries shows of a job. */
struct pl__active {
    struct pl__active *prev, *next; /* api->active_lock */
    uint64_t id;                    /* 0: not listed */
    int64_t started_ms;
    _Atomic uint64_t samples; /* read so far */
    _Atomic bool running, killed;
    bool sends; /* active_lock: its answer is sent in pieces */
};
/* pieces.c */
#define PL__PIECE ((size_t)1 << 20) /* about what a piece of an answer has */
struct pl__pieces_ops {
    /** Append about PL__PIECE bytes to the job's out. 1: that was all; 0: there is more. Pool. */
    int (*fill)(struct pl_job *job);
    /** An error after a part of the answer: what to add to `out`. NULL: the connection is cut. */
    void (*last_words)(struct pl_job *job, int err);
    /** The same answer from its begin, for one that waited with it. NULL: out of memory. */
    void *(*share)(void *state);
    void (*free)(void *state);
};
struct pl__pieces {                   /* of a job */
    const struct pl__pieces_ops *ops; /* NULL: its answer is whole */
    void *state;
    struct pl_gzip *gzip;
    struct pl_loop *loop;
    struct pl_task kill;
    int rc;           /* of the last piece, as fill */
    bool zips;        /* loop */
    bool busy, ended; /* loop: the pool has it; the request is gone */
    bool kill_posted; /* active_lock, until it is not in the list any more */
};
struct pl_job {
    struct pl_task task;
    struct pl_api *api;
    struct pl_http_req *req;
    struct pl_job_args args;
    void (*work)(struct pl_job *job); /* on the pool: fills out, status */
    struct pl_buf out;
    struct pl__pieces pieces;
    int status;
    const char *content_type;
    int64_t begun_ns, queue_ns; /* when it came, and how long it waited */
    struct pl__active active;
    _Atomic bool cancel;         /* set when nobody waits for it any more, or it is killed */
    struct pl_job *waiting_next; /* queue.c */
    bool is_long;
    bool light, heavy; /* light.c: runs on its loop; is more than that */
    /* cached.c */
    struct pl_buf key; /* empty: its answer is not shared */
    uint64_t key_hash;
    bool keep;   /* set by the work, with the span */
    bool zipped; /* out is gzip */
    bool snappy; /* out is that */
    struct pl_query_span span;
    struct pl_query_mark mark; /* as is the rest: flights_lock */
    bool running;
    size_t n_alive; /* clients that wait for it */
    struct pl_job *flight_next, *leader, *followers;
};
/** args (may be NULL) are copied, their selectors taken. Submits to the pool; answers itself when
 * it cannot: 503 where `limited` and too many wait already. */
void pl__job_start(struct pl_api *a, struct pl_http_req *req, struct pl_pool *pool, bool limited,
                   void (*work)(struct pl_job *job), const struct pl_job_args *args);
void pl__job_error(struct pl_job *job, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** The error of a query: its words behind `before`, and its hint. */
void pl__job_query_error(struct pl_job *job, int err, const char *before,
                         const struct pl_query_error *why);

/** Do the work, and send the answer. Pool. */
void pl__job_run(struct pl_job *job);
void pl__job_free(struct pl_job *job);

/* pieces.c */
/** Write an answer (what is told by ops and state, which are taken) until it has `most` bytes. If
 * that is all it is whole, and the state freed; else the rest is sent in pieces when the work is
 * over. < 0: out is of no use. Pool. */
int pl__pieces_first(struct pl_job *job, const struct pl__pieces_ops *ops, void *state,
                     size_t most);
/** Send the answer of a job in pieces, the first of which is there or not; the job is taken. Loop.
 */
void pl__pieces_begin(struct pl_job *job);
/** A follower gets the same answer in pieces of its own. Pool. */
void pl__pieces_share(const struct pl_job *job, struct pl_job *follower);
/** There are no pieces after all. */
void pl__pieces_drop(struct pl_job *job);

/* active.c */
/** Enter a job into the list of queries, before another thread can have it; and take it out, before
 *  its request is answered. Loop. */
void pl__active_add(struct pl_job *job);
void pl__active_remove(struct pl_job *job);
/** From now on its answer is sent in pieces: a kill is posted to its loop. Loop. */
void pl__active_sends(struct pl_job *job);

/* queue.c */
/** A job waits for its turn on the pool. PL_ENOMEM. */
int pl__queue_put(struct pl_api *a, struct pl_pool *pool, struct pl_job *job);
void pl__queue_init(struct pl_api *a);
void pl__queue_fini(struct pl_api *a);

/* light.c */
/** Run it here, on the loop, if it is known to be light: true, it has its answer. */
bool pl__light_run(struct pl_job *job);
/** What a query took on the pool. */
void pl__light_learn(struct pl_job *job, const struct pl_query_stats *s, int64_t ns);
/** The limits of one that runs on a loop. */
void pl__light_limits(const struct pl_job *job, struct pl_query_conf *conf);

/* cached.c: answers that are kept, and shared */
/** Answer from the cache: true, the request is gone. Else *key is set where the answer may be kept.
 */
bool pl__cached_answer(struct pl_api *a, struct pl_http_req *req, struct pl_job_args *args,
                       struct pl_buf *key);
/** Headers of a compressed answer. */
void pl__reply_zipped(struct pl_http_req *req);
/** The work says what the answer was made of: it may be kept. */
void pl__job_keep(struct pl_job *job, int64_t t0, int64_t t1, bool catalogue);
void pl__job_keep_result(struct pl_job *job, const struct pl_result *r);
/** Wait with one that is under way: true. Else others may wait with this one. */
bool pl__flight_join(struct pl_job *job);
/** The client has gone. */
void pl__flight_abort(struct pl_job *job);
void pl__flight_begin(struct pl_job *job);
/** Keep the answer; those that waited with it, linked by `followers`. */
struct pl_job *pl__flight_end(struct pl_job *job);

/* query_run.c */
/** The work of explain. */
void pl__explain_run(struct pl_job *job);
/** The work of query and query_range. */
void pl__query_run(struct pl_job *job);
/** The parameter `query`; what is missing is answered. */
bool pl__query_param(struct pl_http_req *req, pl_str *out);

/* result.c */
struct pl__shape {
    uint64_t limit; /* series at most, 0: all; a warning says that there were more */
    enum pl__stats stats;
    int64_t queue_ns;
    int64_t start, end, step; /* of the query; step 0: instant */
};
/** How far the writing of a result is; zeros to begin with, pl__cursor_fini to end with. */
struct pl__cursor {
    size_t series, point;
    unsigned part;   /* of the series */
    bool begun, any; /* the answer; the list of this part */
    pl_str *column;  /* CSV: names of labels */
    size_t n_columns;
};
void pl__cursor_fini(struct pl__cursor *at);
/** Append the series [from, to) of a list, each but the first with a comma before it. Any thread.
 */
void pl__result_json_series(struct pl_buf *out, const struct pl_result *r, size_t from, size_t to);
/** Append the next piece, until out has `full` bytes. true: that was all. */
bool pl__result_json_piece(struct pl_buf *out, const struct pl_result *r,
                           const struct pl__shape *shape, struct pl__cursor *at, size_t full);
bool pl__result_csv_piece(struct pl_buf *out, const struct pl_result *r,
                          const struct pl__shape *shape, struct pl__cursor *at, size_t full);
void pl__result_json(struct pl_buf *out, const struct pl_result *r, const struct pl__shape *shape);
void pl__result_msgpack(struct pl_buf *out, const struct pl_result *r,
                        const struct pl__shape *shape);
void pl__result_csv(struct pl_buf *out, const struct pl_result *r, const struct pl__shape *shape);
void pl__labels_msgpack(struct pl_buf *out, pl_str canon);
/** A column of texts; and a table of label sets, a column a name. */
void pl__texts_csv(struct pl_buf *out, const char *heading, const pl_str *text, size_t n);
void pl__labels_csv(struct pl_buf *out, const pl_str *canon, size_t n);

#define PL__TRUNCATED "results truncated due to limit" /* Prometheus' words */
/** A number as Go prints it with %g, shortest: 1e+06. At most 2 * PL_NUMBER_MAX. */
size_t pl__number_g(double v, char *out);
void pl__labels_json(struct pl_buf *out, pl_str canon);

/* endpoints */
void pl__ep_remote_write(struct pl_api *a, struct pl_http_req *req);
void pl__ep_import_prometheus(struct pl_api *a, struct pl_http_req *req);
void pl__ep_influx(struct pl_api *a, struct pl_http_req *req);
void pl__ep_influx_ping(struct pl_api *a, struct pl_http_req *req);
void pl__ep_push(struct pl_api *a, struct pl_http_req *req);
void pl__ep_push_session(struct pl_api *a, struct pl_http_req *req);
void pl__ep_query(struct pl_api *a, struct pl_http_req *req);
void pl__ep_query_range(struct pl_api *a, struct pl_http_req *req);
void pl__ep_query_exemplars(struct pl_api *a, struct pl_http_req *req);
void pl__ep_remote_read(struct pl_api *a, struct pl_http_req *req);
void pl__ep_federate(struct pl_api *a, struct pl_http_req *req);
void pl__ep_config(struct pl_api *a, struct pl_http_req *req);
void pl__ep_walreplay(struct pl_api *a, struct pl_http_req *req);
void pl__ep_snapshot(struct pl_api *a, struct pl_http_req *req);
void pl__ep_targets_metadata(struct pl_api *a, struct pl_http_req *req);
void pl__ep_scrape_pools(struct pl_api *a, struct pl_http_req *req);
void pl__ep_alertmanagers(struct pl_api *a, struct pl_http_req *req);
void pl__ep_notifications(struct pl_api *a, struct pl_http_req *req);
void pl__ep_lifecycle(struct pl_api *a, struct pl_http_req *req);
void pl__ep_queries(struct pl_api *a, struct pl_http_req *req);
void pl__ep_query_kill(struct pl_api *a, struct pl_http_req *req);
void pl__ep_format_query(struct pl_api *a, struct pl_http_req *req);
void pl__ep_explain(struct pl_api *a, struct pl_http_req *req);
void pl__ep_parse_query(struct pl_api *a, struct pl_http_req *req);
void pl__ep_series(struct pl_api *a, struct pl_http_req *req);
void pl__ep_labels(struct pl_api *a, struct pl_http_req *req);
void pl__ep_label_values(struct pl_api *a, struct pl_http_req *req);
void pl__ep_metadata(struct pl_api *a, struct pl_http_req *req);
void pl__ep_export(struct pl_api *a, struct pl_http_req *req);
void pl__ep_flush(struct pl_api *a, struct pl_http_req *req);
void pl__ep_compact(struct pl_api *a, struct pl_http_req *req);
void pl__ep_delete_series(struct pl_api *a, struct pl_http_req *req);
void pl__ep_clean_tombstones(struct pl_api *a, struct pl_http_req *req);
void pl__ep_scrub(struct pl_api *a, struct pl_http_req *req);
void pl__ep_backup(struct pl_api *a, struct pl_http_req *req);
void pl__ep_rules(struct pl_api *a, struct pl_http_req *req);
void pl__ep_alerts(struct pl_api *a, struct pl_http_req *req);
void pl__ep_targets(struct pl_api *a, struct pl_http_req *req);
void pl__ep_buildinfo(struct pl_api *a, struct pl_http_req *req);
void pl__ep_runtimeinfo(struct pl_api *a, struct pl_http_req *req);
void pl__ep_flags(struct pl_api *a, struct pl_http_req *req);
void pl__ep_tsdb(struct pl_api *a, struct pl_http_req *req);
void pl__ep_healthy(struct pl_api *a, struct pl_http_req *req);
void pl__ep_ready(struct pl_api *a, struct pl_http_req *req);
void pl__ep_metrics(struct pl_api *a, struct pl_http_req *req);
void pl__ep_page(struct pl_api *a, struct pl_http_req *req);

/* stream.c */
void pl__stream_init(struct pl_api *a);
