/* The table behind idempotency (batch.h): keyed requests with their replies, and the highest number
 * of each stream producer, of one tenant. Internal to store.
 *
 * Kept IDEM_KEEP_MS (24 h by the store's clock) after they became durable, at most `max` entries
 * and PL_IDEM_BYTES_MAX bytes of replies: the oldest go first. What is in flight is not counted.
 * Locked inside; any thread. Record (PL_RECORD_IDEM): docs/formats.md#idempotency. */
#pragma once
#include "core/base/base.h"
#include "core/store/batch.h"
#include "core/store/engine.h"

#define PL_IDEM_KEEP_MS   (24 * 3600 * 1000ll)
#define PL_IDEM_BYTES_MAX (64u << 20)
#define PL_IDEM_REPLY_MAX (64u << 10)
#define PL_IDEM_NAME_MAX  1024 /* bytes of a producer, and of a key */

struct pl_idem_table;
struct pl_frame_idem;

int pl_idem_table_new(uint32_t max, const struct pl_clock *clock, struct pl_idem_table **out);
void pl_idem_table_free(struct pl_idem_table *x);
/** As pl_idem_begin. PL_EINVAL (empty or too long), PL_ENOMEM. */
int pl_idem_table_begin(struct pl_idem_table *x, pl_str producer, pl_str key,
                        struct pl_idem_waiter *w, struct pl_buf *reply);
/** The one in flight failed: forget it, wake its waiters with err. */
void pl_idem_table_abort(struct pl_idem_table *x, pl_str producer, pl_str key, int err);
/** It is durable (apply thread, replay): keep it, wake its waiters with the reply. PL_ENOMEM: the
 *  waiters are woken all the same, and a repetition will not be known. */
int pl_idem_table_done(struct pl_idem_table *x, const struct pl_frame_idem *r);
uint64_t pl_idem_table_last(struct pl_idem_table *x, pl_str producer);
/** Emit what changed since the last save as records (also erasures of what is over). On failure the
 *  same comes again. */
int pl_idem_table_save(struct pl_idem_table *x, int (*emit)(void *ctx, const struct pl_record *r),
                       void *ctx);
/** A record comes back. PL_ECORRUPT, PL_ENOMEM. */
int pl_idem_table_load(struct pl_idem_table *x, pl_str key, pl_str value);
size_t pl_idem_table_count(struct pl_idem_table *x);
