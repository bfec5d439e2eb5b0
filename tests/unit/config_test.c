/*
 * The configuration as master and workers use it: from a text, its values, its differences, a service's own options.
 */
#include "config/config.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

static struct config *
load(const char *text)
{
	struct problems problems;
	struct config *config;

	problems_init(&problems);
	if (config_load_text(text, strlen(text), &config, &problems) < 0)
		fail_msg("%s", problems.text[0]);
	assert_int_equal(problems.n, 0);
	return config;
}

/* Loads what must fail; the problems, one a line, to be freed. */
static char *
load_wrong(const char *text, size_t len)
{
	char *said = strdup("");
	struct problems problems;
	struct config *config;

	problems_init(&problems);
	assert_int_equal(config_load_text(text, len, &config, &problems), -EINVAL);
	for (size_t i = 0; i < problems_kept(&problems); i++) {
		cleanup_free char *before = said;

		said = text_format("%s%s\n", before, problems.text[i]);
	}
	problems_done(&problems);
	return said;
}

static void
values_of_a_text_are_in_the_struct(void **state)
{
	struct config *config = load("#line 10 /etc/x.conf\n"
				     "workers = 3; drain_timeout = 0.5;\n"
				     "listen = ( { port = 80; },\n"
				     "{ path = \"/x\"; mode = \"0600\"; user = \"u\"; } );\n"
				     "roll : { on_failure = \"keep\"; };");

	(void)state;
	assert_string_equal(config->path, "/etc/x.conf");
	assert_int_equal(config->workers, 3);
	assert_int_equal(config->drain_timeout_us, 500000);
	assert_string_equal(config->service_type, "http");
	assert_int_equal(config->roll.on_failure, CONFIG_ON_FAILURE_KEEP);
	assert_int_equal(config->roll.parallel, 1);
	assert_int_equal(config->hang_timeout_us, 0);
	assert_int_equal(config->log.level, LOG_INFO);
	assert_null(config->user);
	assert_int_equal(config->n_listen, 2);
	assert_int_equal(config->listen[0].kind, CONFIG_LISTEN_TCP);
	assert_int_equal(config->listen[0].port, 80);
	assert_int_equal(config->listen[0].backlog, 4096);
	assert_null(config->listen[0].address);
	assert_string_equal(config->listen[0].file, "/etc/x.conf");
	assert_int_equal(config->listen[0].line, 11);
	assert_int_equal(config->listen[1].kind, CONFIG_LISTEN_UNIX);
	assert_string_equal(config->listen[1].path, "/x");
	assert_int_equal(config->listen[1].mode, 0600);
	assert_string_equal(config->listen[1].user, "u");
	assert_int_equal(config->listen[1].line, 12);
	config_free(config);
}

static void
text_without_markers_has_lines_only(void **state)
{
	static const char text[] = "workers = 0;\n\nport = 0;";
	cleanup_free char *said = load_wrong(text, strlen(text));
	struct config *config = load("");

	(void)state;
	assert_string_equal(said, "-:1: workers: 0 is out of range (1 to 1024, or \"auto\")\n"
				  "-:3: port: 0 is out of range (1 to 65535)\n");
	assert_string_equal(config->path, "-");
	config_free(config);
}

static void
text_of_a_worker_is_as_strict_as_a_file(void **state)
{
#define TEXT(s) s, sizeof(s) - 1
	static const struct {
		const char *text;
		size_t len;
		const char *said;
	} rows[] = {
		{ TEXT("#line 3 /f\n@include \"/etc/passwd\"\n"),
			"/f:3: syntax error: @include must stand at the beginning of a line of a file\n" },
		{ TEXT("a\0b"), "-: not a text file: NUL byte\n" },
		{ TEXT("#line 7 /f\n/* open"), "/f:7: syntax error: comment that is never closed: /*\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_free char *said = load_wrong(rows[i].text, rows[i].len);

		assert_string_equal(said, rows[i].said);
	}
}

static void
text_that_is_too_large_is_refused(void **state)
{
	const size_t len = CONFIG_TEXT_MAX + 1;
	cleanup_free char *text = malloc(len), *said = NULL;
	struct problems problems;
	struct config *config;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', len);
	said = load_wrong(text, len);
	assert_string_equal(said, "-: too large\n");
	problems_init(&problems);
	assert_int_equal(config_load_text(text, len - 1, &config, &problems), 0);
	config_free(config);
}

struct diff {
	char text[1024];
};

static void
on_change(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	struct diff *diff = arg;
	size_t used = strlen(diff->text);

	snprintf(diff->text + used, sizeof(diff->text) - used, "%s: %s -> %s%s\n", name, old_value, new_value,
		effect == CONFIG_EFFECT_LIVE ? " live" : "");
}

static void
diff_tells_each_change_once(void **state)
{
	static const struct {
		const char *old, *new, *said;
	} rows[] = {
		{ "", "", "" },
		{ "port = 80;", "listen = ( { address = \"::\"; port = 80; } );", "" },
		{ "drain_timeout = 100;", "drain_timeout = \"100000ms\";", "" },
		{ "workers = 2;", "workers = 4;", "workers: 2 -> 4\n" },
		{ "", "drain_timeout = \"250ms\";", "drain_timeout: 100s -> 250ms live\n" },
		{ "port = 80;", "port = 81;", "listen: [::]:80 -> [::]:81\n" },
		{ "", "user = \"a b\"; group = \"c\";", "group: (none) -> c\nuser: (none) -> \"a b\"\n" },
		{ "hang_timeout = 1;", "", "hang_timeout: 1s -> (none)\n" },
		{ "limits : { connections = 5; };", "limits : { open_files = 100; };",
			"limits.connections: 5 -> (none)\nlimits.open_files: (none) -> 100\n" },
		{ "", "service : { type = \"http\"; };", "" },
		{ "", "service : { type = \"x\"; a = ( { b = 1; } ); };",
			"service.a[0].b: (none) -> 1\nservice.type: http -> x\n" },
		{ "service : { type = \"x\"; a = [ 1, 2 ]; b = true; };",
			"service : { b = false; a = [ 1 ]; type = \"x\"; };",
			"service.a[1]: 2 -> (none)\nservice.b: true -> false\n" },
		{ "service : { type = \"x\"; a = \"1\"; };", "service : { type = \"x\"; a = \"1 \"; };",
			"service.a: 1 -> \"1 \"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *old = load(rows[i].old), *new = load(rows[i].new);
		struct diff diff = { "" };

		assert_int_equal(config_diff(old, new, on_change, &diff), 0);
		assert_string_equal(diff.text, rows[i].said);
		config_free(old);
		config_free(new);
	}
}

static void
listen_text_names_the_address(void **state)
{
	struct config *config = load(
		"listen = ( { port = 1; }, { port = 2; ipv6_only = true; }, { port = 3; address = \"127.0.0.1\"; },\n"
		"{ port = 4; address = \"0:0::1\"; }, { path = \"/run/x.sock\"; }, { systemd = \"N\"; } );");
	static const char *const wanted[] = { "[::]:1", "[::]:2 (IPv6 only)", "127.0.0.1:3", "[::1]:4",
		"/run/x.sock", "systemd:N" };

	(void)state;
	assert_int_equal(config->n_listen, ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		cleanup_free char *text = config_listen_text(&config->listen[i]);

		assert_string_equal(text, wanted[i]);
	}
	config_free(config);
}

struct service {
	char *root;
	uint64_t idle_us;
};

static const struct option service_options[] = {
	{ "root", OPTION_STRING, offsetof(struct service, root), .help = "a folder" },
	{ "idle", OPTION_TIME, offsetof(struct service, idle_us), "5s", .max = 60 * US_PER_SEC },
};

static const struct option_table service_table = { service_options, ARRAY_LEN(service_options) };

static void
service_reads_its_own_options(void **state)
{
	struct config *config = load("service : { type = \"x\"; root = \"/srv\"; };"), *bare = load("");
	struct service service = { 0 };
	struct problems problems;

	(void)state;
	problems_init(&problems);
	assert_int_equal(config_read_service(config, &service_table, &service, &problems), 0);
	assert_int_equal(problems.n, 0);
	assert_string_equal(service.root, "/srv");
	assert_int_equal(service.idle_us, 5000000);
	option_free(&service_table, &service);
	assert_int_equal(config_read_service(bare, &service_table, &service, &problems), 0);
	assert_int_equal(problems.n, 0);
	assert_null(service.root);
	option_free(&service_table, &service);
	config_free(config);
	config_free(bare);
}

/* What is found later stands where it belongs in the text. */
static void
problems_of_users_are_sorted_in(void **state)
{
	static const char *const wanted[] = {
		"/f:1: user: there is no such user",
		"/f:3: unknown option \"service.rot\"; did you mean \"service.root\"?",
		"/f:4: service.idle: \"x\" is no time (try 100, \"100s\", \"250ms\" or \"5m\")",
		"/f:5: log.level: too noisy",
	};
	struct config *config =
		load("#line 1 /f\nuser = \"u\";\nservice : { type = \"x\";\nrot = 1;\nidle = \"x\"; };\n"
		     "log : { };\n");
	struct service service = { 0 };
	struct problems problems;

	(void)state;
	problems_init(&problems);
	config_add_problem(config, "log.level", &problems, "too %s", "noisy");
	assert_int_equal(config_read_service(config, &service_table, &service, &problems), 0);
	config_add_problem(config, "user", &problems, "there is no such user");
	assert_int_equal(problems_kept(&problems), ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_string_equal(problems.text[i], wanted[i]);
	config_add_problem(config, "limits.open_files", &problems, "nowhere");
	assert_string_equal(problems.text[0], "/f: limits.open_files: nowhere");
	option_free(&service_table, &service);
	problems_done(&problems);
	config_free(config);
}

/* Clients of the one find the other when it is no longer there. */
static void
wide_addresses_cover_narrow_ones(void **state)
{
	static const struct {
		const char *wide, *narrow;
		bool covered;
	} cases[] = {
		{ "{ port = 1; }", "{ port = 1; address = \"127.0.0.1\"; }", true },
		{ "{ port = 1; }", "{ port = 1; address = \"::1\"; }", true },
		{ "{ port = 1; }", "{ port = 1; address = \"0.0.0.0\"; }", true },
		{ "{ port = 1; }", "{ port = 1; address = \"::\"; ipv6_only = true; }", true },
		{ "{ port = 1; }", "{ port = 2; address = \"127.0.0.1\"; }", false },
		{ "{ port = 1; }", "{ path = \"/s\"; }", false },
		{ "{ port = 1; address = \"127.0.0.1\"; }", "{ port = 1; }", false },
		{ "{ port = 1; address = \"127.0.0.1\"; }", "{ port = 1; address = \"127.0.0.2\"; }", false },
		{ "{ port = 1; address = \"0.0.0.0\"; }", "{ port = 1; address = \"127.0.0.1\"; }", true },
		{ "{ port = 1; address = \"0.0.0.0\"; }", "{ port = 1; address = \"::1\"; }", false },
		{ "{ port = 1; address = \"0.0.0.0\"; }", "{ port = 1; }", false },
		{ "{ port = 1; address = \"::\"; ipv6_only = true; }", "{ port = 1; address = \"::1\"; }",
			true },
		{ "{ port = 1; address = \"::\"; ipv6_only = true; }", "{ port = 1; address = \"1.2.3.4\"; }",
			false },
		{ "{ port = 1; address = \"::\"; ipv6_only = true; }", "{ port = 1; }", false },
		{ "{ path = \"/s\"; }", "{ port = 1; address = \"::1\"; }", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *wide_text = text_format("listen = ( %s );\n", cases[i].wide);
		cleanup_free char *narrow_text = text_format("listen = ( %s );\n", cases[i].narrow);
		struct config *wide = load(wide_text), *narrow = load(narrow_text);

		print_message("%s | %s\n", cases[i].wide, cases[i].narrow);
		assert_int_equal(
			config_listen_covers(&wide->listen[0], &narrow->listen[0]), cases[i].covered);
		config_free(wide);
		config_free(narrow);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_a_text_are_in_the_struct),
		cmocka_unit_test(text_without_markers_has_lines_only),
		cmocka_unit_test(text_of_a_worker_is_as_strict_as_a_file),
		cmocka_unit_test(text_that_is_too_large_is_refused),
		cmocka_unit_test(diff_tells_each_change_once),
		cmocka_unit_test(listen_text_names_the_address),
		cmocka_unit_test(wide_addresses_cover_narrow_ones),
		cmocka_unit_test(service_reads_its_own_options),
		cmocka_unit_test(problems_of_users_are_sorted_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
