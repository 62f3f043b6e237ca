/* Tests of core/model/regex.c and regex_emit.c. */
#include "core/model/regex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct pl_regex *make(const char *pattern)
{
    struct pl_regex *re = NULL;
    char why[200] = "";
    int rc = pl_regex_new(pl_str_c(pattern), &re, why, sizeof why);
    if (rc != 0) {
        fail_msg("%s: %d %s", pattern, rc, why);
    }
    return re;
}

static bool match(const char *pattern, const char *s)
{
    struct pl_regex *re = make(pattern);
    bool yes = pl_regex_match(re, pl_str_c(s));
    pl_regex_free(re);
    return yes;
}

static void matches_are_anchored_at_both_ends(void **state)
{
    (void)state;
    assert_true(match("a.c", "abc"));
    assert_false(match("a.c", "xabc"));
    assert_false(match("a.c", "abcx"));
    assert_false(match("a|b", "ab"));
    assert_true(match("", ""));
    assert_false(match("", "a"));
    assert_false(match("a$", "a\n"));
    assert_true(match("^a$", "a"));
    assert_true(match("(^a$|b)", "a"));
    assert_false(match("a^b", "ab"));
    assert_false(match("a\\b$", "a\n"));
}

static void the_dialect_is_that_of_re2(void **state)
{
    (void)state;
    assert_true(match("a.b", "a\nb"));
    assert_false(match("(?-s)a.b", "a\nb"));
    assert_true(match("(?i)ABC[d-f]", "abcE"));
    assert_true(match("a(?i)b|c", "aB"));
    assert_true(match("a(?i)b|c", "C"));
    assert_false(match("(?:a(?i)b)c", "abC"));
    assert_true(match("(?i:\xc3\xa4)x", "\xc3\x84x"));
    assert_true(match("(?i)k+", "k\xe2\x84\xaaK")); /* the Kelvin sign folds */
    assert_true(match("\\d+\\.\\d", "12.5"));
    assert_false(match("\\d+", "\xd9\xa3"));
    assert_true(match("\\s+", " \t\n\f\r"));
    assert_false(match("\\s+", "\v"));
    assert_true(match("\\S+", "\v"));
    assert_true(match("[[:space:]]\\v", "\v\v"));
    assert_true(match("[\\s\\d]+", " 1"));
    assert_true(match("[^\\s]+", "a\v"));
    assert_true(match("\\w+\\W", "a_9-"));
    assert_false(match("\\w+", "\xc3\xa4"));
    assert_false(match("(?i)[\\W]+", "s"));
    assert_true(match("\\pL\\p{Greek}\\PN\\p{^Lu}+", "a\xce\xb1xyz"));
    assert_true(match("[\\p{Lu}\\d]+", "A1"));
    assert_false(match("\\pN+x", "ax"));
    assert_true(match("[[:alpha:][:digit:]-]+", "a-1"));
    assert_true(match("[[:^alpha:]]+", "1\xc3\xa4"));
    assert_true(match("[]a]+", "]a"));
    assert_true(match("[^]a]+", "b"));
    assert_true(match("[a-]+", "a-"));
    assert_true(match("[a\\]\\-\\x41\\x{e4}\\n]+", "]-A\xc3\xa4\n"));
    assert_true(match("(?P<x>a)(?<y>b)", "ab"));
    assert_true(match("\\Qa.b*\\Ec+", "a.b*cc"));
    assert_true(match("\\Qab", "ab"));
    assert_true(match("\\x61\\x{62}\\143\\0\\a\\f\\n\\r\\t\\v.+", "abc") == false);
    assert_true(match("\\x61\\x{62}\\143\\a\\f\\n\\r\\t\\v", "abc\a\f\n\r\t\v"));
    assert_true(match("\\Aa\\z", "a"));
    assert_true(match("a{2}{", "aa{"));
    assert_true(match("a{,2}", "a{,2}"));
    assert_true(match("x{2,3}y{0}z{1,}", "xxzzz"));
    assert_true(match("\\_\\/\\-\\#\\ ", "_/-# "));
    assert_true(match("a.c", "a\xe2\x82\xac"
                             "c"));
    assert_false(match("a..c", "a\xe2\x82\xac"
                               "c"));
    assert_true(match("(?m)a$\n^b", "a\nb"));
    assert_true(match("(?m)(.|\n)*^", "a\n"));
    assert_true(match("(?s).*\\bfoo\\b.*", "a foo b"));
    assert_true(match("a(?U)b*", "abb"));
    assert_true(match("(?)a", "a"));
    assert_true(match("a#b c", "a#b c"));
}

static void what_re2_refuses_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        "(a)\\1",
        "(?P<x>a)(?P=x)",
        "a*+",
        "a++",
        "a?+",
        "a{2}+",
        "(?>a)",
        "(?(1)a|b)",
        "(?R)",
        "(?1)",
        "(?&x)",
        "a\\Z",
        "\\Ga",
        "a\\Kb",
        "\\R",
        "\\X",
        "\\C",
        "\\h",
        "\\H",
        "\\V",
        "\\N",
        "\\e",
        "\\cA",
        "\\g1",
        "\\k<x>",
        "\\u0041",
        "\\L",
        "\\o{101}",
        "\\8",
        "\\1",
        "\\E",
        "a**",
        "a*?*",
        "*",
        "+a",
        "(*)",
        "a|*",
        "(?i)*",
        "(*UTF)a",
        "(*ACCEPT)",
        "(",
        ")",
        "a)",
        "(a",
        "[",
        "[a",
        "[]",
        "[z-a]",
        "[[:foo:]]",
        "[a-\\d]",
        "[\\b]",
        "\\",
        "a\\",
        "\\x",
        "\\xg",
        "\\x{}",
        "\\x{110000}",
        "\\x{41",
        "\\p",
        "\\pX{",
        "\\p{Foo}",
        "\\p{",
        "\\p{Xan}",
        "\\p{L&}",
        "(?x)a",
        "(?i-)a",
        "(?-)",
        "(?:",
        "(?",
        "(?P",
        "(?P<",
        "(?P<>a)",
        "(?P<a-b>c)",
        "(?P<a>b)(?P<a>c)",
        "(?#c)",
        "(?|a)",
        "(?'n'a)",
        "a{1001}",
        "a{2,1}",
        "a{1,1001}",
        "a{1001,}",
        "(a{100}){11}",
        "((a{10}){10}){11}",
        "{2}",
        "\xff",
        "a\xc3",
        "a{99999999999999}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pl_regex *re = NULL;
        char why[200] = "";
        int rc = pl_regex_new(pl_str_c(bad[i]), &re, why, sizeof why);
        if (rc != PL_EPARSE || re || !why[0]) {
            fail_msg("%s: %d %s", bad[i], rc, why);
        }
        assert_int_equal(pl_regex_new(pl_str_c(bad[i]), &re, NULL, 0), PL_EPARSE);
    }
}

static void a_long_alternation_of_literals_is_a_set(void **state)
{
    (void)state;
    struct pl_buf text = PL_BUF_INIT;
    pl_buf_u8(&text, '(');
    for (int i = 0; i < 40000; i++) {
        pl_buf_f(&text, "%shost-%d\\.example", i ? "|" : "", i);
    }
    pl_buf_u8(&text, ')');
    struct pl_regex *re = NULL;
    char why[200] = "";
    assert_true(text.n > PL_REGEX_CODE_MAX);
    assert_int_equal(pl_regex_new(pl_buf_view(&text), &re, why, sizeof why), 0);
    const pl_str *list;
    assert_int_equal(pl_regex_literals(re, &list), 40000);
    assert_true(pl_regex_match(re, PL_STR("host-39999.example")));
    assert_false(pl_regex_match(re, PL_STR("host-40000.example")));
    assert_false(pl_regex_match(re, PL_STR("host-39999-example")));
    pl_regex_free(re);
    re = NULL;
    pl_buf_z(&text, "[a-z]+x"); /* not a list any more */
    assert_int_equal(pl_regex_new(pl_buf_view(&text), &re, why, sizeof why), PL_ELIMIT);
    assert_non_null(strstr(why, "longer than 32768 bytes"));
    pl_buf_fini(&text);
}

static void limits_are_kept(void **state)
{
    (void)state;
    struct pl_regex *re = NULL;
    char why[200];
    char *big = malloc(PL_REGEX_PATTERN_MAX + 1);
    memset(big, 'a', PL_REGEX_PATTERN_MAX + 1);
    assert_int_equal(pl_regex_new(pl_str_mem(big, PL_REGEX_PATTERN_MAX + 1), &re, why, sizeof why),
                     PL_ELIMIT);
    assert_int_equal(pl_regex_new(pl_str_mem(big, PL_REGEX_PATTERN_MAX), &re, why, sizeof why), 0);
    assert_true(pl_regex_match(re, pl_str_mem(big, PL_REGEX_PATTERN_MAX)));
    pl_regex_free(re);
    assert_int_equal(pl_regex_new(pl_str_mem(big, PL_REGEX_CODE_MAX), &re, why, sizeof why), 0);
    assert_true(pl_regex_match(re, pl_str_mem(big, PL_REGEX_CODE_MAX)));
    pl_regex_free(re);
    memset(big, '(', 1000);
    assert_int_equal(pl_regex_new(pl_str_mem(big, 1000), &re, why, sizeof why), PL_ELIMIT);
    free(big);
    assert_int_equal(pl_regex_new(PL_STR("(?:[a-z\\pL\\PN]{1,9}[b\\pN]x?){100}"), &re, why, 200),
                     0);
    pl_regex_free(re);
    assert_int_equal(pl_regex_new(PL_STR("(?:(?:[a-z\\pL]x?[b\\pN]y?[^c]z?){10}[^d]\\PL){100}"),
                                  &re, why, sizeof why),
                     PL_ELIMIT);
}

static void literals(const char *pattern, const char *want)
{
    struct pl_regex *re = make(pattern);
    struct pl_buf b = PL_BUF_INIT;
    const pl_str *v = NULL;
    size_t n = pl_regex_literals(re, &v);
    for (size_t i = 0; i < n; i++) {
        pl_buf_z(&b, i ? "," : "");
        pl_buf_str(&b, v[i]);
        assert_true(pl_regex_match(re, v[i]));
    }
    pl_buf_u8(&b, 0);
    assert_string_equal(n ? (char *)b.p : "none", want);
    pl_buf_fini(&b);
    pl_regex_free(re);
}

static void few_strings_are_enumerated(void **state)
{
    (void)state;
    literals("abc", "abc");
    literals("c|a|b|a", "a,b,c");
    literals("(api|web)-[0-2]", "api-0,api-1,api-2,web-0,web-1,web-2");
    literals("a(b(c|d)|e)?f", "abcf,abdf,aef,af");
    literals("^(a|b)$", "a,b");
    literals("^a$|^b$", "a,b");
    literals("a{2,3}", "aa,aaa");
    literals("a\\.b", "a.b");
    literals("[.]\\Q*\\E", ".*");
    literals("\xc3\xa4|[\xc3\xb6\xc3\xbc]", "\xc3\xa4,\xc3\xb6,\xc3\xbc");
    literals("(?i)a", "none");
    literals("(?i)1|2", "1,2");
    literals("a.*", "none");
    literals("a.", "none");
    literals("[^a]", "none");
    literals("\\d", "0,1,2,3,4,5,6,7,8,9");
    literals("[a-z]{3}", "none");
    literals("\\bx", "none");
    struct pl_regex *re = make("");
    const pl_str *v;
    assert_int_equal(pl_regex_literals(re, &v), 1);
    assert_int_equal(v[0].n, 0);
    pl_regex_free(re);
}

static void long_alternations_are_enumerated_and_searched(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT;
    for (int i = 0; i < 3000; i++) {
        pl_buf_f(&b, "%shost%d", i ? "|" : "", i * 7);
    }
    struct pl_regex *re;
    const pl_str *v;
    assert_int_equal(pl_regex_new(pl_buf_view(&b), &re, NULL, 0), 0);
    assert_int_equal(pl_regex_literals(re, &v), 3000);
    for (int i = 0; i < 21000; i++) {
        char s[32];
        snprintf(s, sizeof s, "host%d", i);
        assert_int_equal(pl_regex_match(re, pl_str_c(s)), i % 7 == 0);
    }
    pl_regex_free(re);
    pl_buf_fini(&b);
}

static void prefix(const char *pattern, const char *want)
{
    struct pl_regex *re = make(pattern);
    pl_str p = pl_regex_prefix(re);
    if (!pl_str_eq(p, pl_str_c(want))) {
        fail_msg("%s: prefix %.*s", pattern, PL_PRS(p));
    }
    pl_regex_free(re);
}

static void every_match_begins_with_the_prefix(void **state)
{
    (void)state;
    prefix("abc.*", "abc");
    prefix("^abc[0-9]+x", "abc");
    prefix("(abc|abd)x*", "ab");
    prefix("ab?c", "a");
    prefix("(ab){2}c.", "ababc");
    prefix("(ab)+c", "ab");
    prefix("a(?i)b.", "a");
    prefix("(?i)1a.", "1");
    prefix(".*a", "");
    prefix("a|", "");
    prefix("abc", "abc");
}

static void gaps_match_without_pcre2_as_with_it(void **state)
{
    (void)state;
    assert_true(match(".*", ""));
    assert_true(match(".*", "a\nb"));
    assert_false(match(".+", ""));
    assert_true(match(".+", "x"));
    assert_true(match("a.*", "a"));
    assert_false(match("a.+", "a"));
    assert_true(match(".*a", "ba"));
    assert_true(match(".*mid.*", "xmidy"));
    assert_true(match("a.*b.*c", "aXbbYc"));
    assert_false(match("aba.*aba", "aba"));
    assert_false(match("ab.*ba", "aba"));
    assert_true(match(".+aa.+", "aaaa"));
    assert_false(match(".+aa.+", "aaa"));
    assert_true(match(".*.+", "a"));
    assert_false(match(".+.+", "a"));
    assert_true(match(".+.+", "ab"));
    assert_true(match("(foo|bar)-.*", "bar-1"));
    assert_false(match("(foo|bar)-.*", "baz-1"));
    assert_true(match("|a.*", ""));
}

/* A pattern of at most `depth` levels over the letters a and b. */
static uint64_t seed = 1;
static unsigned draw(unsigned n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % n;
}

static void grow(struct pl_buf *b, int depth)
{
    static const char *const atoms[] = {"a", "b", "ab", ".*", ".+", "[ab]",
                                        ".", "",  "a?", "^",  "$"};
    static const char *const ops[] = {"?", "*", "+", "{2}", "{0,2}"};
    if (depth == 0 || draw(3) == 0) {
        pl_buf_z(b, atoms[draw(sizeof atoms / sizeof atoms[0])]);
        return;
    }
    unsigned kind = draw(4), n = 1 + draw(3);
    pl_buf_z(b, kind < 3 ? "(" : "(?:");
    for (unsigned i = 0; i < n; i++) {
        pl_buf_z(b, i && kind < 2 ? "|" : "");
        grow(b, depth - 1);
    }
    pl_buf_z(b, ")");
    pl_buf_z(b, kind == 3 ? ops[draw(5)] : "");
}

static void random_patterns_match_alike_by_the_fast_paths_and_by_pcre2(void **state)
{
    (void)state;
    unsigned fast = 0;
    for (int i = 0; i < 3000; i++) {
        struct pl_buf p = PL_BUF_INIT, slow = PL_BUF_INIT;
        struct pl_regex *a, *b;
        const pl_str *v;
        grow(&p, 3);
        /* at every place there is a word boundary or none: true, yet no fast path knows it */
        pl_buf_f(&slow, "(?:%.*s)(?:\\b|\\B)", (int)p.n, (char *)p.p);
        assert_int_equal(pl_regex_new(pl_buf_view(&p), &a, NULL, 0), 0);
        assert_int_equal(pl_regex_new(pl_buf_view(&slow), &b, NULL, 0), 0);
        assert_int_equal(pl_regex_literals(b, &v), 0);
        fast += pl_regex_literals(a, &v) > 0;
        for (unsigned k = 0; k < 127; k++) { /* every string of a and b up to length 6 */
            char s[8];
            unsigned n = 0;
            for (unsigned x = k + 1; x > 1; x >>= 1) {
                s[n++] = x & 1 ? 'b' : 'a';
            }
            bool yes = pl_regex_match(a, pl_str_mem(s, n));
            if (yes != pl_regex_match(b, pl_str_mem(s, n))) {
                fail_msg("%.*s and %.*s: fast %d", (int)p.n, (char *)p.p, (int)n, s, yes);
            }
            if (yes) {
                assert_true(pl_str_starts(pl_str_mem(s, n), pl_regex_prefix(a)));
                assert_true(pl_str_starts(pl_str_mem(s, n), pl_regex_prefix(b)));
            }
        }
        pl_regex_free(a);
        pl_regex_free(b);
        pl_buf_fini(&p);
        pl_buf_fini(&slow);
    }
    assert_true(fast > 300);
}

static void where_backtracking_explodes_the_answer_is_still_right(void **state)
{
    (void)state;
    char s[200];
    memset(s, 'a', sizeof s);
    struct pl_regex *re = make("(x|a+)+b");
    assert_false(pl_regex_match(re, pl_str_mem(s, sizeof s)));
    s[199] = 'b';
    assert_true(pl_regex_match(re, pl_str_mem(s, sizeof s)));
    pl_regex_free(re);
    memset(s, 'a', sizeof s);
    re = make("(a|aa|[a-c])*(a|b)*[b-d]");
    assert_false(pl_regex_match(re, pl_str_mem(s, sizeof s)));
    pl_regex_free(re);
    re = make("(?:a?){60}a{60}[ab]?");
    assert_true(pl_regex_match(re, pl_str_mem(s, 61)));
    assert_false(pl_regex_match(re, pl_str_mem(s, 59)));
    pl_regex_free(re);
}

static void subjects_that_are_no_utf8_do_no_harm(void **state)
{
    (void)state;
    struct pl_regex *re = make("[a-z]+(\xc3\xa4|.)x?");
    assert_false(pl_regex_match(re, PL_STR("ab\xff")));
    assert_false(pl_regex_match(re, PL_STR("\xc3")));
    assert_false(pl_regex_match(re, PL_STR("ab\xe2\x82")));
    assert_true(pl_regex_match(re, PL_STR("ab\xc3\xa4x")));
    pl_regex_free(re);
    re = make("(a+)+[b-z]");
    char s[100];
    memset(s, 'a', sizeof s);
    s[99] = (char)0xff;
    assert_false(pl_regex_match(re, pl_str_mem(s, sizeof s)));
    assert_false(pl_regex_match(re, PL_STR_NULL));
    pl_regex_free(re);
}

static void expands(const char *pattern, const char *s, const char *template, const char *want)
{
    struct pl_regex *re = make(pattern);
    struct pl_buf b = PL_BUF_INIT;
    bool yes = pl_regex_expand(re, pl_str_c(s), pl_str_c(template), SIZE_MAX, &b);
    pl_buf_u8(&b, 0);
    if (yes != (want != NULL) || (want && strcmp((char *)b.p, want) != 0)) {
        fail_msg("%s on %s: %d %s", pattern, s, yes, (char *)b.p);
    }
    pl_buf_fini(&b);
    pl_regex_free(re);
}

static void replacements_are_expanded_as_go_does(void **state)
{
    (void)state;
    expands("(.*):(.*)", "host:80", "$2-$1", "80-host");
    expands("(.*)", "a", "$1", "a");
    expands("(.*)", "", "x${1}y", "xy");
    expands("(a|b)c", "bc", "<$1>", "<b>");
    expands("(?P<host>[a-z]+)(\\d+)", "web12", "${host}/$2/$host", "web/12/web");
    expands("(a)(b)?", "a", "[$2]", "[]");
    expands("a.*", "abc", "$0!", "abc!");
    expands("a.*", "abc", "$1!", "!");
    expands("(a)", "a", "$1x", "");
    expands("(a)", "a", "${1}x", "ax");
    expands("(a)", "a", "$$1 $ ${ ${1 $-", "$1 $ ${ ${1 $-");
    expands("(a)", "a", "$9 ${nope}", " ");
    expands("(a)", "b", "$1", NULL);
    expands("(.+?)(b*)", "abb", "$1|$2", "a|bb");
    expands("(?:(a)|b)*", "ab", "$1", "a");
    expands("plain", "plain", "new", "new");
}

static void a_replacement_that_grows_without_measure_ends(void **state)
{
    (void)state;
    struct pl_regex *re = make("(.*)");
    struct pl_buf b = PL_BUF_INIT;
    char s[1000], template[4001] = "";
    memset(s, 's', sizeof s);
    for (size_t i = 0; i < 2000; i++) {
        memcpy(template + 2 * i, "$1", 2);
    }
    assert_true(pl_regex_expand(re, pl_str_mem(s, sizeof s), pl_str_c(template), 5000, &b));
    assert_in_range(b.n, 5001, 6000);
    pl_buf_fini(&b);
    pl_regex_free(re);
}

static void every_prefix_and_bit_flip_of_a_pattern_is_survived(void **state)
{
    (void)state;
    const char *p = "^(?P<n>a|[b-d\\]]+?)\\Q.*\\E(?i:x{2,3})\\x{e4}\\p{Greek}[[:alpha:]]$";
    size_t n = strlen(p);
    char copy[100];
    for (size_t i = 0; i < n; i++) {
        char *exact = malloc(i + 1);
        memcpy(exact, p, i);
        struct pl_regex *re = NULL;
        int rc = pl_regex_new(pl_str_mem(exact, i), &re, NULL, 0);
        assert_true(rc == 0 || rc == PL_EPARSE);
        pl_regex_free(re);
        free(exact);
    }
    for (size_t bit = 0; bit < 8 * n; bit++) {
        memcpy(copy, p, n);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        struct pl_regex *re = NULL;
        int rc = pl_regex_new(pl_str_mem(copy, n), &re, NULL, 0);
        assert_true(rc == 0 || rc == PL_EPARSE);
        if (rc == 0) {
            pl_regex_match(re, PL_STR("a.*xx\xc3\xa4\xce\xb1z"));
        }
        pl_regex_free(re);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_are_anchored_at_both_ends),
        cmocka_unit_test(the_dialect_is_that_of_re2),
        cmocka_unit_test(what_re2_refuses_is_refused),
        cmocka_unit_test(a_long_alternation_of_literals_is_a_set),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(few_strings_are_enumerated),
        cmocka_unit_test(long_alternations_are_enumerated_and_searched),
        cmocka_unit_test(every_match_begins_with_the_prefix),
        cmocka_unit_test(gaps_match_without_pcre2_as_with_it),
        cmocka_unit_test(random_patterns_match_alike_by_the_fast_paths_and_by_pcre2),
        cmocka_unit_test(where_backtracking_explodes_the_answer_is_still_right),
        cmocka_unit_test(subjects_that_are_no_utf8_do_no_harm),
        cmocka_unit_test(replacements_are_expanded_as_go_does),
        cmocka_unit_test(a_replacement_that_grows_without_measure_ends),
        cmocka_unit_test(every_prefix_and_bit_flip_of_a_pattern_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
