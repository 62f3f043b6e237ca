/* A plot in the terminal: Braille dots (Unicode U+2800), 2 x 4 to a character, so that 70 columns
 * show 140 points. Series share the scale; up to eight have a colour. Thread: main. */
#include "core/app/answer.h"
#include "core/codec/codec.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

struct plot {
    int width, height; /* characters */
    uint8_t *dots, *owner;
    double t0, t1, v0, v1;
};

static void scale(struct plot *p, const struct pl_answer *a)
{
    p->t0 = p->v0 = INFINITY;
    p->t1 = p->v1 = -INFINITY;
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->series[i].n; k++) {
            double t = a->series[i].t[k], v = a->series[i].v[k];
            p->t0 = fmin(p->t0, t);
            p->t1 = fmax(p->t1, t);
            if (isfinite(v)) {
                p->v0 = fmin(p->v0, v);
                p->v1 = fmax(p->v1, v);
            }
        }
    }
    if (p->v0 == p->v1) {
        p->v0 -= p->v0 ? fabs(p->v0) / 10 : 1;
        p->v1 += p->v1 ? fabs(p->v1) / 10 : 1;
    }
    if (p->t0 == p->t1) {
        p->t0 -= 1;
        p->t1 += 1;
    }
}

static void dot(struct plot *p, int x, int y, uint8_t owner)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int at = (y / 4) * p->width + x / 2;
    p->dots[at] |= bits[y % 4][x % 2];
    p->owner[at] = owner;
}

static int at_x(const struct plot *p, double t)
{
    return (int)((t - p->t0) / (p->t1 - p->t0) * (p->width * 2 - 1) + 0.5);
}

static int at_y(const struct plot *p, double v)
{
    return (int)((p->v1 - v) / (p->v1 - p->v0) * (p->height * 4 - 1) + 0.5);
}

static void draw(struct plot *p, const struct pl_answer_series *s, uint8_t owner)
{
    for (size_t k = 0; k < s->n; k++) {
        if (!isfinite(s->v[k])) {
            continue;
        }
        int x = at_x(p, s->t[k]), y = at_y(p, s->v[k]);
        dot(p, x, y, owner);
        if (k == 0 || !isfinite(s->v[k - 1])) {
            continue;
        }
        int x0 = at_x(p, s->t[k - 1]), y0 = at_y(p, s->v[k - 1]);
        int steps = abs(x - x0) > abs(y - y0) ? abs(x - x0) : abs(y - y0);
        for (int i = 1; i < steps; i++) {
            dot(p, x0 + (x - x0) * i / steps, y0 + (y - y0) * i / steps, owner);
        }
    }
}

static void time_text(double t, char *out, size_t n)
{
    time_t seconds = (time_t)t;
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(out, n, "%Y-%m-%d %H:%M:%S", &tm);
}

static void rows(const struct plot *p, struct pl_buf *out)
{
    for (int y = 0; y < p->height; y++) {
        double v = p->v1 - (p->v1 - p->v0) * y / (p->height > 1 ? p->height - 1 : 1);
        pl_buf_f(out, "%12.5g ", v);
        for (int x = 0; x < p->width; x++) {
            uint8_t bits = p->dots[y * p->width + x], owner = p->owner[y * p->width + x];
            if (!bits) {
                pl_buf_u8(out, ' ');
                continue;
            }
            unsigned code = 0x2800u + bits;
            pl_buf_f(out, "\033[3%dm%c%c%c\033[0m", 1 + owner % 6, (char)(0xe0 | (code >> 12)),
                     (char)(0x80 | ((code >> 6) & 0x3f)), (char)(0x80 | (code & 0x3f)));
        }
        pl_buf_u8(out, '\n');
    }
}

void pl_answer_plot(const struct pl_answer *a, int width, int height, struct pl_buf *out)
{
    struct plot p = {.width = width, .height = height};
    char from[32], to[32];
    scale(&p, a);
    if (!(p.v0 <= p.v1)) {
        pl_buf_z(out, "no points\n");
        return;
    }
    p.dots = calloc((size_t)width * (size_t)height, 1);
    p.owner = calloc((size_t)width * (size_t)height, 1);
    if (p.dots && p.owner) {
        for (size_t i = 0; i < a->n; i++) {
            draw(&p, &a->series[i], (uint8_t)(i % 6));
        }
        rows(&p, out);
        time_text(p.t0, from, sizeof(from));
        time_text(p.t1, to, sizeof(to));
        pl_buf_f(out, "%13s%s%*s%s\n", "", from, width - 38 > 1 ? width - 38 : 1, "", to);
        for (size_t i = 0; i < a->n && i < 12; i++) {
            pl_buf_f(out, "  \033[3%dm--\033[0m %.*s\n", (int)(1 + i % 6),
                     PL_PRS(a->series[i].labels));
        }
        if (a->n > 12) {
            pl_buf_f(out, "  and %zu more\n", a->n - 12);
        }
    }
    free(p.dots);
    free(p.owner);
}
