/*
 * Text on a terminal: what is let through, how wide it is, where it is cut.
 */
#include "ctl/shown.h"

#include "base/cleanup.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
text_keeps_letters_and_escapes_the_rest(void **state)
{
	static const struct {
		const char *text, *shown;
		size_t width;
	} rows[] = {
		{ "", "", 0 }, { "plain ~ \\ text", "plain ~ \\ text", 14 }, { "größe", "größe", 5 },
		{ "日本", "日本", 4 }, { "a\nb\tc\rd", "a\\nb\\tc\\x0dd", 12 },
		{ "\033[31mred", "\\x1b[31mred", 11 }, { "\x7f", "\\x7f", 4 },
		{ "\xc2\x9b", "\\xc2\\x9b", 8 },           /* CSI in one character */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae", 12 }, /* turns the direction of writing */
		{ "e\xcc\x81", "e\\xcc\\x81", 9 },         /* an accent that joins the letter before */
		{ "\xff\xfe", "\\xff\\xfe", 8 },           /* nothing */
		{ "\xe6\x97", "\\xe6\\x97", 8 },           /* the beginning of a character */
		{ "\xe6\x97x", "\\xe6\\x97x", 9 },
		{ "\xc0\xaf", "\\xc0\\xaf", 8 },           /* a "/" that is too long */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", 12 }, /* half of a surrogate */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *shown = shown_text(rows[i].text), *again = NULL;

		assert_non_null(shown);
		assert_string_equal(shown, rows[i].shown);
		assert_int_equal(shown_width(shown), rows[i].width);
		again = shown_text(shown); /* what is fit stays as it is */
		assert_string_equal(again, shown);
	}
}

static void
print_keeps_lines(void **state)
{
	static const char text[] = "a\n\tb\033\0c\r\n";
	cleanup_free char *shown = NULL;
	size_t len;
	FILE *out = open_memstream(&shown, &len);

	(void)state;
	shown_print(out, text, sizeof(text) - 1);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(shown, "a\n\tb\\x1b\\x00c\\x0d\n");
}

static void
assert_cut(const char *line, size_t columns, const char *expected)
{
	cleanup_free char *shown = NULL;
	size_t len;
	FILE *out = open_memstream(&shown, &len);

	shown_cut(out, line, columns);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(shown, expected);
}

static void
cut_keeps_within_the_columns(void **state)
{
	(void)state;
	assert_cut("hello world", 0, "hello world");
	assert_cut("hello world", 11, "hello world");
	assert_cut("hello world", 10, "hello w...");
	assert_cut("hello world", 6, "hel...");
	assert_cut("hello world", 5, "hello");
	assert_cut("hello world", 1, "h");
	assert_cut("日本日本", 8, "日本日本");
	assert_cut("日本日本", 7, "日本..."); /* four columns and the mark */
	assert_cut("日本日本", 6, "日...");   /* a column is left, but half a letter can't be shown */
	assert_cut("日本日本x", 1, "");       /* nor does what is narrower slip in */
}

static void
cut_knows_styles(void **state)
{
	(void)state;
	assert_cut("\033[1mhello\033[0m", 5, "\033[1mhello\033[0m");
	assert_cut("\033[1mhello\033[0m world", 8, "\033[1mhello\033[0m...");
	assert_cut("\033[1mhello\033[0m", 3, "\033[1mhel\033[0m");
	assert_cut("a\033", 5, "a\033"); /* no style, and not fit: but nothing is read behind the end */
}

static int
use_utf8(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_keeps_letters_and_escapes_the_rest),
		cmocka_unit_test(print_keeps_lines),
		cmocka_unit_test(cut_keeps_within_the_columns),
		cmocka_unit_test(cut_knows_styles),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
