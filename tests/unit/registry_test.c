/*
 * The list of services, and the check of the service section.
 */
#include "service/service.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
services_are_found_by_type(void **state)
{
	static const char *const types[] = { "hello", "echo", "http", "proxy", "module" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct service_ops *ops = service_find(types[i]);

		assert_non_null(ops);
		assert_string_equal(ops->type, types[i]);
		assert_non_null(ops->start);
		assert_non_null(ops->accept);
		assert_non_null(ops->cut);
		assert_non_null(ops->stop);
	}
	assert_null(service_find("hallo"));
	assert_null(service_find("Hello"));
	assert_null(service_find(""));
}

/* What is said of this text; NULL: nothing is wrong. */
struct row {
	const char *text;
	const char *problem;
};

static const struct row rows[] = {
	{ "", NULL }, /* the default */
	{ "service : { type = \"hello\"; };", NULL },
	{ "service : { type = \"echo\"; };", NULL },
	{ "service : { type = \"ecko\"; };",
		"-:1: service.type: there is no service \"ecko\"; did you mean \"echo\"?" },
	{ "service : {\n type = \"hallo\"; };",
		"-:2: service.type: there is no service \"hallo\"; did you mean \"hello\"?" },
	{ "service : { type = \"modul\"; };",
		"-:1: service.type: there is no service \"modul\"; did you mean \"module\"?" },
	{ "service : { type = \"module\"; };", "-:1: service: path is missing" },
	{ "service : { type = \"module\";\n path = \"/nonexistent/x.so\"; };",
		"-:2: service.path: /nonexistent/x.so: No such file or directory" },
	{ "service : { type = \"frobnicate\"; };", "-:1: service.type: there is no service \"frobnicate\"" },
	{ "service : { type = \"hello\";\n\n root = \"/srv\"; };", "-:3: unknown option \"service.root\"" },
};

static void
problems_have_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *config;
		struct problems problems;

		problems_init(&problems);
		assert_int_equal(config_load_text(rows[i].text, strlen(rows[i].text), &config, &problems), 0);
		service_check(config, &problems);
		assert_int_equal(problems.n, rows[i].problem ? 1 : 0);
		if (rows[i].problem)
			assert_string_equal(problems.text[0], rows[i].problem);
		problems_done(&problems);
		config_free(config);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_found_by_type),
		cmocka_unit_test(problems_have_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
