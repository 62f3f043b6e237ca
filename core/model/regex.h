/* RE2's language on PCRE2 with JIT, anchored at both ends, `.` matches newlines too, as Prometheus'
 * matchers have it (`^(?s:...)$`). decisions.md 26.
 *
 * The pattern is parsed here by RE2's grammar (regex_parse.c), so what RE2 refuses is refused:
 * lookaround, backreferences, possessive and atomic groups, \C, \Z, \G, repetition over 1000. From
 * the tree come the fast paths, which need no PCRE2: literals and alternations of them, `prefix.*`,
 * `.*suffix`, `.*`, `.+`, `a.*b.+c`, and small alternations of such; and the text that PCRE2
 * compiles, so that differences of dialect (\s, \v, \b, scripts, $) are settled by us. Where
 * PCRE2's match limit strikes, pcre2_dfa_match answers. A subject that is not UTF-8 never crashes;
 * where PCRE2 is used, nothing matches its bad bytes.
 *
 * Immutable after new; any thread. */
#pragma once
#include "core/base/base.h"

#define PL_REGEX_PATTERN_MAX (1024 * 1024) /* bytes, of alternations of plain strings */
#define PL_REGEX_CODE_MAX    (32 * 1024)   /* of those that PCRE2 must compile, and for expansion */

struct pl_regex;
/** @param why  position and reason, at most n_why bytes, NUL-terminated; may be NULL with 0
 *  @return 0, PL_EPARSE, PL_ELIMIT (too long, or compiles too large), PL_ENOMEM */
int pl_regex_new(pl_str pattern, struct pl_regex **out, char *why, size_t n_why);
void pl_regex_free(struct pl_regex *re);
bool pl_regex_match(const struct pl_regex *re, pl_str s);
/** All strings it can match when they are few (alternations, as `a|b|c`, `(api|web)-[0-3]`): n > 0
 *  and their list, borrowed, sorted by pl_str_cmp, each once; 0 when they are not enumerable. */
size_t pl_regex_literals(const struct pl_regex *re, const pl_str **out);
/** A prefix that every match begins with; may be empty. Borrowed. */
pl_str pl_regex_prefix(const struct pl_regex *re);
/** Replacement as Go's Regexp.Expand with $1, ${name}, for label_replace: false if s does not
 *  match (out untouched). What would come to more than `max` bytes ends somewhere behind them. Of
 * patterns over PL_REGEX_CODE_MAX the groups are not known: refuse them.
 */
bool pl_regex_expand(const struct pl_regex *re, pl_str s, pl_str template, size_t max,
                     struct pl_buf *out);
