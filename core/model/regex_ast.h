/* Inside of model: the tree of a regular expression. All of it lives in one arena. */
#pragma once
#include "core/base/base.h"

enum pl__re_kind {
    PL__RE_EMPTY,
    PL__RE_LIT, /* one code point */
    PL__RE_ANY, /* any code point */
    PL__RE_ANY_BUT_NL,
    PL__RE_CLASS,
    PL__RE_BOL,      /* (?m)^ */
    PL__RE_EOL,      /* (?m)$ */
    PL__RE_BOT,      /* ^ \A */
    PL__RE_EOT,      /* $ \z */
    PL__RE_WORDB,    /* \b */
    PL__RE_NO_WORDB, /* \B */
    PL__RE_GROUP,    /* a capturing group: one child */
    PL__RE_REPEAT,   /* one child */
    PL__RE_CAT,      /* children in order */
    PL__RE_ALT,      /* children in order of preference */
};

struct pl__re_range {
    uint32_t lo, hi;
};

struct pl__re {
    enum pl__re_kind kind;
    bool fold;                  /* LIT, CLASS: (?i) */
    bool lazy;                  /* REPEAT */
    int min, max;               /* REPEAT; max -1: without end */
    unsigned repeats;           /* greatest product of nested repetitions at and below this node */
    uint32_t cp;                /* LIT */
    pl_str text;                /* CLASS: as PCRE2 takes it, with its brackets */
    struct pl__re_range *range; /* CLASS: n_range ranges, none if it is not enumerable */
    size_t n_range;
    struct pl__re *child, *next;
};

struct pl__re_name {
    pl_str name;
    unsigned group;
};

struct pl__re_tree {
    struct pl__re *root;
    unsigned n_groups; /* capturing ones, numbered from 1 in the order of their parentheses */
    struct pl__re_name *names; /* n_names of them */
    size_t n_names;
};

/** Groups in groups. */
#define PL__RE_DEPTH_MAX 200

/** RE2's grammar. why as in pl_regex_new. PL_EPARSE, PL_ELIMIT, PL_ENOMEM.
 *  Nodes and names live in a; the pattern is not kept. */
int pl__re_parse(pl_str pattern, struct pl_arena *a, struct pl__re_tree *out, char *why,
                 size_t n_why);

/** The pattern in PCRE2's dialect, anchored at both ends. */
void pl__re_emit(const struct pl__re *root, struct pl_buf *out);

/* In enumerated strings, bytes that UTF-8 has not: a gap that `.*` fills, one that `.+` fills. */
#define PL__RE_GAP  ((char)0xfe)
#define PL__RE_GAP1 ((char)0xff)

/** All strings the whole pattern matches, with gaps in them; sorted, each once, in a.
 *  @return how many; 0 if they are too many or of another form, PL_ENOMEM */
int pl__re_strings(const struct pl__re *root, struct pl_arena *a, pl_str **out);
/** Its strings if the pattern is an alternation of plain, non-empty strings, without a parse; as
 *  above. */
int pl__re_list(pl_str pattern, struct pl_arena *a, pl_str **out);
/** Append what every match begins with. */
void pl__re_prefix(const struct pl__re *root, struct pl_buf *out);
/** Append a code point as UTF-8 (surrogates too, as three bytes). */
void pl__re_utf8(struct pl_buf *out, uint32_t cp);
