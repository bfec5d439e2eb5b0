/*
 * Tables of options, with a table of its own.
 */
#include "config/option.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct settings {
	unsigned number, limit;
	bool flag;
	char *name;
	uint64_t wait_us;
	int colour;
	mode_t mode;
	char *inner_name;
	unsigned inner_number;
};

static unsigned
seven(void)
{
	return 7;
}

static const struct option_choice colours[] = { { "red", 10 }, { "green", 20 }, { NULL, 0 } };

#define FIELD(name) offsetof(struct settings, name)

static const struct option options[] = {
	{ "number", OPTION_INTEGER, FIELD(number), .fallback = "auto", .min = 1, .max = 100,
		.automatic = seven },
	{ "limit", OPTION_INTEGER, FIELD(limit), .min = 5, .max = UINT32_MAX },
	{ "flag", OPTION_BOOLEAN, FIELD(flag), .fallback = "true" },
	{ "name", OPTION_STRING, FIELD(name), .fallback = "Joe" },
	{ "wait", OPTION_TIME, FIELD(wait_us), .fallback = "1500ms", .min = US_PER_SEC,
		.max = 60 * US_PER_SEC },
	{ "colour", OPTION_CHOICE, FIELD(colour), .fallback = "green", .choices = colours },
	{ "mode", OPTION_MODE, FIELD(mode), .fallback = "0640" },
	{ "inner.name", OPTION_STRING, FIELD(inner_name), .help = "a name" },
	{ "inner.number", OPTION_INTEGER, FIELD(inner_number), .fallback = "3", .max = 9 },
	{ "elsewhere", OPTION_SPECIAL, .help = "read by others" },
};

static const struct option_table table = { options, ARRAY_LEN(options) };

/* Reads a text over the defaults; problems go to `said`, one a line. */
static void
read_text(const char *text, const char *others, struct settings *ret, char said[static 1024])
{
	struct problems problems;
	struct config_tree *tree;

	problems_init(&problems);
	*ret = (struct settings){ 0 };
	assert_int_equal(option_defaults(&table, ret), 0);
	assert_int_equal(tree_parse(text, &tree, &problems), 0);
	assert_int_equal(option_read(&(struct option_reading){ tree, &problems, "top", others, false },
				 config_root_setting(&tree->lib), &table, ret),
		0);
	*said = '\0';
	for (size_t i = 0; i < problems_kept(&problems); i++)
		snprintf(said + strlen(said), 1024 - strlen(said), "%s\n", problems.text[i]);
	tree_free(tree);
	problems_done(&problems);
}

static void
defaults_are_read_from_the_table(void **state)
{
	struct settings settings;
	char said[1024];

	(void)state;
	read_text("", NULL, &settings, said);
	assert_string_equal(said, "");
	assert_int_equal(settings.number, 7);
	assert_int_equal(settings.limit, 0);
	assert_true(settings.flag);
	assert_string_equal(settings.name, "Joe");
	assert_int_equal(settings.wait_us, 1500000);
	assert_int_equal(settings.colour, 20);
	assert_int_equal(settings.mode, 0640);
	assert_null(settings.inner_name);
	assert_int_equal(settings.inner_number, 3);
	option_free(&table, &settings);
	assert_null(settings.name);
}

static void
values_go_into_their_fields(void **state)
{
	struct settings settings;
	char said[1024];

	(void)state;
	read_text(
		"number = 100; limit = 4294967295; flag = FALSE; name = \"Jim\"; wait = 60; colour = \"red\"; mode = \"0007\";\n"
		"inner = { name = \"x\"; number = 0; }; elsewhere = ( 1 ); others = 1;\n",
		"others", &settings, said);
	assert_string_equal(said, "");
	assert_int_equal(settings.number, 100);
	assert_int_equal(settings.limit, UINT32_MAX);
	assert_false(settings.flag);
	assert_string_equal(settings.name, "Jim");
	assert_int_equal(settings.wait_us, 60000000);
	assert_int_equal(settings.colour, 10);
	assert_int_equal(settings.mode, 07);
	assert_string_equal(settings.inner_name, "x");
	assert_int_equal(settings.inner_number, 0);
	option_free(&table, &settings);
}

static void
wrong_values_are_told_and_change_nothing(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} rows[] = {
		{ "number = 0;", "-:1: top.number: 0 is out of range (1 to 100, or \"auto\")\n" },
		{ "number = 101;", "-:1: top.number: 101 is out of range (1 to 100, or \"auto\")\n" },
		{ "number = 4294967297;",
			"-:1: top.number: 4294967297 is out of range (1 to 100, or \"auto\")\n" },
		{ "number = 2.0;", "-:1: top.number: 2.0 is no whole number (1 to 100, or \"auto\")\n" },
		{ "number = \"7\";", "-:1: top.number: \"7\" is no whole number (1 to 100, or \"auto\")\n" },
		{ "limit = \"auto\";", "-:1: top.limit: \"auto\" is no whole number (5 to 4294967295)\n" },
		{ "limit = 4294967296;", "-:1: top.limit: 4294967296 is out of range (5 to 4294967295)\n" },
		{ "flag = 1;", "-:1: top.flag: 1 is neither true nor false\n" },
		{ "\nname = true;", "-:2: top.name: true is no text in quotes\n" },
		{ "name = \"\";", "-:1: top.name: \"\" is empty\n" },
		{ "name = \"a\\x7f\";", "-:1: top.name: \"a\\x7f\" has a control character in it\n" },
		{ "wait = 0.999999;", "-:1: top.wait: 0.999999 is out of range (1s to 1m)\n" },
		{ "wait = \"60.000001s\";", "-:1: top.wait: \"60.000001s\" is out of range (1s to 1m)\n" },
		{ "wait = \"60\";",
			"-:1: top.wait: \"60\" is no time (try 100, \"100s\", \"250ms\" or \"5m\")\n" },
		{ "colour = \"blue\";",
			"-:1: top.colour: \"blue\" is not known here (\"red\", \"green\")\n" },
		{ "colour = 10;", "-:1: top.colour: 10 is not known here (\"red\", \"green\")\n" },
		{ "mode = 640;",
			"-:1: top.mode: 640 is no mode (write it in octal and in quotes, as \"0660\")\n" },
		{ "inner = 5;", "-:1: top.inner: is a group of options; write inner : { ... };\n" },
		{ "inner = { number = 10; };", "-:1: top.inner.number: 10 is out of range (0 to 9)\n" },
	};
	struct settings before, settings;
	char said[1024];

	(void)state;
	read_text("", NULL, &before, said);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		read_text(rows[i].text, NULL, &settings, said);
		assert_string_equal(said, rows[i].said);
		for (size_t j = 0; j + 1 < ARRAY_LEN(options); j++) {
			cleanup_free char *a = option_format(&options[j], &before);
			cleanup_free char *b = option_format(&options[j], &settings);

			assert_string_equal(a, b);
		}
		option_free(&table, &settings);
	}
	option_free(&table, &before);
}

static void
unknown_names_are_told_with_what_was_meant(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} rows[] = {
		{ "nmuber = 1;", "-:1: unknown option \"top.nmuber\"; did you mean \"top.number\"?\n" },
		{ "numbr_ = 1;", "-:1: unknown option \"top.numbr_\"; did you mean \"top.number\"?\n" },
		{ "nu = 1;", "-:1: unknown option \"top.nu\"\n" },
		{ "nam = 1;", "-:1: unknown option \"top.nam\"; did you mean \"top.name\"?\n" },
		{ "inne : { };", "-:1: unknown option \"top.inne\"; did you mean \"top.inner\"?\n" },
		{ "inner : { nme = 1; };",
			"-:1: unknown option \"top.inner.nme\"; did you mean \"top.inner.name\"?\n" },
		{ "inner : { flag = 1; };", "-:1: unknown option \"top.inner.flag\"\n" },
		{ "others = 1;", "-:1: unknown option \"top.others\"\n" },
		{ "elsewher = 1;",
			"-:1: unknown option \"top.elsewher\"; did you mean \"top.elsewhere\"?\n" },
		{ "a123456789a123456789a123456789a123456789a123456789a123456789abc = 1;",
			"-:1: unknown option \"top.a123456789a123456789a123456789a123456789a123456789a123456789abc\"\n" },
	};
	struct settings settings;
	char said[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		read_text(rows[i].text, NULL, &settings, said);
		assert_string_equal(said, rows[i].said);
		option_free(&table, &settings);
	}
}

static void
format_writes_what_one_would_write(void **state)
{
	static const char *const wanted[] = { "7", "(none)", "true", "Joe", "1500ms", "green", "0640",
		"(none)", "3" };
	struct settings settings;
	char said[1024];

	(void)state;
	read_text("", NULL, &settings, said);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		cleanup_free char *text = option_format(&options[i], &settings);

		assert_string_equal(text, wanted[i]);
	}
	option_free(&table, &settings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_read_from_the_table),
		cmocka_unit_test(values_go_into_their_fields),
		cmocka_unit_test(wrong_values_are_told_and_change_nothing),
		cmocka_unit_test(unknown_names_are_told_with_what_was_meant),
		cmocka_unit_test(format_writes_what_one_would_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
