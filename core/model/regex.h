/* RE2's language on PCRE2 with JIT, anchored at both ends, as Prometheus' matchers are.
 * decisions.md 26: DOLLAR_ENDONLY, DOTALL, a validator that refuses what RE2 refuses (possessive,
 * lookaround, backreferences, ...), match and heap limits, pcre2_dfa_match where the limit strikes.
 * Fast paths without PCRE2: literals, alternations of literals, `prefix.*`, `.*`, `.+`, `.*mid.*`.
 * Immutable after compile; any thread. */
#pragma once
#include "core/base/base.h"

struct pl_regex;
/** @param why  position and reason, at most n_why bytes, NUL-terminated
 *  @return 0, PL_EPARSE, PL_ELIMIT (pattern over 32 KB, or compiles too large), PL_ENOMEM */
int pl_regex_new(pl_str pattern, struct pl_regex **out, char *why, size_t n_why);
void pl_regex_free(struct pl_regex *re);
bool pl_regex_match(const struct pl_regex *re, pl_str s);
/** All strings it can match when they are few (alternations, as `a|b|c`, `(api|web)-1`): n > 0 and
 *  their list, borrowed; 0 when they are not enumerable. */
size_t pl_regex_literals(const struct pl_regex *re, const pl_str **out);
/** A prefix that every match begins with; may be empty. */
pl_str pl_regex_prefix(const struct pl_regex *re);
/** Replacement as Go's Regexp.Expand with $1, ${name}, for label_replace: false if s does not
 *  match (out untouched). */
bool pl_regex_expand(const struct pl_regex *re, pl_str s, pl_str template, struct pl_buf *out);
