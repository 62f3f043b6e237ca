/* The format of an answer by Accept (RFC 9110, 12.5.1), as lenient as Prometheus: what nobody can
 * write is answered as JSON. Thread: loops. */
#include "core/api/internal.h"

/* Which of ours a media range names; -1: none. */
static int format_of(pl_str range)
{
    static const struct {
        const char *range;
        enum pl__format format;
    } known[] = {
        {"application/json", PL__JSON},
        {"application/msgpack", PL__MSGPACK},
        {"application/x-msgpack", PL__MSGPACK},
        {"application/vnd.msgpack", PL__MSGPACK},
        {"text/csv", PL__CSV},
        {"*/*", PL__JSON},
        {"application/*", PL__JSON},
        {"text/*", PL__CSV},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (pl_str_ieq(range, pl_str_c(known[i].range))) {
            return (int)known[i].format;
        }
    }
    return -1;
}

/* The weight among the parameters of a range: 1 without, 0 for what is none. */
static double weight(pl_str parameters)
{
    double q = 1;
    while (parameters.p) {
        pl_str value = pl_str_trim(pl_str_cut(&parameters, ';'));
        pl_str name = pl_str_trim(pl_str_cut(&value, '='));
        if (pl_str_ieq(name, PL_STR("q")) && pl_number_parse(pl_str_trim(value), &q) < 0) {
            q = 0;
        }
    }
    return q;
}

/* A whole type before type/ *, that before a star alone. */
static int precision(pl_str range)
{
    return pl_str_eq(range, PL_STR("*/*")) ? 0 : pl_str_ends(range, PL_STR("/*")) ? 1 : 2;
}

enum pl__format pl__accept(pl_str header)
{
    enum pl__format best = PL__JSON;
    double best_q = 0;
    int best_precision = -1;
    while (header.p) {
        pl_str parameters = pl_str_cut(&header, ',');
        pl_str range = pl_str_trim(pl_str_cut(&parameters, ';'));
        int format = format_of(range), p = precision(range);
        double q = format < 0 ? 0 : weight(parameters);
        if (q > best_q || (q > 0 && q == best_q && p > best_precision)) {
            best = (enum pl__format)format;
            best_q = q;
            best_precision = p;
        }
    }
    return best;
}

const char *pl__content_type(enum pl__format f)
{
    return f == PL__MSGPACK ? "application/msgpack"
           : f == PL__CSV   ? "text/csv; charset=utf-8; header=present"
                            : "application/json";
}
