/*
 * Tokens: the same that libconfig sees.
 */
#include "config/scan.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char type_letter[] = {
	[SCAN_END] = '$',
	[SCAN_NAME] = 'n',
	[SCAN_BOOLEAN] = 'b',
	[SCAN_NUMBER] = '1',
	[SCAN_STRING] = 's',
	[SCAN_EQUALS] = '=',
	[SCAN_SEMICOLON] = ';',
	[SCAN_COMMA] = ',',
	[SCAN_OPEN] = '(',
	[SCAN_CLOSE] = ')',
	[SCAN_AT] = '@',
	[SCAN_MARK] = '#',
	[SCAN_BAD] = '?',
};

/* Each token as a letter, '!' behind those that something is wrong with, and where they were cut. */
static void
text_is_cut_into_tokens(void **state)
{
	static const struct {
		const char *text;
		const char *types;
		const char *tokens; /* with '|' between */
	} rows[] = {
		{ "", "$", "" },
		{ " \t\r\n\f\n", "$", "" },
		{ "a = 1;\n", "n=1;$", "a|=|1|;|" },
		{ "a:{b=2}", "n=(n=1)$", "a|:|{|b|=|2|}|" },
		{ "a1-_*b *x", "nn$", "a1-_*b|*x|" },
		{ "true TRUE False truer tru", "bbbnn$", "true|TRUE|False|truer|tru|" },
		{ "1 -1 +1 1L 1LL 0x1F 0XaL", "1111111$", "1|-1|+1|1L|1LL|0x1F|0XaL|" },
		{ "1LLL", "1n$", "1LL|L|" },
		{ "1l 0xg 1a -0x1", "1n1n1n1n$", "1|l|0|xg|1|a|-0|x1|" },
		{ "1.5 .5 1. 1e5 1.e-5 -1.5E+3", "111111$", "1.5|.5|1.|1e5|1.e-5|-1.5E+3|" },
		{ "1e 1e+ 1.5.5", "1n1n?!11$", "1|e|1|e|+|1.5|.5|" },
		{ ". -.", "1!1!$", ".|-.|" },
		{ "- +", "?!?!$", "-|+|" },
		{ "\"a\"\"b\" \"\"", "sss$", "\"a\"|\"b\"|\"\"|" },
		{ "\"a\\\"b\" \"\\\\\" \"\\x\"", "sss$", "\"a\\\"b\"|\"\\\\\"|\"\\x\"|" },
		{ "\"a # b\" \"/* \"", "ss$", "\"a # b\"|\"/* \"|" },
		{ "\"open\nb", "s!n$", "\"open|b|" },
		{ "\"open\\\"", "s!$", "\"open\\\"|" },
		{ "a # b\nc // d\ne", "nnn$", "a|c|e|" },
		{ "a /* b\n */ c /**/ d /***/", "nnn$", "a|c|d|" },
		{ "/*/ a */ b", "n$", "b|" },
		{ "a /* b", "n$!", "a|/*" },
		{ "/ a", "?!n$", "/|a|" },
		{ "#line 1 x\n #line 2 y\na #line 3 z\n#line4\n", "#n$", "#line 1 x|a|" },
		{ "/*\n#line 1 x\n*/", "$", "" },
		{ "@include \"x\"\n", "@ns$", "@|include|\"x\"|" },
		{ "\x80\x01 $", "?!?!?!$", "\x80|\x01|$|" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char types[64] = "", tokens[256] = "";
		struct scan scan;

		scan_init(&scan, rows[i].text);
		do {
			scan_next(&scan);
			strncat(types, &type_letter[scan.type], 1);
			strncat(tokens, scan.token, scan.len);
			strcat(types, scan.error ? "!" : "");
			strcat(tokens, scan.type != SCAN_END ? "|" : "");
		} while (scan.type != SCAN_END);
		if (strcmp(types, rows[i].types) != 0 || strcmp(tokens, rows[i].tokens) != 0)
			fail_msg("\"%s\": %s, %s", rows[i].text, types, tokens);
	}
}

static void
lines_are_counted_everywhere(void **state)
{
	static const char text[] = "a\n\nb /* \n\n */ c # \n\"d\"\n\"open\ne\r\n#line 1 x\nf\n";
	static const unsigned wanted[] = { 1, 3, 5, 6, 7, 8, 9, 10 };
	struct scan scan;

	(void)state;
	scan_init(&scan, text);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		scan_next(&scan);
		assert_int_equal(scan.line, wanted[i]);
	}
	assert_int_equal(scan_next(&scan), SCAN_END);
}

static void
integers_have_their_value_or_are_too_large(void **state)
{
	static const struct {
		const char *text;
		long long value;
		bool is_wrong;
	} rows[] = {
		{ "0", 0, false },
		{ "-2147483649", -INT64_C(2147483649), false },
		{ "4294967296", INT64_C(4294967296), false },
		{ "0xffffffff", INT64_C(4294967295), false },
		{ "010", 10, false },
		{ "9223372036854775807", INT64_MAX, false },
		{ "-9223372036854775808L", INT64_MIN, false },
		{ "0x7fffffffffffffffLL", INT64_MAX, false },
		{ "1.5", 0, false },
		{ "9223372036854775808", 0, true },
		{ "-9223372036854775809", 0, true },
		{ "0x8000000000000000", 0, true },
		{ "0x10000000000000000L", 0, true },
		{ "99999999999999999999999999", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scan scan;

		scan_init(&scan, rows[i].text);
		assert_int_equal(scan_next(&scan), SCAN_NUMBER);
		if ((scan.error != NULL) != rows[i].is_wrong ||
			(!scan.error && scan.integer != rows[i].value))
			fail_msg("%s: %lld", rows[i].text, scan.integer);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_cut_into_tokens),
		cmocka_unit_test(lines_are_counted_everywhere),
		cmocka_unit_test(integers_have_their_value_or_are_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
