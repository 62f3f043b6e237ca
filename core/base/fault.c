/* Fault points. The list is read once from PERILUNE_FAULTS and replaced by pl_fault_set. The one
 * piece of global mutable state in the tree, in debug builds only. Any thread; a pass through a
 * point takes the lock only while some fault is set. */
#include "core/base/fault.h"

#ifdef PL_FAULTS
#include "core/base/str.h"
#include "perilune/err.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FAULTS_MAX 32
#define POINT_MAX  64
#define KILL       2

struct fault {
    char point[POINT_MAX];
    int action;
    uint64_t at, passes; /* at: 0 = every pass */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault faults[FAULTS_MAX];
static atomic_size_t n_faults;

static int parse_action(pl_str s, int *out)
{
    static const struct {
        const char *name;
        int action;
    } actions[] = {{"short", PL_FAULT_SHORT},
                   {"kill", KILL},
#define PL_FAULT_ACTION(name, value, text) {#name, value},
                   PL_ERRORS(PL_FAULT_ACTION)
#undef PL_FAULT_ACTION
    };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (pl_str_eq(s, pl_str_c(actions[i].name))) {
            *out = actions[i].action;
            return PL_OK;
        }
    }
    return PL_EPARSE;
}

static int parse_one(pl_str s, struct fault *out)
{
    pl_str rest = s;
    pl_str point = pl_str_trim(pl_str_cut(&rest, '='));
    pl_str action = pl_str_cut(&rest, '@');
    *out = (struct fault){0};
    if (point.n == 0 || point.n >= POINT_MAX || parse_action(pl_str_trim(action), &out->action)) {
        return PL_EPARSE;
    }
    if (rest.p && (pl_str_u64(pl_str_trim(rest), &out->at) < 0 || out->at == 0)) {
        return PL_EPARSE;
    }
    memcpy(out->point, point.p, point.n);
    return PL_OK;
}

static int set(const char *spec)
{
    struct fault parsed[FAULTS_MAX];
    size_t n = 0;
    for (pl_str rest = pl_str_c(spec); rest.n;) {
        pl_str one = pl_str_cut(&rest, ',');
        if (n == FAULTS_MAX || parse_one(one, &parsed[n++]) < 0) {
            return PL_EPARSE;
        }
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++) {
        faults[i] = parsed[i];
    }
    n_faults = n;
    pthread_mutex_unlock(&lock);
    return PL_OK;
}

static void from_environment(void)
{
    const char *spec = getenv("PERILUNE_FAULTS");
    if (spec && set(spec) < 0) {
        fprintf(stderr, "PERILUNE_FAULTS cannot be parsed: %s\n", spec);
        _exit(2);
    }
}

int pl_fault_set(const char *spec)
{
    pthread_once(&once, from_environment);
    return set(spec);
}

int pl_fault(const char *point)
{
    pthread_once(&once, from_environment);
    if (n_faults == 0) {
        return PL_FAULT_NONE;
    }
    int action = PL_FAULT_NONE;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_faults; i++) {
        struct fault *f = &faults[i];
        if (strcmp(f->point, point) == 0) {
            f->passes++;
            if (action == PL_FAULT_NONE && (f->at == 0 || f->at == f->passes)) {
                action = f->action;
            }
        }
    }
    pthread_mutex_unlock(&lock);
    if (action == KILL) {
        kill(getpid(), SIGKILL);
        pause();
    }
    return action;
}
#endif
