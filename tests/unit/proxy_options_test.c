/*
 * The options of the service proxy: what is wrong with them is told, with its place; and what is right is read.
 */
#include "service/proxy/options.h"

#include "base/cleanup.h"
#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define UPSTREAMS "upstreams = ( { address = \"127.0.0.1\"; port = 80; } );"

/* What stands in the service section, behind its type, from line 2 on; and what is said of it. */
static const struct row {
	const char *text;
	const char *problem; /* NULL: nothing */
} rows[] = {
	{ UPSTREAMS, NULL },
	{ "upstreams = ( { address = \"::1\"; port = 80; }, { path = \"/run/x\"; weight = 3; backup = true; } );",
		NULL },
	{ "upstreams = ( { address = \"db-1.example.com\"; port = 80; } );", NULL },
	{ "upstreams = ( { address = \"localhost\"; port = 65535; } );", NULL },
	{ UPSTREAMS " balance = \"source\"; resolver = \"192.0.2.53:53\"; idle_timeout = 90;", NULL },
	{ UPSTREAMS " resolver = \"2001:db8::53\"; proxy_protocol : { accept = true; send = 2; };", NULL },
	{ UPSTREAMS " health : { interval = \"2s\"; timeout = \"1s\"; rise = 2; fall = 3; };", NULL },
	{ "", "-:1: service.upstreams: must be a list of 1 to 48 entries, as ( { address = \"192.0.2.1\"; port = 80; } )" },
	{ "upstreams = ( );",
		"-:2: service.upstreams: must be a list of 1 to 48 entries, as ( { address = \"192.0.2.1\"; port = 80; } )" },
	{ "upstreams = \"127.0.0.1:80\";",
		"-:2: service.upstreams: must be a list of 1 to 48 entries, as ( { address = \"192.0.2.1\"; port = 80; } )" },
	{ "upstreams = ( \"127.0.0.1:80\" );",
		"-:2: service.upstreams[0]: must be a group, as { address = \"192.0.2.1\"; port = 80; }" },
	{ "upstreams = ( { } );", "-:2: service.upstreams[0]: address or path is needed" },
	{ "upstreams = ( { port = 80; } );", "-:2: service.upstreams[0]: address or path is needed" },
	{ "upstreams = ( { address = \"127.0.0.1\"; } );", "-:2: service.upstreams[0]: port is needed" },
	{ "upstreams = ( { address = \"127.0.0.1\"; port = 80; path = \"/run/x\"; } );",
		"-:2: service.upstreams[0]: path does not go together with address and port" },
	{ "upstreams = ( { address = \"127.0.0.1\"; port = 80; },\n{ address = \"127.0.0.1\"; port = 80; } );",
		"-:3: service.upstreams[1]: 127.0.0.1:80 is given twice" },
	{ "upstreams = ( { address = \"127.0.0.1\"; port = 0; } );",
		"-:2: service.upstreams[0].port: 0 is out of range (1 to 65535)" },
	{ "upstreams = ( { address = \"127.0.0.1.1\"; port = 80; } );",
		"-:2: service.upstreams[0].address: \"127.0.0.1.1\" is neither a numeric address nor a name" },
	{ "upstreams = ( { address = \"[::1]\"; port = 80; } );",
		"-:2: service.upstreams[0].address: \"[::1]\" is no address (leave out the brackets)" },
	{ "upstreams = ( { address = \"a b\"; port = 80; } );",
		"-:2: service.upstreams[0].address: \"a b\" is neither a numeric address nor a name" },
	{ "upstreams = ( { address = \"127.0.0.1\"; port = 80; wieght = 2; } );",
		"-:2: unknown option \"service.upstreams[0].wieght\"; did you mean \"service.upstreams[0].weight\"?" },
	{ "upstreams = ( { address = \"127.0.0.1\"; port = 80; weight = 0; } );",
		"-:2: service.upstreams[0].weight: 0 is out of range (1 to 1000)" },
	{ "upstreams = ( { path = \"run/x\"; } );",
		"-:2: service.upstreams[0].path: \"run/x\" is no absolute path" },
	{ "upstreams = ( { path = \"/run/a b\"; } );",
		"-:2: service.upstreams[0].path: \"/run/a b\" has a blank in it" },
	{ UPSTREAMS "\nbalance = \"random\";",
		"-:3: service.balance: \"random\" is not known here (\"round-robin\", \"least-connections\", \"source\")" },
	{ UPSTREAMS "\nresolver = \"ns.example.com\";",
		"-:3: service.resolver: \"ns.example.com\" is no numeric address, with or without a port" },
	{ UPSTREAMS "\nresolver = \"127.0.0.1:0\";",
		"-:3: service.resolver: \"127.0.0.1:0\" is no numeric address, with or without a port" },
	{ UPSTREAMS "\nproxy_protocol : { send = 3; };",
		"-:3: service.proxy_protocol.send: 3 is out of range (1 to 2)" },
	{ UPSTREAMS "\nconnect_timeout = \"1us\";",
		"-:3: service.connect_timeout: \"1us\" is out of range (10ms to 1d)" },
	{ UPSTREAMS "\nconect_timeout = \"1s\";",
		"-:3: unknown option \"service.conect_timeout\"; did you mean \"service.connect_timeout\"?" },
};

static struct config *
load(const char *text)
{
	cleanup_free char *whole = NULL;
	struct problems problems;
	struct config *config;

	assert_true(asprintf(&whole, "service : { type = \"proxy\";\n%s };", text) > 0);
	problems_init(&problems);
	assert_int_equal(config_load_text(whole, strlen(whole), &config, &problems), 0);
	problems_done(&problems);
	return config;
}

static void
problems_have_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *config = load(rows[i].text);
		struct problems problems;

		problems_init(&problems);
		service_check(config, &problems);
		if (rows[i].problem && problems.n > 0)
			assert_string_equal(problems.text[0], rows[i].problem);
		assert_int_equal(problems.n, rows[i].problem ? 1 : 0);
		problems_done(&problems);
		config_free(config);
	}
}

static void
options_are_read(void **state)
{
	struct config *config = load(
		"upstreams = ( { address = \"::1\"; port = 80; weight = 7; }, { path = \"/run/x\"; backup = true; } );"
		"balance = \"least-connections\"; connect_retries = 0; drain_removed = \"1h\";");
	struct proxy_options options;
	struct problems problems;

	(void)state;
	problems_init(&problems);
	assert_int_equal(proxy_options_read(&options, config, &problems), 0);
	assert_int_equal(problems.n, 0);
	assert_int_equal(options.n_upstreams, 2);
	assert_string_equal(options.upstreams[0].name, "[::1]:80");
	assert_int_equal(options.upstreams[0].weight, 7);
	assert_string_equal(options.upstreams[1].name, "/run/x");
	assert_true(options.upstreams[1].backup);
	assert_int_equal(options.upstreams[1].weight, 1);
	assert_int_equal(options.balance, BALANCE_LEAST_CONNECTIONS);
	assert_int_equal(options.connect_retries, 0);
	assert_int_equal(options.connect_timeout_us, 5000000);
	assert_int_equal(options.drain_removed_us, UINT64_C(3600000000));
	assert_int_equal(options.idle_timeout_us, 0);
	assert_int_equal(options.health.fall, 3);
	assert_int_equal(options.proxy_protocol.send, 0);
	proxy_options_done(&options);
	problems_done(&problems);
	config_free(config);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(problems_have_their_place),
		cmocka_unit_test(options_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
