/* IMF-fixdate (RFC 9110, 5.6.7), without the locale that strftime asks. */
#include "core/net/date.h"
#include <string.h>
#include <time.h>

static void two(char *to, int x)
{
    to[0] = (char)('0' + x / 10 % 10);
    to[1] = (char)('0' + x % 10);
}

const char *pl__date(struct pl__date *d, int64_t now_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t second = now_ms < 0 ? 0 : now_ms / 1000;
    if (d->text[0] && d->second == second) {
        return d->text;
    }
    time_t t = (time_t)second;
    struct tm tm;
    gmtime_r(&t, &tm);
    memcpy(d->text, "Sun, 06 Nov 1994 08:49:37 GMT", PL__DATE_LEN + 1);
    memcpy(d->text, days + 3 * tm.tm_wday, 3);
    two(d->text + 5, tm.tm_mday);
    memcpy(d->text + 8, months + 3 * tm.tm_mon, 3);
    two(d->text + 12, (tm.tm_year + 1900) / 100);
    two(d->text + 14, tm.tm_year + 1900);
    two(d->text + 17, tm.tm_hour);
    two(d->text + 20, tm.tm_min);
    two(d->text + 23, tm.tm_sec);
    d->second = second;
    return d->text;
}
