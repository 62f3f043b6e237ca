/* Error codes of Perilune: one list from which enum, names and messages are made. */
#ifndef PERILUNE_ERR_H
#define PERILUNE_ERR_H
#ifdef __cplusplus
extern "C" {
#endif

/** Every function that can fail returns int: >= 0 is fine, < 0 is one of these. */
#define PL_ERRORS(X)                                                                               \
    X(EINVAL, -1, "invalid argument")                                                              \
    X(ENOMEM, -2, "out of memory")                                                                 \
    X(EIO, -3, "input/output error")                                                               \
    X(ECORRUPT, -4, "corrupt data")                                                                \
    X(ENOSPC, -5, "no space left for data")                                                        \
    X(ELIMIT, -6, "limit exceeded")                                                                \
    X(ENOTFOUND, -7, "not found")                                                                  \
    X(EEXIST, -8, "already exists")                                                                \
    X(EBUSY, -9, "busy, try again later")                                                          \
    X(ECANCELED, -10, "canceled")                                                                  \
    X(ETIMEOUT, -11, "timed out")                                                                  \
    X(EUNSUPPORTED, -12, "not supported")                                                          \
    X(ECLOSED, -13, "closed")                                                                      \
    X(EPARSE, -14, "cannot be parsed")                                                             \
    X(EREADONLY, -15, "read-only after a disk error")                                              \
    X(ETOOOLD, -16, "older than the retention")                                                    \
    X(EFUTURE, -17, "too far in the future")                                                       \
    X(EAGAIN, -18, "more input is needed")

enum pl_err {
    PL_OK = 0,
#define PL_ERR_ENUM(name, value, text) PL_##name = value,
    PL_ERRORS(PL_ERR_ENUM)
#undef PL_ERR_ENUM
};

/** "EIO" for PL_EIO; "OK" for >= 0; "EUNKNOWN" for a code that is not in the list. */
const char *pl_err_name(int err);
/** The message of a code, lower-case, without full stop. */
const char *pl_err_text(int err);

#ifdef __cplusplus
}
#endif
#endif
