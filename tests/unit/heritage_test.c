/*
 * The description that one image of the master leaves to the next: what is written is read, and nothing else is. heritage.json is the
 * state of a daemon, with something in every place.
 */
#include "control/control.h"
#include "master/inventory.h"
#include "master/pool_heritage.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "stride.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define CONFIG_FD 100 /* where the sample has its configuration */

static const char config_text[] =
	"workers = 2;\n"
	"listen = ( { port = 26642; }, { path = \"/nonexistent/s.sock\"; } );\n"
	"service = { type = \"exec\"; command = ( \"/bin/x\" ); ready = \"notify\"; };\n";

/* ---- the sample ---- */

static json_t *
read_sample(void)
{
	char path[4096];
	json_t *json;

	snprintf(
		path, sizeof(path), "%s/tests/unit/heritage.json", getenv("srcdir") ? getenv("srcdir") : ".");
	json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	json_object_set_new(json, "pid", json_integer(getppid())); /* as a trial has it */
	return json;
}

static int
setup(void **state)
{
	int fd = fd_sealed_memfd("config", config_text, sizeof(config_text) - 1);

	assert_true(fd >= 0 && dup2(fd, CONFIG_FD) == CONFIG_FD);
	close(fd);
	*state = event_base_new();
	return *state ? 0 : -1;
}

static int
teardown(void **state)
{
	event_base_free(*state);
	return 0;
}

/* Would a trial say yes to these bytes? */
static bool
is_taken(struct event_base *base, const char *text, size_t len, char *error)
{
	struct master_extension extension = control_extension(control_new());
	struct heritage h = { .trial = true };
	struct listen_fds passed = { 0 };
	struct recycle recycle = { 0 };
	struct reload reload = { 0 };
	const struct pool_host host = { .base = base, .passed = &passed };
	struct inventory inventory = { .pool = pool_new(&host),
		.passed = &passed,
		.reload = &reload,
		.recycle = &recycle,
		.extension = &extension };
	json_t *json = heritage_open(&h, fd_sealed_memfd("state", text, len));
	bool good = json && inventory_load(&h, json, &inventory, NULL);

	assert_int_equal(good, !*h.error);
	if (error)
		snprintf(error, sizeof(h.error), "%s", h.error);
	json_decref(json);
	free(inventory.own.program);
	reload_init(&reload);
	reload_done(&reload);
	pool_discard(inventory.pool);
	listen_fds_done(&passed);
	extension.done(extension.arg);
	return good;
}

static bool
is_taken_json(struct event_base *base, const json_t *json, char *error)
{
	cleanup_free char *text = json_dumps(json, JSON_COMPACT);

	return is_taken(base, text, strlen(text), error);
}

static void
test_sample_is_taken(void **state)
{
	char error[256];
	json_t *json = read_sample();

	if (!is_taken_json(*state, json, error))
		fail_msg("%s", error);
	json_decref(json);
}

/* ---- something is not as it should be ---- */

/* What is being tried: the whole, and how many ways of spoiling it there were. */
struct spoiling {
	struct event_base *base;
	json_t *whole;
	unsigned n;
};

static void
expect_refusal(struct spoiling *s, const char *name, const char *how)
{
	s->n++;
	if (is_taken_json(s->base, s->whole, NULL))
		fail_msg("taken, though \"%s\" %s", name, how);
}

/* Something of a type that can't stand in its place. */
static json_t *
wrong(const json_t *right)
{
	switch (json_typeof(right)) {
	case JSON_INTEGER:
		return json_string("1");
	case JSON_NULL:
		return json_true();
	default:
		return json_integer(1);
	}
}

static void spoil_below(struct spoiling *s, json_t *json);

static void
spoil_member(struct spoiling *s, json_t *object, const char *name, json_t *value)
{
	json_incref(value);
	json_object_del(object, name);
	expect_refusal(s, name, "is missing");
	json_object_set_new(object, name, wrong(value));
	expect_refusal(s, name, "is of another type");
	json_object_set_new(object, name, value);
}

static void
spoil_object(struct spoiling *s, json_t *object)
{
	json_t *names = json_array();

	json_object_set_new(object, "surplus", json_integer(1));
	expect_refusal(s, "surplus", "is there");
	json_object_del(object, "surplus");
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
		json_array_append_new(names, json_string(json_object_iter_key(at)));
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		json_t *member = json_object_get(object, name);

		if (strcmp(name, "writer") == 0) /* for people */
			continue;
		spoil_member(s, object, name, member);
		spoil_below(s, member);
	}
	json_decref(names);
}

static void
spoil_below(struct spoiling *s, json_t *json)
{
	if (json_is_object(json))
		spoil_object(s, json);
	for (size_t i = 0; i < json_array_size(json); i++) {
		json_t *right = json_incref(json_array_get(json, i));

		json_array_set_new(json, i, wrong(right));
		expect_refusal(s, "an element", "is of another type");
		json_array_set_new(json, i, right);
		spoil_below(s, right);
	}
}

static void
test_each_member_counts(void **state)
{
	struct spoiling s = { .base = *state, .whole = read_sample() };

	spoil_below(&s, s.whole);
	assert_true(s.n > 500);
	assert_true(is_taken_json(*state, s.whole, NULL)); /* it has become whole again */
	json_decref(s.whole);
}

/* Steps to a member: names, and numbers of elements. */
static json_t *
find(json_t *json, const char *path)
{
	char copy[128], *rest = copy, *step;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((step = strsep(&rest, ".")))
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(step))
		                           : json_object_get(json, step);
	assert_non_null(json);
	return json;
}

static void
test_numbers_have_limits(void **state)
{
	static const struct {
		const char *path;
		json_int_t number;
	} rows[] = {
		{ "version", 0 },
		{ "version", 2 },
		{ "pid", 1 },
		{ "passed.0.fd", 2 },
		{ "passed.0.fd", 1LL << 32 },
		{ "pool.running", 3 },
		{ "pool.running", 0 },
		{ "pool.generations.0.config", CONFIG_FD + 1 },
		{ "pool.generations.0.workers", 0 },
		{ "pool.generations.0.workers", 3 },
		{ "pool.generations.0.workers", 1025 },
		{ "pool.generations.0.identity.uid", -1 },
		{ "pool.generations.0.identity.groups.0", 1LL << 32 },
		{ "pool.listeners.0.kind", 3 },
		{ "pool.listeners.0.kind", 1 },
		{ "pool.listeners.0.port", 65536 },
		{ "pool.listeners.0.backlog", -1 },
		{ "pool.listeners.0.sockets.0.fd", -1 },
		{ "pool.listeners.2.sockets.0.place", 2 },
		{ "pool.slots.0.goal", 7 },
		{ "pool.slots.0.goal", -1 },
		{ "pool.slots.0.incumbent.slot", 1 },
		{ "pool.slots.0.incumbent.state", 5 },
		{ "pool.slots.0.incumbent.pid", -1 },
		{ "pool.slots.0.incumbent.dice", 256 },
		{ "pool.slots.0.incumbent.end", 8 },
		{ "pool.slots.0.incumbent.hosted.output.fd", 2 },
		{ "pool.slots.0.incumbent.hosted.notify", -1 },
		{ "pool.slots.0.incumbent.generation", 3 },
		{ "reload.last.verdict", 5 },
		{ "reload.last.n_changes", 0 },
		{ "recycle.last_pid", 1LL << 31 },
		{ "extension.clients.0.0.ending", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *json = read_sample();

		json_integer_set(find(json, rows[i].path), rows[i].number);
		if (is_taken_json(*state, json, NULL))
			fail_msg("taken with %s = %lld", rows[i].path, (long long)rows[i].number);
		json_decref(json);
	}
}

static void
test_texts_have_limits(void **state)
{
	static const struct {
		const char *path, *text;
	} rows[] = {
		{ "pool.generations.0.sha256", "00" },
		{ "pool.slots.0.incumbent.line", "50%" },
		{ "pool.slots.0.incumbent.line", "%4" },
		{ "pool.slots.0.incumbent.line", "%4G" },
		{ "pool.slots.0.incumbent.line", "a\nb" },
		{ "pool.slots.0.incumbent.status", "a%00b" },
		{ "pool.slots.0.incumbent.hosted.output.held", "50%" },
		{ "pool.listeners.0.address", "%00" },
		{ "extension.clients.0.0.input", "%" },
	};
	char long_text[5000];
	json_t *json;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json = read_sample();
		json_string_set(find(json, rows[i].path), rows[i].text);
		if (is_taken_json(*state, json, NULL))
			fail_msg("taken with %s = \"%s\"", rows[i].path, rows[i].text);
		json_decref(json);
	}
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	json = read_sample();
	json_string_set(find(json, "pool.slots.0.incumbent.line"), long_text);
	assert_false(is_taken_json(*state, json, NULL));
	json_decref(json);
}

/* Else a worker would be born without it. */
static void
test_each_address_is_open(void **state)
{
	json_t *json = read_sample();

	json_string_set(find(json, "pool.listeners.0.address"), "[::]:26643");
	assert_false(is_taken_json(*state, json, NULL));
	json_decref(json);
}

/* A later program counts more, and those before it did not: that is no other state. The other way round it would lose something. */
static void
test_lists_of_counters_may_be_shorter(void **state)
{
	json_t *json = read_sample(), *gone = find(json, "pool.gone");

	json_array_remove(gone, json_array_size(gone) - 1);
	assert_true(is_taken_json(*state, json, NULL));
	json_array_append_new(gone, json_integer(1));
	json_array_append_new(gone, json_integer(1));
	assert_false(is_taken_json(*state, json, NULL));
	json_decref(json);
}

/* ---- bytes ---- */

static void
test_each_truncation_is_refused(void **state)
{
	json_t *json = read_sample();
	cleanup_free char *text = json_dumps(json, JSON_COMPACT);

	for (size_t len = 0; len < strlen(text); len += stride())
		assert_false(is_taken(*state, text, len, NULL));
	json_decref(json);
}

/* In a text or a number that is another good one; so all that is asked for is that nothing bad is done (a sanitizer sees that). */
static void
test_flipped_bits(void **state)
{
	json_t *json = read_sample();
	cleanup_free char *text = json_dumps(json, JSON_COMPACT);
	size_t len = strlen(text), taken = 0;

	for (size_t i = 0; i < len; i += stride()) {
		text[i] ^= (char)(1 << i % 8);
		taken += is_taken(*state, text, len, NULL);
		text[i] ^= (char)(1 << i % 8);
	}
	assert_true(taken < len / 2);
	json_decref(json);
}

static void
test_nobody_can_have_changed_it(void **state)
{
	struct heritage h = { .trial = true };
	json_t *json = read_sample();
	cleanup_free char *text = json_dumps(json, JSON_COMPACT);
	int fd = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_null(heritage_open(&h, fd));
	assert_non_null(strstr(h.error, "is no state"));
	h.error[0] = '\0';
	assert_null(heritage_open(&h, open("/dev/null", O_RDONLY | O_CLOEXEC)));
	json_decref(json);
}

/* ---- what is written is read ---- */

struct thing {
	uint64_t wide;
	uint32_t word;
	uint8_t byte;
	bool yes, no;
	uint64_t list[3];
	char text[8];
	char *string, *none;
	int fd;
};

static const struct heritage_field thing_fields[] = {
	HERITAGE_NUMBER(struct thing, wide, UINT64_MAX),
	HERITAGE_NUMBER(struct thing, word, UINT32_MAX),
	HERITAGE_NUMBER(struct thing, byte, UINT8_MAX),
	HERITAGE_BOOL(struct thing, yes),
	HERITAGE_BOOL(struct thing, no),
	HERITAGE_NUMBERS(struct thing, list),
	HERITAGE_TEXT(struct thing, text),
	HERITAGE_STRING(struct thing, string),
	HERITAGE_STRING(struct thing, none),
	HERITAGE_FD(struct thing, fd),
	HERITAGE_END,
};

static void
test_round_trip(void **state)
{
	char string[] = "%\x01\xff\n\"\\ \xc3\xa4";
	struct heritage out = { 0 }, in = { 0 };
	struct thing from = { UINT64_MAX, UINT32_MAX, UINT8_MAX, true, false, { 1, UINT64_MAX, 3 }, "a\xe4%4",
		string, NULL, open("/dev/null", O_RDONLY | O_CLOEXEC) };
	struct thing to = { .no = true };
	json_t *json = heritage_save(&out, thing_fields, &from);

	(void)state;
	assert_false(out.failed);
	/* while it is close-on-exec, it is somebody's */
	assert_false(heritage_load(&in, thing_fields, json, &to));
	free(to.string);
	in.error[0] = '\0';
	assert_int_equal(heritage_keep(&out, true), 0);
	assert_true(heritage_load(&in, thing_fields, json, &to));
	assert_int_equal(fcntl(from.fd, F_GETFD), FD_CLOEXEC);
	assert_string_equal(to.string, string);
	free(to.string);
	to.string = string;
	assert_memory_equal(&to.wide, &from.wide, sizeof(to.wide));
	assert_int_equal(to.word, from.word);
	assert_int_equal(to.byte, from.byte);
	assert_true(to.yes && !to.no && !to.none);
	assert_memory_equal(to.list, from.list, sizeof(to.list));
	assert_string_equal(to.text, from.text);
	assert_int_equal(to.fd, from.fd);
	close(from.fd);
	json_decref(json);
	heritage_done(&out);
}

static void
test_all_bytes_round_trip(void **state)
{
	unsigned char all[256];
	cleanup_free char *back = NULL;
	json_t *json;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	json = heritage_bytes(all, sizeof(all));
	back = heritage_load_bytes(json, &len);
	assert_int_equal(len, sizeof(all));
	assert_memory_equal(back, all, sizeof(all));
	json_decref(json);
}

/* Those that a trial reads stand first, whatever the order was. */
static void
test_what_a_trial_reads(void **state)
{
	struct heritage h = { 0 };

	(void)state;
	for (int fd = 10; fd < 20; fd++)
		json_decref(heritage_fd(&h, fd, fd % 3 == 0));
	assert_int_equal(h.n_fd, 10);
	assert_int_equal(h.n_read, 3);
	for (size_t i = 0; i < h.n_fd; i++)
		assert_int_equal(h.fd[i] % 3 == 0, i < h.n_read);
	heritage_done(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_is_taken),
		cmocka_unit_test(test_each_member_counts),
		cmocka_unit_test(test_numbers_have_limits),
		cmocka_unit_test(test_texts_have_limits),
		cmocka_unit_test(test_each_address_is_open),
		cmocka_unit_test(test_lists_of_counters_may_be_shorter),
		cmocka_unit_test(test_each_truncation_is_refused),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_nobody_can_have_changed_it),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_all_bytes_round_trip),
		cmocka_unit_test(test_what_a_trial_reads),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
