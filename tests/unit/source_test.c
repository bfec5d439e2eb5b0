/*
 * How files are put together into one text. What is refused, and all messages, are in tests/config.
 */
#include "config/source.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "config/places.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static int
on_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Each test runs in a folder of its own. */
static int
setup(void **state)
{
	char *folder = strdup("/tmp/source-test-XXXXXX");

	*state = folder;
	umask(022);
	return folder && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	cleanup_free char *folder = *state;

	return chdir("/") == 0 && nftw(folder, on_entry, 8, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -1;
}

static void
write_file(const char *path, const char *text)
{
	cleanup_file FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

/* Reads "main" and compares the text. */
static void
expect(const char *wanted)
{
	cleanup_free char *text = NULL;
	struct problems problems;
	size_t len;

	problems_init(&problems);
	assert_int_equal(source_read("main", &text, &len, &problems), 0);
	assert_string_equal(text, wanted);
	assert_int_equal(len, strlen(wanted));
	assert_int_equal(problems.n, 0);
}

static void
text_begins_with_its_place_and_ends_in_a_newline(void **state)
{
	(void)state;
	write_file("main", "");
	expect("#line 1 main\n");
	write_file("main", "a = 1;");
	expect("#line 1 main\na = 1;\n");
	write_file("main", "a = 1;\n\n");
	expect("#line 1 main\na = 1;\n\n");
}

static void
includes_stand_where_their_line_stood(void **state)
{
	(void)state;
	write_file("main", "a = 1;\n @include \"sub/x\" // why\nb = 2;\n@include \"none*\"\n");
	assert_int_equal(mkdir("sub", 0755), 0);
	write_file("sub/x", "@include \"y\"");
	write_file("sub/y", "c = 3;");
	expect("#line 1 main\na = 1;\n \n"
	       "#line 1 sub/x\n\n"
	       "#line 1 sub/y\nc = 3;\n"
	       "#line 2 sub/x\n"
	       "#line 3 main\nb = 2;\n\n"
	       "#line 5 main\n");
}

static void
patterns_are_sorted_and_folders_are_no_patterns(void **state)
{
	(void)state;
	assert_int_equal(mkdir("[a]*", 0755), 0);
	write_file("[a]*/main", "@include \"?\"\n");
	write_file("[a]*/2", "two");
	write_file("[a]*/1", "one");
	write_file("main", "@include \"[[]a]*/main\"\n");
	expect("#line 1 main\n\n"
	       "#line 1 [a]*/main\n\n"
	       "#line 1 [a]*/1\none\n"
	       "#line 1 [a]*/2\ntwo\n"
	       "#line 2 [a]*/main\n"
	       "#line 2 main\n");
}

/* Our own markers begin a line; what looks like one is moved by a blank. In strings and comments nothing is touched. */
static void
lookalikes_of_markers_are_disarmed(void **state)
{
	(void)state;
	write_file("main",
		"#line 5 x\n/*\n#line 6 y\n@include \"z\"\n*/ a = \"@include\";\n# @include \"z\"\n#line 7 z");
	expect("#line 1 main\n #line 5 x\n/*\n#line 6 y\n@include \"z\"\n*/ a = \"@include\";\n# @include \"z\"\n #line 7 z\n");
}

/* The map finds every line of such a text again. */
static void
places_are_found_again(void **state)
{
	static const struct {
		unsigned text_line;
		const char *file;
		unsigned line;
	} rows[] = { { 0, "main", 0 }, { 1, "main", 0 }, { 2, "main", 1 }, { 3, "main", 2 }, { 5, "x", 1 },
		{ 6, "x", 2 }, { 8, "main", 3 }, { 9, "main", 4 }, { 90, "main", 85 } };
	cleanup_free char *text = NULL;
	struct problems problems;
	struct places places;
	size_t len;

	(void)state;
	write_file("main", "a\n@include \"x\"\nb\nc\n");
	write_file("x", "d\ne\n");
	problems_init(&problems);
	assert_int_equal(source_read("main", &text, &len, &problems), 0);
	assert_int_equal(places_read(&places, text), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *file;
		unsigned line;

		places_find(&places, rows[i].text_line, &file, &line);
		assert_string_equal(file, rows[i].file);
		assert_int_equal(line, rows[i].line);
	}
	places_done(&places);
}

static void
malformed_markers_are_comments(void **state)
{
	static const char *const texts[] = { "#line\n", "#line \n", "#line x\n", "#line 1\n", "#line 1 \n",
		"#line 0 x\n", "#line 4294967296 x\n", "#line 99999999999999999999 x\n", "#line -1 x\n",
		"#line 1x\n", "#line 1 x\x1b\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct places places;

		assert_int_equal(places_read(&places, texts[i]), 0);
		assert_int_equal(places.n, 0);
		places_done(&places);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			text_begins_with_its_place_and_ends_in_a_newline, setup, teardown),
		cmocka_unit_test_setup_teardown(includes_stand_where_their_line_stood, setup, teardown),
		cmocka_unit_test_setup_teardown(
			patterns_are_sorted_and_folders_are_no_patterns, setup, teardown),
		cmocka_unit_test_setup_teardown(lookalikes_of_markers_are_disarmed, setup, teardown),
		cmocka_unit_test_setup_teardown(places_are_found_again, setup, teardown),
		cmocka_unit_test(malformed_markers_are_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
