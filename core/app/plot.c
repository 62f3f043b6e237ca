/* A plot in the terminal: Braille dots (Unicode U+2800), 2 x 4 to a character, so that 70 columns
 * show 140 points. Series share the scale; six colours go round. Thread: main. */
#include "core/app/answer.h"
#include "core/model/model.h"
#include <math.h>
#include <stdlib.h>

struct plot {
    int width, height; /* characters */
    bool colour;
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
        double room = fabs(p->v0) > 1e-300 ? fabs(p->v0) / 10 : 1;
        p->v0 -= room;
        p->v1 += room;
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

/* Where x stands between a and b, as one of n dots. Halves, since b - a may be over the largest
 * double; what is still no number stands at the first. */
static int place(double x, double a, double b, int n)
{
    double share = (x / 2 - a / 2) / (b / 2 - a / 2);
    return share > 0 && share < 1 ? (int)(share * (n - 1) + 0.5) : share >= 1 ? n - 1 : 0;
}

static int at_x(const struct plot *p, double t) { return place(t, p->t0, p->t1, p->width * 2); }

static int at_y(const struct plot *p, double v) { return place(v, p->v1, p->v0, p->height * 4); }

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

/* From here on that of a series; -1: none. */
static void colour(const struct plot *p, int owner, struct pl_buf *out)
{
    if (p->colour) {
        pl_buf_f(out, owner < 0 ? "\033[0m" : "\033[3%dm", 1 + owner % 6);
    }
}

static void rows(const struct plot *p, struct pl_buf *out)
{
    for (int y = 0; y < p->height; y++) {
        double share = (double)y / (p->height > 1 ? p->height - 1 : 1);
        double v = p->v1 * (1 - share) + p->v0 * share;
        pl_buf_f(out, "%12.5g ", v);
        for (int x = 0; x < p->width; x++) {
            uint8_t bits = p->dots[y * p->width + x], owner = p->owner[y * p->width + x];
            if (!bits) {
                pl_buf_u8(out, ' ');
                continue;
            }
            unsigned code = 0x2800u + bits;
            colour(p, owner, out);
            pl_buf_f(out, "%c%c%c", (char)(0xe0 | (code >> 12)),
                     (char)(0x80 | ((code >> 6) & 0x3f)), (char)(0x80 | (code & 0x3f)));
            colour(p, -1, out);
        }
        pl_buf_u8(out, '\n');
    }
}

void pl_answer_plot(const struct pl_answer *a, int width, int height, bool in_colour,
                    struct pl_buf *out)
{
    struct plot p = {.width = width, .height = height, .colour = in_colour};
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
        struct pl_buf from = PL_BUF_INIT, to = PL_BUF_INIT;
        pl_time_text((int64_t)(p.t0 * 1000), &from);
        pl_time_text((int64_t)(p.t1 * 1000), &to);
        int gap = width - (int)from.n - (int)to.n;
        pl_buf_f(out, "%13s%.*s%*s%.*s\n", "", PL_PRS(pl_buf_view(&from)), gap > 1 ? gap : 1, "",
                 PL_PRS(pl_buf_view(&to)));
        pl_buf_fini(&from);
        pl_buf_fini(&to);
        for (size_t i = 0; i < a->n && i < 12; i++) {
            pl_buf_z(out, "  ");
            colour(&p, (int)(i % 6), out);
            pl_buf_z(out, "--");
            colour(&p, -1, out);
            pl_buf_f(out, " %.*s\n", PL_PRS(a->series[i].labels));
        }
        if (a->n > 12) {
            pl_buf_f(out, "  and %zu more\n", a->n - 12);
        }
    }
    free(p.dots);
    free(p.owner);
}
