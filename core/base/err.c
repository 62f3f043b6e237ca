/* Names and messages of the error codes, made from the one list in perilune/err.h. Any thread. */
#include "perilune/err.h"

const char *pl_err_name(int err)
{
    if (err >= 0) {
        return "OK";
    }
    switch (err) {
#define PL_ERR_NAME(name, value, text)                                                             \
    case value:                                                                                    \
        return #name;
        PL_ERRORS(PL_ERR_NAME)
#undef PL_ERR_NAME
    default:
        return "EUNKNOWN";
    }
}

const char *pl_err_text(int err)
{
    if (err >= 0) {
        return "ok";
    }
    switch (err) {
#define PL_ERR_TEXT(name, value, text)                                                             \
    case value:                                                                                    \
        return text;
        PL_ERRORS(PL_ERR_TEXT)
#undef PL_ERR_TEXT
    default:
        return "unknown error";
    }
}
