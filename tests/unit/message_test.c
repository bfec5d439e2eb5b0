/*
 * The messages: what is one, what is none, and that both ends mean the same.
 */
#include "ipc/message.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *line;
	enum message_direction direction;
	int r;
	enum message_type type; /* where r is 0 */
};

static const struct row rows[] = {
	{ "hello 1 name 2.0", MESSAGE_TO_MASTER, 0, MESSAGE_HELLO },
	{ "hello 99 a b", MESSAGE_TO_MASTER, 0, MESSAGE_HELLO },
	{ "hello", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "hello 1 name", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "hello 1 name 2.0 more", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "hello one name 2.0", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "hello -1 name 2.0", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "ready", MESSAGE_TO_MASTER, 0, MESSAGE_READY },
	{ "ready now", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "ready", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "alive", MESSAGE_TO_MASTER, 0, MESSAGE_ALIVE },
	{ "alive 1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "status all is well", MESSAGE_TO_MASTER, 0, MESSAGE_STATUS },
	{ "status", MESSAGE_TO_MASTER, 0, MESSAGE_STATUS },
	{ "stats connections=1 sent=2", MESSAGE_TO_MASTER, 0, MESSAGE_STATS },
	{ "stats", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "stats many", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "stats =1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "drained finished=1 handed=2 cut=3", MESSAGE_TO_MASTER, 0, MESSAGE_DRAINED },
	{ "stranded", MESSAGE_TO_MASTER, 0, MESSAGE_STRANDED },
	{ "stranded 1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "drained cut=3 finished=1 handed=2", MESSAGE_TO_MASTER, 0, MESSAGE_DRAINED },
	{ "drained finished=1 handed=2 cut=3 later=4", MESSAGE_TO_MASTER, 0, MESSAGE_DRAINED },
	{ "drained", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "drained finished=1 handed=2", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "drained finished=1 handed=2 cut=", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "drained finished=minus handed=2 cut=3", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "drained finished=1 handed=2 cut=18446744073709551616", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "failed", MESSAGE_TO_MASTER, 0, MESSAGE_FAILED },
	{ "failed no memory", MESSAGE_TO_MASTER, 0, MESSAGE_FAILED },
	{ "drain 1", MESSAGE_TO_WORKER, 0, MESSAGE_DRAIN },
	{ "drain 0", MESSAGE_TO_WORKER, 0, MESSAGE_DRAIN },
	{ "drain 0.000001", MESSAGE_TO_WORKER, 0, MESSAGE_DRAIN },
	{ "drain", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain 1 2", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain -1", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain 1.", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain .5", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain 1.0000001", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain 1e3", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain 1.2.3", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain 18446744073709551615", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain 1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "stop", MESSAGE_TO_WORKER, 0, MESSAGE_STOP },
	{ "stop now", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "stop", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "upstream 0 127.0.0.1:80", MESSAGE_TO_MASTER, 0, MESSAGE_UPSTREAM },
	{ "upstream 47 /run/x.sock", MESSAGE_TO_MASTER, 0, MESSAGE_UPSTREAM },
	{ "upstream 48 a:1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "upstream -1 a:1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "upstream 1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "upstream a:1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "upstream 1 a:1 b:1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "upstream 1 a:1", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain-upstream a:1", MESSAGE_TO_WORKER, 0, MESSAGE_DRAIN_UPSTREAM },
	{ "enable-upstream a:1", MESSAGE_TO_WORKER, 0, MESSAGE_ENABLE_UPSTREAM },
	{ "drain-upstream", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain-upstream a b", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "drain-upstream a:1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "recall-upstream a:1 down=1 streak=0 result=5", MESSAGE_TO_WORKER, 0, MESSAGE_RECALL_UPSTREAM },
	{ "recall-upstream a:1 result=5 new=1 down=0 streak=2", MESSAGE_TO_WORKER, 0,
		MESSAGE_RECALL_UPSTREAM },
	{ "recall-upstream a:1 down=2 streak=0 result=5", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "recall-upstream a:1 down=1 streak=0", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "recall-upstream a:1 down=1 streak=-1 result=5", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "recall-upstream a:1", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "recall-upstream", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "recall-upstream a:1 down=1 streak=0 result=5", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "resolved 0 192.0.2.1 2001:db8::1", MESSAGE_TO_MASTER, 0, MESSAGE_RESOLVED },
	{ "resolved 48 192.0.2.1", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "resolved 0", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "resolved 0 ", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "resolved 0 localhost", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "resolved 0 192.0.2.1", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "resolve-upstream a:1 192.0.2.1 ::1", MESSAGE_TO_WORKER, 0, MESSAGE_RESOLVE_UPSTREAM },
	{ "resolve-upstream a:1", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "resolve-upstream", MESSAGE_TO_WORKER, -EBADMSG, 0 },
	{ "frobnicate", MESSAGE_TO_WORKER, 0, MESSAGE_UNKNOWN },
	{ "frobnicate 1 b=2 \xc3\xa4", MESSAGE_TO_MASTER, 0, MESSAGE_UNKNOWN },
	{ "x-new_1", MESSAGE_TO_MASTER, 0, MESSAGE_UNKNOWN },
	{ "readyy", MESSAGE_TO_MASTER, 0, MESSAGE_UNKNOWN },
	{ "", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ " ready", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "Ready", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "what? no", MESSAGE_TO_MASTER, -EBADMSG, 0 },
	{ "\xff\xfe", MESSAGE_TO_MASTER, -EBADMSG, 0 },
};

static void
lines_are_messages_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[MESSAGE_MAX];
		struct message message;
		const char *error;
		int r;

		snprintf(line, sizeof(line), "%s", rows[i].line);
		r = message_parse(line, rows[i].direction, &message, &error);
		if (r != rows[i].r || (r == 0 && message.type != rows[i].type))
			fail_msg("\"%s\": %d, type %d", rows[i].line, r, message.type);
		assert_true((r == 0) == (error == NULL));
	}
}

/* Takes the line that a formatter made to what the other end reads. */
static struct message
read_back(char *line, size_t len, enum message_direction direction)
{
	struct message message;
	const char *error;

	assert_true(len <= MESSAGE_MAX);
	assert_int_equal(line[len - 1], '\n');
	assert_null(memchr(line, '\n', len - 1));
	line[len - 1] = '\0';
	assert_int_equal(strlen(line), len - 1);
	assert_int_equal(message_parse(line, direction, &message, &error), 0);
	return message;
}

static void
what_is_formatted_is_read(void **state)
{
	char line[MESSAGE_MAX];
	struct message message;

	(void)state;
	message = read_back(line, message_format_hello(line, "gracefuld-worker", "0.1.0"), MESSAGE_TO_MASTER);
	assert_int_equal(message.type, MESSAGE_HELLO);
	assert_int_equal(message.hello.version, 1);
	assert_string_equal(message.hello.name, "gracefuld-worker");
	assert_string_equal(message.hello.program_version, "0.1.0");

	message = read_back(line, message_format_drained(line, 1, 2, UINT64_MAX), MESSAGE_TO_MASTER);
	assert_int_equal(message.type, MESSAGE_DRAINED);
	assert_int_equal(message.drained.finished, 1);
	assert_int_equal(message.drained.handed, 2);
	assert_int_equal(message.drained.cut, UINT64_MAX);

	message = read_back(line, message_format_text(line, MESSAGE_FAILED, "a  b "), MESSAGE_TO_MASTER);
	assert_int_equal(message.type, MESSAGE_FAILED);
	assert_string_equal(message.text, "a  b ");

	message = read_back(line, message_format_upstream(line, 7, "[::1]:80"), MESSAGE_TO_MASTER);
	assert_int_equal(message.type, MESSAGE_UPSTREAM);
	assert_int_equal(message.number, 7);
	assert_string_equal(message.text, "[::1]:80");

	message =
		read_back(line, message_format_text(line, MESSAGE_DRAIN_UPSTREAM, "a:1"), MESSAGE_TO_WORKER);
	assert_int_equal(message.type, MESSAGE_DRAIN_UPSTREAM);
	assert_string_equal(message.text, "a:1");

	message = read_back(line, message_format_resolved(line, 3, "192.0.2.1 ::1"), MESSAGE_TO_MASTER);
	assert_int_equal(message.number, 3);
	assert_string_equal(message.addresses, "192.0.2.1 ::1");

	message = read_back(line, message_format_resolve(line, "a:1", "192.0.2.1 ::1"), MESSAGE_TO_WORKER);
	assert_string_equal(message.text, "a:1");
	assert_string_equal(message.addresses, "192.0.2.1 ::1");

	message = read_back(line,
		message_format_recall(line, "a:1",
			&(struct upstream_health){ .is_down = true, .streak = 3, .result_us = UINT64_MAX }),
		MESSAGE_TO_WORKER);
	assert_int_equal(message.type, MESSAGE_RECALL_UPSTREAM);
	assert_string_equal(message.text, "a:1");
	assert_true(message.health.is_down);
	assert_int_equal(message.health.streak, 3);
	assert_int_equal(message.health.result_us, UINT64_MAX);

	message = read_back(line, message_format_word(line, MESSAGE_READY), MESSAGE_TO_MASTER);
	assert_int_equal(message.type, MESSAGE_READY);
	message = read_back(line, message_format_word(line, MESSAGE_ALIVE), MESSAGE_TO_MASTER);
	assert_int_equal(message.type, MESSAGE_ALIVE);
	message = read_back(line, message_format_word(line, MESSAGE_STOP), MESSAGE_TO_WORKER);
	assert_int_equal(message.type, MESSAGE_STOP);
}

static void
drain_times_survive_to_the_microsecond(void **state)
{
	static const uint64_t times[] = { 0, 1, 10, 100000, 999999, US_PER_SEC, US_PER_SEC + 1,
		100 * US_PER_SEC, 1234567890123, UINT64_MAX };
	char line[MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct message message =
			read_back(line, message_format_drain(line, times[i]), MESSAGE_TO_WORKER);

		assert_int_equal(message.type, MESSAGE_DRAIN);
		assert_int_equal(message.drain_us, times[i]);
	}
}

static void
drain_takes_fractions(void **state)
{
	static const struct {
		const char *line;
		uint64_t us;
	} fractions[] = {
		{ "drain 0.5", 500000 },
		{ "drain 2.25", 2250000 },
		{ "drain 0.000001", 1 },
		{ "drain 007", 7 * US_PER_SEC },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fractions); i++) {
		char line[MESSAGE_MAX];
		struct message message;
		const char *error;

		snprintf(line, sizeof(line), "%s", fractions[i].line);
		assert_int_equal(message_parse(line, MESSAGE_TO_WORKER, &message, &error), 0);
		assert_int_equal(message.drain_us, fractions[i].us);
	}
}

/* Whatever stands in a text, it makes one line of at most MESSAGE_MAX bytes. */
static void
texts_are_made_safe(void **state)
{
	char line[MESSAGE_MAX], text[2 * MESSAGE_MAX];
	struct message message;
	size_t len;

	(void)state;
	message = read_back(
		line, message_format_text(line, MESSAGE_FAILED, "a\nready\n\x1b[2J\x7f"), MESSAGE_TO_MASTER);
	assert_string_equal(message.text, "a?ready??[2J?");

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	len = message_format_text(line, MESSAGE_STATUS, text);
	assert_int_equal(len, MESSAGE_MAX);
	message = read_back(line, len, MESSAGE_TO_MASTER);
	assert_int_equal(strspn(message.text, "x"), MESSAGE_MAX - strlen("status ") - 1);
}

static void
unknown_message_is_given_whole(void **state)
{
	char line[] = "frobnicate all=1 b";
	struct message message;
	const char *error;

	(void)state;
	assert_int_equal(message_parse(line, MESSAGE_TO_MASTER, &message, &error), 0);
	assert_int_equal(message.type, MESSAGE_UNKNOWN);
	assert_string_equal(message.text, "frobnicate all=1 b");
}

static void
pairs_come_one_by_one(void **state)
{
	char text[] = "  a=1   bc=18446744073709551615 d=x", *pairs = text;
	const char *key;
	uint64_t value;

	(void)state;
	assert_int_equal(message_next_pair(&pairs, &key, &value), 1);
	assert_string_equal(key, "a");
	assert_int_equal(value, 1);
	assert_int_equal(message_next_pair(&pairs, &key, &value), 1);
	assert_string_equal(key, "bc");
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(message_next_pair(&pairs, &key, &value), -EBADMSG);
	assert_int_equal(message_next_pair(&pairs, &key, &value), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_messages_or_not),
		cmocka_unit_test(what_is_formatted_is_read),
		cmocka_unit_test(drain_times_survive_to_the_microsecond),
		cmocka_unit_test(drain_takes_fractions),
		cmocka_unit_test(texts_are_made_safe),
		cmocka_unit_test(unknown_message_is_given_whole),
		cmocka_unit_test(pairs_come_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
