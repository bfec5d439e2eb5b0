/*
 * Strings: escaping, strict numbers, the distance of words.
 */
#include "base/text.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
escape_shows_every_byte_on_one_line(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *shown;
	} rows[] = {
		{ "", 0, "" },
		{ "hello", 5, "hello" },
		{ "a\nb\r\tc", 6, "a\\nb\\r\\tc" },
		{ "\\", 1, "\\\\" },
		{ "\0\x1b\x7f\xff", 4, "\\x00\\x1b\\x7f\\xff" },
		{ "\xc3\xa4", 2, "\\xc3\\xa4" },
		{ " ~", 2, " ~" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		text_escape(out, sizeof(out), rows[i].bytes, rows[i].len);
		assert_string_equal(out, rows[i].shown);
	}
}

/* What is cut ends in "...", what has room for that mark too is not cut; nothing is written behind the end. */
static void
escape_keeps_within_its_room(void **state)
{
	static const char bytes[] = "abc\ndef\x01ghi";
	char whole[64], out[64];
	size_t len;

	(void)state;
	text_escape(whole, sizeof(whole), bytes, sizeof(bytes) - 1);
	len = strlen(whole);
	for (size_t size = 8; size < sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		text_escape(out, size, bytes, sizeof(bytes) - 1);
		assert_true(strlen(out) < size);
		assert_int_equal(out[size], '#');
		if (strcmp(out, whole) == 0)
			continue;
		assert_true(size <= len + 3);
		assert_string_equal(out + strlen(out) - 3, "...");
		assert_memory_equal(out, whole, strlen(out) - 3);
	}
}

static void
parse_u64_takes_numbers_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "0x1", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 12345;

		assert_int_equal(text_parse_u64(rows[i].text, &value), rows[i].r);
		assert_int_equal(value, rows[i].r == 0 ? rows[i].value : 12345);
	}
}

static void
distance_counts_changes(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} rows[] = {
		{ "", "", 0 },
		{ "echo", "echo", 0 },
		{ "", "abc", 3 },
		{ "hallo", "hello", 1 },
		{ "hell", "hello", 1 },
		{ "helloo", "hello", 1 },
		{ "wrokers", "workers", 1 },
		{ "ehco", "echo", 1 },
		{ "kitten", "sitting", 3 },
		{ "drain_timeout", "draintimeout", 1 },
	};
	char longest[64 + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(text_distance(rows[i].a, rows[i].b), rows[i].distance);
		assert_int_equal(text_distance(rows[i].b, rows[i].a), rows[i].distance);
	}
	memset(longest, 'x', sizeof(longest));
	longest[64] = '\0';
	assert_int_equal(text_distance(longest, "x"), SIZE_MAX);
	longest[63] = '\0';
	assert_int_equal(text_distance(longest, "x"), 62);
}

static void
equal_knows_null(void **state)
{
	(void)state;
	assert_true(text_equal(NULL, NULL));
	assert_false(text_equal(NULL, ""));
	assert_false(text_equal("", NULL));
	assert_true(text_equal("a", "a"));
	assert_false(text_equal("a", "b"));
}

static void
format_makes_a_string(void **state)
{
	char *text = text_format("%s %d", "answer", 42);

	(void)state;
	assert_string_equal(text, "answer 42");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escape_shows_every_byte_on_one_line),
		cmocka_unit_test(escape_keeps_within_its_room),
		cmocka_unit_test(parse_u64_takes_numbers_and_nothing_else),
		cmocka_unit_test(distance_counts_changes),
		cmocka_unit_test(equal_knows_null),
		cmocka_unit_test(format_makes_a_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
