/*
 * The table of characters, beside the standards' own words for them.
 */
#include "http/chars.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool
is_among(int c, const char *set)
{
	return c != '\0' && strchr(set, c);
}

/* RFC 9110, 5.6.2: tchar */
static bool
is_token(int c)
{
	return is_among(c, "!#$%&'*+-.^_`|~" DIGITS LETTERS);
}

/* RFC 9110, 5.5: field-vchar, and the white space between */
static bool
is_value(int c)
{
	return c == ' ' || c == '\t' || (c >= 0x21 && c <= 0x7e) || c >= 0x80;
}

/* RFC 3986, 3.2.2: unreserved, pct-encoded, sub-delims; no comma */
static bool
is_name(int c)
{
	return is_among(c, "-._~%!$&'()*+;=" DIGITS LETTERS);
}

static bool
is_target(int c)
{
	return c > ' ' && c < 0x7f && c != '#';
}

static void
each_character_is_of_the_kinds_that_the_standards_say(void **state)
{
	static const struct {
		enum http_chars kind;
		bool (*is)(int c);
	} kinds[] = {
		{ HTTP_CHARS_TOKEN, is_token },
		{ HTTP_CHARS_VALUE, is_value },
		{ HTTP_CHARS_NAME, is_name },
		{ HTTP_CHARS_TARGET, is_target },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (int c = 0; c <= UINT8_MAX; c++) {
			char text = (char)c;

			if (http_chars_span(&text, 1, kinds[i].kind) != kinds[i].is(c))
				fail_msg("kind %d, character 0x%02x", kinds[i].kind, (unsigned)c);
		}
}

static void
a_span_ends_before_the_first_of_another_kind(void **state)
{
	(void)state;
	assert_int_equal(http_chars_span("Host: a", 7, HTTP_CHARS_TOKEN), 4);
	assert_int_equal(http_chars_span(": a", 3, HTTP_CHARS_TOKEN), 0);
	assert_int_equal(http_chars_span("Host", 4, HTTP_CHARS_TOKEN), 4);
	assert_int_equal(http_chars_span("Host", 2, HTTP_CHARS_TOKEN), 2); /* no further than it may look */
	assert_int_equal(http_chars_span("", 0, HTTP_CHARS_TOKEN), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_character_is_of_the_kinds_that_the_standards_say),
		cmocka_unit_test(a_span_ends_before_the_first_of_another_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
