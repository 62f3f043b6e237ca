/* What every unit test includes: cmocka with what it wants before it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** A test whose name is a sentence: `TEST(an_empty_label_is_absent) { ... }`, listed by
 *  cmocka_unit_test(an_empty_label_is_absent). */
#define TEST(name) static void name(void **state __attribute__((unused)))
