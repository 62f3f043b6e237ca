/* Labels: bytes that pass the check are what canon makes of their labels; any names and values,
 * cut at NULs, become bytes that pass the check. */
#include "core/model/labels.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_label l[PL_LABELS_MAX + 2];
    struct pl_buf b = PL_BUF_INIT, text = PL_BUF_INIT;
    pl_str canon = pl_str_mem(data, size), it = canon, rest = canon;
    size_t n = 0;
    if (pl_labels_check(canon) == 0) {
        while (pl_labels_next(&it, &l[n])) {
            n++;
        }
        if (pl_labels_canon(l, n, &b, NULL) != (int)size || !pl_str_eq(pl_buf_view(&b), canon)) {
            abort();
        }
    }
    pl_buf_clear(&b);
    for (n = 0; n < PL_LABELS_MAX + 2 && rest.n > 0; n++) {
        l[n].name = pl_str_cut(&rest, 0);
        l[n].value = pl_str_cut(&rest, 0);
    }
    const char *why = NULL;
    int rc = pl_labels_canon(l, n, &b, &why);
    if ((rc < 0) != (why != NULL) || pl_labels_check(pl_buf_view(&b)) < 0) {
        abort();
    }
    pl_labels_text(pl_buf_view(&b), &text);
    pl_buf_fini(&b);
    pl_buf_fini(&text);
    return 0;
}
