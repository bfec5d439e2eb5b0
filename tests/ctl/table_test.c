/*
 * The table's layout: widths, which columns go where room is short, and that no line is too long or ends in blanks.
 */
#include "ctl/table.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NAME, COUNT, WORTH, NOTE, COLUMNS };

static const struct table_column columns[COLUMNS] = {
	[NAME] = { "NAME", false, 100 },
	[COUNT] = { "COUNT", true, 50 },
	[WORTH] = { "WORTH", true, 10 },
	[NOTE] = { "NOTE", false, 10 },
};

static struct table *
make_table(void)
{
	struct table *table = table_new(columns, COLUMNS);

	assert_non_null(table);
	assert_int_equal(table_add_row(table), 0);
	assert_int_equal(table_set(table, NAME, STYLE_PLAIN, "%s", "a"), 0);
	assert_int_equal(table_set(table, COUNT, STYLE_GOOD, "%d", 7), 0);
	assert_int_equal(table_set(table, WORTH, STYLE_PLAIN, "%s", "1234567"), 0);
	assert_int_equal(table_set(table, NOTE, STYLE_PLAIN, "%s", "x y"), 0);
	assert_int_equal(table_add_row(table), 0);
	assert_int_equal(table_set(table, NAME, STYLE_PLAIN, "%s", "longer name"), 0);
	assert_int_equal(table_set(table, COUNT, STYLE_PLAIN, "%d", 1234567), 0);
	return table;
}

static char *
print(const struct table *table, const struct terminal *terminal)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	table_print(table, terminal, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void
assert_printed(const struct table *table, unsigned width, const char *expected)
{
	const struct terminal terminal = { .columns = width };
	cleanup_free char *text = print(table, &terminal);

	assert_string_equal(text, expected);
}

static void
columns_are_as_wide_as_what_stands_in_them(void **state)
{
	struct table *table = make_table();

	(void)state;
	assert_printed(table, 0,
		"NAME           COUNT    WORTH  NOTE\n"
		"a                  7  1234567  x y\n"
		"longer name  1234567\n");
	table_free(table);
}

/* The widths: 11 + 7 + 7 + 4 columns, 2 between two; of WORTH and NOTE, which matter alike, the one to the right goes first. */
static void
least_important_columns_go_first(void **state)
{
	static const char *const with_all = "NAME           COUNT    WORTH  NOTE\n"
					    "a                  7  1234567  x y\n"
					    "longer name  1234567\n";
	static const char *const with_three = "NAME           COUNT    WORTH\n"
					      "a                  7  1234567\n"
					      "longer name  1234567\n";
	static const char *const with_two = "NAME           COUNT\n"
					    "a                  7\n"
					    "longer name  1234567\n";
	static const char *const with_one = "NAME\n"
					    "a\n"
					    "longer name\n";
	struct table *table = make_table();

	(void)state;
	assert_printed(table, 35, with_all);
	assert_printed(table, 34, with_three);
	assert_printed(table, 29, with_three);
	assert_printed(table, 28, with_two);
	assert_printed(table, 20, with_two);
	assert_printed(table, 19, with_one);
	assert_printed(table, 11, with_one);
	table_free(table);
}

static void
last_column_is_cut(void **state)
{
	struct table *table = make_table();

	(void)state;
	assert_printed(table, 8, "NAME\na\nlonge...\n");
	assert_printed(table, 3, "NAM\na\nlon\n");
	assert_printed(table, 1, "N\na\nl\n");
	table_free(table);
}

static void
column_without_content_is_left_out(void **state)
{
	struct table *table = table_new(columns, COLUMNS);

	(void)state;
	assert_non_null(table);
	assert_int_equal(table_add_row(table), 0);
	assert_int_equal(table_set(table, NAME, STYLE_PLAIN, "%s", ""), 0);
	assert_int_equal(table_set(table, COUNT, STYLE_PLAIN, "%s", "-"), 0);
	assert_int_equal(table_set(table, NOTE, STYLE_PLAIN, "%s", "x"), 0);
	assert_printed(table, 0, "COUNT  NOTE\n    -  x\n");
	table_free(table);
}

static void
table_without_rows_is_an_empty_line(void **state)
{
	struct table *table = table_new(columns, COLUMNS);

	(void)state;
	assert_printed(table, 0, "\n");
	assert_printed(table, 5, "\n");
	table_free(table);
	table_free(NULL);
}

static void
cells_are_made_fit(void **state)
{
	struct table *table = table_new(columns, COLUMNS);

	(void)state;
	assert_int_equal(table_add_row(table), 0);
	assert_int_equal(table_set(table, NAME, STYLE_PLAIN, "%s", "a\n\033[2J"), 0);
	assert_int_equal(table_set(table, COUNT, STYLE_PLAIN, "1"), 0);
	assert_printed(table, 0, "NAME        COUNT\na\\n\\x1b[2J      1\n");
	table_free(table);
}

/* Styles take no room, and end where they have begun, cut or not. */
static void
styles_are_around_the_text_only(void **state)
{
	const struct terminal wide = { .has_colour = true }, narrow = { .has_colour = true, .columns = 3 };
	struct table *table = make_table();
	cleanup_free char *whole = print(table, &wide), *cut = print(table, &narrow);

	(void)state;
	assert_non_null(strstr(whole, "\na                  \033[32m7\033[0m  1234567  x y\n"));
	assert_ptr_equal(strstr(whole, "\033[1mNAME\033[0m           \033[1mCOUNT\033[0m"), whole);
	assert_string_equal(cut, "\033[1mNAM\033[0m\na\nlon\n");
	table_free(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_what_stands_in_them),
		cmocka_unit_test(least_important_columns_go_first),
		cmocka_unit_test(last_column_is_cut),
		cmocka_unit_test(column_without_content_is_left_out),
		cmocka_unit_test(table_without_rows_is_an_empty_line),
		cmocka_unit_test(cells_are_made_fit),
		cmocka_unit_test(styles_are_around_the_text_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
