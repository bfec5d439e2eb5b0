/*
 * What is made of the words of hosted programs: the line that a verdict quotes, and the datagrams of sd_notify.
 */
#include "base/cleanup.h"
#include "master/notify_socket.h"
#include "master/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_quote(void **state)
{
	static const struct {
		const char *text, *quote;
	} rows[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "one", "one" },
		{ "one\ntwo\n", "two" },
		{ "one\ntwo\n\n\n", "two" },
		{ "Traceback (most recent call last):\n  File \"x\", raise KeyError\nModuleNotFoundError: No module\n",
			"ModuleNotFoundError: No module" },
		{ "x.js:1\nlet a = ;\n\nSyntaxError: Unexpected token\n    at Error (x)\n\nNode.js v20\n",
			"SyntaxError: Unexpected token" },
		{ "syntax error at x.psgi line 2\nCompilation errors.\nbye\n",
			"syntax error at x.psgi line 2" },
		{ "an error long ago\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n", "16" },
		{ "  indented error\nlast\n", "last" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char quote[OUTPUT_QUOTE_MAX];

		output_choose(rows[i].text, strlen(rows[i].text), quote);
		assert_string_equal(quote, rows[i].quote);
	}
}

static void
test_long_quote_is_cut(void **state)
{
	char text[1000], quote[OUTPUT_QUOTE_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	output_choose(text, sizeof(text), quote);
	assert_int_equal(strlen(quote), OUTPUT_QUOTE_MAX - 1);
	assert_string_equal(quote + OUTPUT_QUOTE_MAX - 4, "...");
}

static void
test_notify_message(void **state)
{
	char all[] = "READY=1\nSTATUS=at\x1byour service\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=5000\nMAINPID=7\n";
	char none[] = "READY=0\nready\n=\nSTATUS\nEXTEND_TIMEOUT_USEC=-1\nEXTEND_TIMEOUT_USEC=\nWATCHDOG=2";
	char end[] = "STOPPING=1\nRELOADING=1\nWATCHDOG=trigger";
	struct notify_message m;

	(void)state;
	notify_message_parse(all, &m);
	assert_true(m.ready && m.watchdog && !m.stopping && !m.reloading && !m.trigger);
	assert_string_equal(m.status, "at?your service");
	assert_int_equal(m.extend_us, 5000);
	notify_message_parse(none, &m);
	assert_false(m.ready || m.watchdog || m.stopping || m.reloading || m.trigger);
	assert_null(m.status);
	assert_int_equal(m.extend_us, 0);
	notify_message_parse(end, &m);
	assert_true(m.stopping && m.reloading && m.trigger && !m.watchdog);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_long_quote_is_cut),
		cmocka_unit_test(test_notify_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
