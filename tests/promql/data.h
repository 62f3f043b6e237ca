/* What a test file has loaded: in a real store in a temporary directory, or in memory. */
#pragma once
#include "core/query/source_mem.h"
#include "core/store/store.h"

enum data_kind {
    DATA_STORE,   /* in the head of a store */
    DATA_FLUSHED, /* the same, flushed after each load, so that it is read from the engine */
    DATA_MEMORY,
};
struct data {
    enum data_kind kind;
    char dir[64];
    struct pl_clock_manual hand;
    struct pl_clock clock;
    struct pl_store *store;
    struct pl_tenant *tenant; /* a new one after each clear */
    unsigned n_tenants;
    struct pl_source_mem *mem;    /* DATA_MEMORY */
    struct pl_source_mem *shadow; /* else: a copy of all, asked where the store refused something */
    bool refused;                 /* since the last clear */
};
/** All of these end the program with a message when they fail. */
void data_open(struct data *d, enum data_kind kind);
void data_close(struct data *d);
void data_clear(struct data *d);
void data_put(struct data *d, pl_str labels, const int64_t *t, const double *v, size_t n);
void data_loaded(struct data *d);
struct pl_source data_source(struct data *d);
