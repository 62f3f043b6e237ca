/* Regular expressions: pattern, NUL, subject. What may be enumerated matches, every match begins
 * with the prefix, and the pattern matches alike where the fast paths are barred. */
#include "core/model/regex.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 600) {
        return 0;
    }
    pl_str subject = pl_str_mem(data, size), pattern = pl_str_cut(&subject, 0);
    struct pl_regex *re, *slow = NULL;
    struct pl_buf b = PL_BUF_INIT;
    char why[100];
    const pl_str *v;
    if (pl_regex_new(pattern, &re, why, sizeof why) < 0) {
        return 0;
    }
    size_t n = pl_regex_literals(re, &v);
    for (size_t i = 0; i < n; i++) {
        if (!pl_regex_match(re, v[i]) || !pl_str_starts(v[i], pl_regex_prefix(re))) {
            abort();
        }
    }
    bool yes = pl_regex_match(re, subject);
    if (yes && !pl_str_starts(subject, pl_regex_prefix(re))) {
        abort();
    }
    pl_buf_f(&b, "(?:%.*s)(?:\\b|\\B)", PL_PRS(pattern));
    bool nul = memchr(pattern.p ? pattern.p : "", 0, pattern.n) != NULL;
    if (!nul && pl_utf8_check(subject) == subject.n &&
        pl_regex_new(pl_buf_view(&b), &slow, why, sizeof why) == 0 &&
        pl_regex_match(slow, subject) != yes) {
        abort();
    }
    pl_buf_clear(&b);
    pl_regex_expand(re, subject, PL_STR("$1-${2}$x$$"), 4096, &b);
    pl_buf_fini(&b);
    pl_regex_free(re);
    pl_regex_free(slow);
    return 0;
}
