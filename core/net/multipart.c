/* multipart/form-data (RFC 7578, RFC 2046 5.1):
 *
 *     --BOUNDARY\r\n
 *     Content-Disposition: form-data; name="query"\r\n
 *     \r\n
 *     VALUE\r\n
 *     --BOUNDARY--
 *
 * Fields with a file name are files, and no parameters. */
#include "core/net/multipart.h"

#define FIELDS_MAX   1000
#define BOUNDARY_MAX 70 /* RFC 2046 */

/* Value of a parameter behind `;` in a header, without its quotes; p = NULL. */
static pl_str attribute(pl_str header, const char *name)
{
    pl_str_cut(&header, ';');
    while (header.p) {
        const char *eq = memchr(header.p, '=', header.n);
        if (!eq) {
            break;
        }
        pl_str key = pl_str_trim(pl_str_mem(header.p, (size_t)(eq - header.p)));
        pl_str rest = pl_str_trim(pl_str_mem(eq + 1, (size_t)(header.p + header.n - eq - 1)));
        pl_str value;
        if (rest.n && rest.p[0] == '"') {
            const char *end = memchr(rest.p + 1, '"', rest.n - 1);
            if (!end) {
                break;
            }
            value = pl_str_mem(rest.p + 1, (size_t)(end - rest.p - 1));
            rest = pl_str_mem(end + 1, (size_t)(rest.p + rest.n - end - 1));
            pl_str_cut(&rest, ';');
        } else {
            value = pl_str_trim(pl_str_cut(&rest, ';'));
        }
        if (pl_str_ieq(key, pl_str_c(name))) {
            return value;
        }
        header = rest;
    }
    return PL_STR_NULL;
}

/* Where `what` begins in [p, end); NULL. */
static const char *find(const char *p, const char *end, pl_str what)
{
    return memmem(p, (size_t)(end - p), what.p, what.n);
}

/* The name of a field from its header lines; p = NULL for a file and for what has none. */
static pl_str field_name(pl_str head)
{
    while (head.p) {
        pl_str line = pl_str_trim(pl_str_cut(&head, '\n'));
        pl_str value = line;
        pl_str key = pl_str_trim(pl_str_cut(&value, ':'));
        if (value.p && pl_str_ieq(key, PL_STR("Content-Disposition"))) {
            return attribute(value, "filename").p ? PL_STR_NULL : attribute(value, "name");
        }
    }
    return PL_STR_NULL;
}

size_t pl__multipart(pl_str content_type, pl_str body, pl_str *pairs, size_t cap)
{
    pl_str type = content_type, boundary = attribute(content_type, "boundary");
    char mark[BOUNDARY_MAX + 4] = "\r\n--";
    type = pl_str_trim(pl_str_cut(&type, ';'));
    if (!pl_str_ieq(type, PL_STR("multipart/form-data")) || !boundary.n ||
        boundary.n > BOUNDARY_MAX || !body.n) {
        return 0;
    }
    memcpy(mark + 4, boundary.p, boundary.n);
    pl_str behind = pl_str_mem(mark, boundary.n + 4), first = pl_str_mem(mark + 2, boundary.n + 2);
    const char *end = body.p + body.n, *p = find(body.p, end, first);
    size_t n = 0;
    for (p = p ? p + first.n : NULL; p && n < FIELDS_MAX;) {
        if (end - p >= 2 && p[0] == '-' && p[1] == '-') {
            break; /* the last one */
        }
        const char *head_end = find(p, end, PL_STR("\r\n\r\n"));
        const char *stop = head_end ? find(head_end + 2, end, behind) : NULL;
        if (!stop) {
            break;
        }
        const char *value = head_end + 4 <= stop ? head_end + 4 : stop;
        pl_str name = field_name(pl_str_mem(p, (size_t)(head_end - p)));
        if (name.p) {
            if (n < cap) {
                pairs[2 * n] = name;
                pairs[2 * n + 1] = pl_str_mem(value, (size_t)(stop - value));
            }
            n++;
        }
        p = stop + behind.n;
    }
    return n;
}
