/* A regular expression's tree as text for PCRE2 (UTF, DOTALL, no UCP: \b and \w are ASCII, as
 * RE2's). Every character that is no letter or digit is written by its number, so nothing of
 * PCRE2's own syntax can get in. */
#include "core/model/regex_ast.h"

static void emit(const struct pl__re *re, struct pl_buf *out);

static void emit_literal(uint32_t cp, struct pl_buf *out)
{
    bool word = (cp >= '0' && cp <= '9') || ((cp | 0x20) >= 'a' && (cp | 0x20) <= 'z');
    if (word) {
        pl_buf_u8(out, (uint8_t)cp);
    } else {
        pl_buf_f(out, "\\x{%x}", cp);
    }
}

/* Literals and classes in a row, as many as fold alike; the last of them. */
static const struct pl__re *emit_run(const struct pl__re *re, bool alone, struct pl_buf *out)
{
    bool fold = re->fold;
    pl_buf_z(out, fold ? "(?i:" : "");
    for (;; re = re->next) {
        if (re->kind == PL__RE_LIT) {
            emit_literal(re->cp, out);
        } else {
            pl_buf_str(out, re->text);
        }
        const struct pl__re *n = re->next;
        if (alone || !n || (n->kind != PL__RE_LIT && n->kind != PL__RE_CLASS) || n->fold != fold) {
            break;
        }
    }
    pl_buf_z(out, fold ? ")" : "");
    return re;
}

static void emit_repeat(const struct pl__re *re, struct pl_buf *out)
{
    const struct pl__re *c = re->child;
    bool single = c->kind == PL__RE_LIT || c->kind == PL__RE_CLASS || c->kind == PL__RE_ANY ||
                  c->kind == PL__RE_ANY_BUT_NL || c->kind == PL__RE_GROUP;
    pl_buf_z(out, single ? "" : "(?:");
    emit(c, out);
    pl_buf_z(out, single ? "" : ")");
    if (re->max < 0 && re->min <= 1) {
        pl_buf_z(out, re->min ? "+" : "*");
    } else if (re->max < 0) {
        pl_buf_f(out, "{%d,}", re->min);
    } else {
        pl_buf_f(out, "{%d,%d}", re->min, re->max);
    }
    pl_buf_z(out, re->lazy ? "?" : "");
}

static void emit(const struct pl__re *re, struct pl_buf *out)
{
    static const char *const fixed[] = {
        [PL__RE_EMPTY] = "(?:)", [PL__RE_ANY] = ".",      [PL__RE_ANY_BUT_NL] = "[^\\n]",
        [PL__RE_BOL] = "(?m:^)", [PL__RE_EOL] = "(?m:$)", [PL__RE_BOT] = "\\A",
        [PL__RE_EOT] = "\\z",    [PL__RE_WORDB] = "\\b",  [PL__RE_NO_WORDB] = "\\B",
    };
    switch (re->kind) {
    case PL__RE_LIT:
    case PL__RE_CLASS:
        emit_run(re, true, out);
        break;
    case PL__RE_GROUP:
        pl_buf_u8(out, '(');
        emit(re->child, out);
        pl_buf_u8(out, ')');
        break;
    case PL__RE_REPEAT:
        emit_repeat(re, out);
        break;
    case PL__RE_CAT:
        for (const struct pl__re *c = re->child; c; c = c->next) {
            if (c->kind == PL__RE_LIT || c->kind == PL__RE_CLASS) {
                c = emit_run(c, false, out);
            } else {
                emit(c, out);
            }
        }
        break;
    case PL__RE_ALT:
        pl_buf_z(out, "(?:");
        for (const struct pl__re *c = re->child; c; c = c->next) {
            pl_buf_z(out, c == re->child ? "" : "|");
            emit(c, out);
        }
        pl_buf_u8(out, ')');
        break;
    default:
        pl_buf_z(out, fixed[re->kind]);
        break;
    }
}

void pl__re_emit(const struct pl__re *root, struct pl_buf *out)
{
    pl_buf_z(out, "\\A(?:");
    emit(root, out);
    pl_buf_z(out, ")\\z");
}
