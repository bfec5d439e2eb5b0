/*
 * Connections that are handed over, from one server to another, at any moment: the client notices nothing.
 */
#include "http/handoff.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "http_fixture.h"
#include "stride.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#define H         "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

/* The fixture, and a second server on the same loop, with the same handler; the connection is with one of them. */
struct pair {
	struct fixture *f;
	struct http_server *other;
	struct http_connection *connection; /* the only one */
	unsigned n_hops;
};

static int
setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	struct http_limits limits;

	assert_non_null(p);
	fixture_limits(&limits);
	p->f = fixture_new(&limits);
	p->other = http_server_new(p->f->base, &limits, &fixture_handler, p->f);
	assert_non_null(p->other);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct pair *p = *state;

	http_server_free(p->other);
	fixture_free(p->f);
	free(p);
	return 0;
}

/* for http_server_each */
static void
note(struct http_connection *connection, void *arg)
{
	struct pair *p = arg;

	p->connection = connection;
}

/* The one connection there is; NULL: none. */
static struct http_connection *
the_connection(struct pair *p)
{
	p->connection = NULL;
	http_server_each(p->f->server, note, p);
	http_server_each(p->other, note, p);
	return p->connection;
}

static int
copy_fd(int fd)
{
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

	assert_int_equal(fd >= 0, copy >= 0);
	return copy;
}

/*
 * Hands the connection over to the other server. What is handed over is written into memory of its very size first,
 * and the old connection forgotten before the new one is made: nothing is shared. 0, or why not.
 */
static int
hop(struct pair *p)
{
	struct http_server *to = http_server_count(p->f->server) > 0 ? p->other : p->f->server;
	struct http_connection *connection = the_connection(p);
	struct http_handoff handoff;
	cleanup_free char *input = NULL, *output = NULL;
	int r, fd;

	if (!connection)
		return -ENOENT;
	r = http_handoff_freeze(connection, &handoff);
	if (r < 0)
		return r;
	fd = copy_fd(http_connection_fd(connection));
	handoff.file = copy_fd(handoff.file);
	input = malloc(handoff.input.len + 1);
	output = malloc(handoff.output.len + 1);
	assert_true(input && output);
	if (handoff.input.len > 0)
		memcpy(input, handoff.input.at, handoff.input.len);
	if (handoff.output.len > 0)
		memcpy(output, handoff.output.at, handoff.output.len);
	handoff.input.at = input;
	handoff.output.at = output;
	http_handoff_forget(connection);
	assert_int_equal(http_handoff_adopt(to, fd, &handoff, &connection), 0);
	http_handoff_thaw(connection);
	p->n_hops++;
	return 0;
}

/* All that can happen to requests, one behind the other. */
static const char conversation[] = GET("/1") "\r\n" GET(
	"/big?len=500") "POST /2 HTTP/1.1\r\n" H
			"Expect: 100-continue\r\nContent-Length: 4\r\n\r\nbody" GET(
				"/file?len=300") "PUT /3 HTTP/1.1\r\n" H
						 "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n3\r\ncde\r\n0\r\nT: u\r\n\r\n"
						 "HEAD /4 HTTP/1.1\r\n" H
						 "\r\n" GET("/5") "nonsense\r\n" GET("/6");

/* What the client gets for it, undisturbed. To be freed. */
static char *
expected_reply(struct pair *p)
{
	char *reply;

	fixture_connect(p->f, 0);
	fixture_say(p->f, conversation);
	fixture_pump(p->f);
	assert_true(p->f->eof);
	reply = strdup(p->f->reply);
	assert_non_null(reply);
	fixture_close(p->f);
	fixture_pump(p->f);
	return reply;
}

/* Says the conversation up to `at`, has the connection handed over, and says the rest. */
static void
converse(struct pair *p, size_t at)
{
	fixture_connect(p->f, 0);
	fixture_send(p->f, conversation, at);
	fixture_pump(p->f);
	hop(p);
	fixture_send(p->f, conversation + at, sizeof(conversation) - 1 - at);
	fixture_pump(p->f);
}

static void
a_handover_at_any_byte_of_a_request_changes_nothing(void **state)
{
	struct pair *p = *state;
	cleanup_free char *expected = expected_reply(p);

	for (size_t at = 0; at < sizeof(conversation); at += stride()) {
		converse(p, at);
		assert_string_equal(p->f->reply, expected);
		assert_true(p->f->eof);
		fixture_close(p->f);
		fixture_pump(p->f);
		assert_null(the_connection(p));
	}
	/* but for those behind the nonsense */
	assert_true(p->n_hops > (sizeof(conversation) - 50) / stride());
}

/* Unread in the socket, too: the old server has had no turn to read it. */
static void
what_nobody_has_read_yet_is_served_by_the_new_one(void **state)
{
	struct pair *p = *state;
	cleanup_free char *expected = expected_reply(p);

	fixture_connect(p->f, 0);
	fixture_say(p->f, conversation);
	assert_int_equal(hop(p), 0);
	assert_int_equal(http_server_stats(p->other)->requests, 0);
	fixture_pump(p->f);
	assert_string_equal(p->f->reply, expected);
	assert_int_equal(http_server_stats(p->other)->requests, 7);
}

/* More than the new one serves in a turn, with the client's FIN behind it: it is seen before all are served. */
static void
all_that_was_read_is_served_after_the_clients_last_byte(void **state)
{
	enum { N = 100 };
	static const char request[] = GET("/1");
	struct pair *p = *state;
	struct http_connection *connection;
	struct http_handoff handoff = { .file = -1 };
	char input[N * sizeof(request)];
	size_t len = 0;

	for (int i = 0; i < N; i++, len += sizeof(request) - 1)
		memcpy(input + len, request, sizeof(request));
	handoff.input = (struct http_text){ input, len };
	assert_int_equal(http_handoff_adopt(p->other, fixture_pair(p->f, 0), &handoff, &connection), 0);
	fixture_shutdown(p->f);
	http_handoff_thaw(connection);
	fixture_pump(p->f);
	assert_int_equal(p->f->n_asked, N);
	assert_true(p->f->eof);
}

static void
a_handover_at_every_byte_changes_nothing(void **state)
{
	struct pair *p = *state;
	cleanup_free char *expected = expected_reply(p);

	fixture_connect(p->f, 0);
	for (size_t at = 0; at < sizeof(conversation) - 1; at++) {
		fixture_send(p->f, conversation + at, 1);
		fixture_pump(p->f);
		hop(p);
	}
	fixture_pump(p->f);
	assert_string_equal(p->f->reply, expected);
	assert_true(p->f->eof);
}

/* Takes a reply over a socket that holds little, with a handover each time that the client has read some of it. */
static void
take_in_small_pieces(struct pair *p, const char *request, size_t piece)
{
	fixture_connect(p->f, 2048);
	fixture_say(p->f, request);
	for (int i = 0; !p->f->eof && i < 1000000; i++) {
		fixture_work(p->f, piece);
		hop(p);
	}
	assert_true(p->f->eof);
}

static void
a_handover_in_the_middle_of_replies_changes_nothing(void **state)
{
	static const char request[] = GET("/big?len=70000") GET("/file?from=1000&len=150000")
		GET("/big?len=10") GET("/big?len=50000") "GET /last HTTP/1.0\r\n\r\n";
	struct pair *p = *state;
	cleanup_free char *expected = NULL;
	size_t len;

	fixture_connect(p->f, 0);
	fixture_say(p->f, request);
	fixture_pump(p->f);
	assert_true(p->f->eof);
	len = p->f->reply_len;
	assert_true(len > 270000);
	expected = malloc(len);
	assert_non_null(expected);
	memcpy(expected, p->f->reply, len);
	for (size_t piece = 97 * stride(); piece < 20000; piece *= 3) {
		p->n_hops = 0;
		take_in_small_pieces(p, request, piece);
		assert_int_equal(p->f->reply_len, len);
		assert_memory_equal(p->f->reply, expected, len);
		assert_true(p->n_hops > len / 20000);
	}
}

/* A reply of which the old process has sent any number of bytes. */
static void
the_rest_of_a_reply_is_sent_from_any_byte_on(void **state)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world";
	struct pair *p = *state;
	struct http_connection *connection;
	struct http_handoff handoff = { .input = HTTP_TEXT(GET("/2")), .requests = 1 };
	int fd;

	for (size_t sent = 0; sent < sizeof(reply) + 40; sent += stride()) {
		size_t of_bytes = sent < sizeof(reply) - 1 ? sent : sizeof(reply) - 1;
		size_t of_file = sent - of_bytes;
		size_t left = sizeof(reply) - 1 - of_bytes;

		fd = fixture_pair(p->f, 0);
		handoff.output = (struct http_text){ reply + of_bytes, left };
		handoff.file = of_file < 40 ? copy_fd(p->f->file) : -1;
		handoff.file_offset = (off_t)(1000 + of_file);
		handoff.file_left = 40 - of_file;
		assert_int_equal(http_handoff_adopt(p->other, fd, &handoff, &connection), 0);
		fixture_pump(p->f);
		assert_int_equal(p->f->reply_len, 0);
		http_handoff_thaw(connection);
		fixture_pump(p->f);
		assert_memory_equal(p->f->reply, reply + of_bytes, left);
		for (size_t i = of_file; i < 40; i++)
			assert_int_equal(p->f->reply[left + i - of_file], FIXTURE_BYTE(1000 + i));
		assert_non_null(strstr(p->f->reply + left + 40 - of_file, "GET /2"));
		fixture_close(p->f);
		fixture_pump(p->f);
	}
	assert_int_equal(http_server_count(p->other), 0);
}

static void
a_frozen_connection_does_nothing_until_it_is_thawed(void **state)
{
	struct pair *p = *state;
	struct http_connection *connection;
	struct http_handoff handoff;

	fixture_connect(p->f, 0);
	fixture_say(p->f, "GET /1 HT");
	fixture_pump(p->f);
	connection = the_connection(p);
	assert_int_equal(http_handoff_freeze(connection, &handoff), 0);
	assert_true(http_text_equal(handoff.input, HTTP_TEXT("GET /1 HT")));
	assert_int_equal(handoff.output.len, 0);
	assert_int_equal(handoff.file, -1);
	fixture_say(p->f, "TP/1.1\r\n" H "\r\n");
	fixture_pump(p->f);
	assert_int_equal(p->f->n_asked, 0);
	assert_null(the_connection(p)); /* nobody else gets at it */
	http_server_cut(p->f->server);
	assert_int_equal(http_server_count(p->f->server), 1);
	http_handoff_thaw(connection);
	fixture_pump(p->f);
	assert_int_equal(p->f->n_asked, 1);
	assert_non_null(strstr(p->f->reply, "GET /1"));
}

static void
a_deadline_does_not_come_to_a_frozen_connection(void **state)
{
	struct http_limits limits;
	struct http_connection *connection;
	struct http_handoff handoff;
	struct pair *p = *state;

	fixture_limits(&limits);
	limits.head_us = 300000;
	http_server_free(p->other);
	p->other = http_server_new(p->f->base, &limits, &fixture_handler, p->f);
	assert_non_null(p->other);
	assert_int_equal(http_server_accept(p->other, fixture_pair(p->f, 0)), 0);
	fixture_say(p->f, "GET");
	fixture_pump(p->f);
	connection = the_connection(p);
	assert_int_equal(http_handoff_freeze(connection, &handoff), 0);
	/* another connection with the same deadline, set later: when that has come, this one's would have */
	assert_int_equal(http_server_accept(p->other, fixture_pair(p->f, 0)), 0);
	fixture_wait_closed(p->f, 1);
	assert_int_equal(http_server_count(p->other), 1);
	http_handoff_forget(connection);
}

static void
a_connection_with_an_answer_due_stays(void **state)
{
	struct pair *p = *state;

	fixture_connect(p->f, 0);
	fixture_say(p->f, GET("/later"));
	fixture_pump(p->f);
	assert_int_equal(hop(p), -EBUSY);
	http_reply_text(p->f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late\n"));
	/* and goes with the answer in its output */
	assert_int_equal(hop(p), 0);
	fixture_pump(p->f);
	assert_non_null(strstr(p->f->reply, "late"));
	fixture_say(p->f, GET("/stream"));
	fixture_pump(p->f);
	assert_int_equal(hop(p), -EBUSY);
	http_stream_end(p->f->asked);
	assert_int_equal(hop(p), 0);
	assert_int_equal(p->f->n_closed, 0);
}

static void
forget_it(struct http_connection *connection)
{
	struct http_handoff handoff;

	assert_int_equal(http_handoff_freeze(connection, &handoff), 0);
	http_handoff_forget(connection);
}

/* Right where it is told that the connection is free. */
static void
a_released_connection_can_go_at_once(void **state)
{
	struct pair *p = *state;

	p->f->on_released = forget_it;
	fixture_connect(p->f, 0);
	fixture_say(p->f, GET("/later"));
	fixture_pump(p->f);
	http_reply_text(p->f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late\n"));
	fixture_pump(p->f);
	assert_int_equal(p->f->n_released, 1);
	assert_int_equal(http_server_count(p->f->server), 0);
	assert_int_equal(p->f->n_closed, 0);
	assert_true(p->f->eof); /* nobody else has a copy of the descriptor */
}

static void
a_connection_at_its_end_stays(void **state)
{
	struct pair *p = *state;

	fixture_connect(p->f, 0);
	fixture_say(p->f, "nonsense\r\n");
	fixture_pump(p->f);
	assert_int_equal(hop(p), -ENOTCONN);
}

static void
the_last_reply_is_the_last_elsewhere_too(void **state)
{
	struct pair *p = *state;

	fixture_connect(p->f, 2048);
	http_server_drain(p->f->server);
	fixture_say(p->f, GET("/big?len=50000"));
	fixture_work(p->f, 0);
	assert_int_equal(hop(p), 0);
	fixture_say(p->f, GET("/not-served"));
	fixture_pump(p->f);
	assert_true(p->f->eof);
	assert_int_equal(p->f->n_asked, 1);
	assert_non_null(strstr(p->f->reply, "Connection: close"));
}

static void
requests_are_counted_across_a_handover(void **state)
{
	struct http_limits limits;
	struct pair *p = *state;

	fixture_limits(&limits);
	limits.max_requests = 3;
	http_server_free(p->other);
	p->other = http_server_new(p->f->base, &limits, &fixture_handler, p->f);
	assert_non_null(p->other);
	fixture_connect(p->f, 0);
	fixture_say(p->f, GET("/1") GET("/2"));
	fixture_pump(p->f);
	assert_int_equal(hop(p), 0);
	fixture_say(p->f, GET("/3"));
	fixture_pump(p->f);
	assert_true(p->f->eof);
}

/* Two servers with these limits instead of those without. */
static void
limit_both(struct pair *p, const struct http_limits *limits)
{
	http_server_free(p->f->server);
	http_server_free(p->other);
	p->f->server = http_server_new(p->f->base, limits, &fixture_handler, p->f);
	p->other = http_server_new(p->f->base, limits, &fixture_handler, p->f);
	assert_true(p->f->server && p->other);
}

/* Handed over all the time: it must end within some times its limit, as it would not if each had its own. */
static void
hop_until_the_end(struct pair *p, uint64_t limit_us)
{
	uint64_t begun_us = clock_now_us();

	p->n_hops = 0;
	while (!p->f->eof) {
		assert_true(clock_now_us() < begun_us + 20 * limit_us);
		fixture_work(p->f, 1000);
		hop(p);
	}
	assert_true(clock_now_us() >= begun_us + limit_us);
	assert_true(p->n_hops > 10);
}

static void
nobody_gains_time_by_a_handover(void **state)
{
	enum { LIMIT_US = 300000 };
	static const struct {
		const char *text, *reply;
		size_t limit;
	} rows[] = {
		{ "GET /1 HTTP/1.1\r\n", "HTTP/1.1 408 ", offsetof(struct http_limits, head_us) },
		{ "POST /1 HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nbody", "HTTP/1.1 408 ",
			offsetof(struct http_limits, body_us) },
		{ "", "", offsetof(struct http_limits, head_us) },
	};
	struct pair *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_limits limits;

		fixture_limits(&limits);
		*(uint64_t *)((char *)&limits + rows[i].limit) = LIMIT_US;
		limit_both(p, &limits);
		fixture_connect(p->f, 0);
		fixture_say(p->f, rows[i].text);
		fixture_work(p->f, 1000);
		hop_until_the_end(p, LIMIT_US - LIMIT_US / 10);
		assert_memory_equal(p->f->reply, rows[i].reply, strlen(rows[i].reply));
	}
}

static void
an_idle_connection_stays_as_long_as_it_would_have(void **state)
{
	struct pair *p = *state;
	struct http_limits limits;

	fixture_limits(&limits);
	limits.idle_us = 300000;
	limit_both(p, &limits);
	fixture_connect(p->f, 0);
	fixture_say(p->f, GET("/1"));
	fixture_work(p->f, 1000);
	hop_until_the_end(p, limits.idle_us * 9 / 10);
}

/* The time that is left goes along, but no more than the new process gives to anybody. */
static void
the_time_that_is_left_is_a_part_of_the_state(void **state)
{
	struct pair *p = *state;
	struct http_limits limits;
	struct http_connection *connection;
	struct http_handoff handoff;

	fixture_limits(&limits);
	limits.head_us = 60000000;
	limit_both(p, &limits);
	fixture_connect(p->f, 0);
	fixture_say(p->f, "GET");
	fixture_pump(p->f);
	assert_int_equal(http_handoff_freeze(the_connection(p), &handoff), 0);
	assert_int_equal(handoff.phase, 2); /* as it will be for ever */
	assert_in_range(handoff.due_us, clock_now_us() + 1, clock_now_us() + limits.head_us);
	limits.head_us = 100000;
	limit_both(p, &limits);
	handoff = (struct http_handoff){
		.file = -1, .input = HTTP_TEXT("GET"), .phase = 2, .due_us = UINT64_MAX
	};
	assert_int_equal(http_handoff_adopt(p->other, fixture_pair(p->f, 0), &handoff, &connection), 0);
	http_handoff_thaw(connection);
	fixture_wait_eof(p->f);
	assert_memory_equal(p->f->reply, "HTTP/1.1 408 ", 13);
}

/* Whatever the clock says: what has come in time, or waits in the socket, is served before it is looked at. */
static void
what_has_come_is_served_though_the_time_is_over(void **state)
{
	static const unsigned phases[] = { 1, 2, 3 };
	struct pair *p = *state;
	struct http_limits limits;

	fixture_limits(&limits);
	limits.head_us = limits.body_us = limits.idle_us = 60000000;
	limit_both(p, &limits);
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		struct http_handoff handoff = { .file = -1, .phase = phases[i], .due_us = 1, .requests = 1 };
		struct http_connection *connection;

		if (i > 0)
			handoff.input = HTTP_TEXT("GET /1 HTTP/1.1\r\n" H);
		assert_int_equal(
			http_handoff_adopt(p->other, fixture_pair(p->f, 0), &handoff, &connection), 0);
		fixture_say(p->f, i > 0 ? "\r\n" : GET("/1"));
		http_handoff_thaw(connection);
		fixture_pump(p->f);
		assert_memory_equal(p->f->reply, "HTTP/1.1 200 ", 13);
		assert_false(p->f->eof);
	}
}

static void
what_can_not_be_a_state_is_refused(void **state)
{
	struct pair *p = *state;
	const struct http_handoff states[] = {
		{ .file = -1, .ending = 3 },
		{ .file = -1, .phase = 4 },
		{ .file = -1, .phase = 9 },
		{ .file = -1, .file_left = 1 },
		{ .file = p->f->file, .file_left = 0 },
		{ .file = p->f->file, .file_left = 1, .file_offset = -1 },
	};
	struct http_connection *connection;
	int fd = fixture_pair(p->f, 0);

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		assert_int_equal(http_handoff_adopt(p->other, fd, &states[i], &connection), -EINVAL);
	assert_int_equal(http_server_count(p->other), 0);
	assert_int_equal(close(fd), 0); /* it is ours still */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handover_at_any_byte_of_a_request_changes_nothing),
		TEST(what_nobody_has_read_yet_is_served_by_the_new_one),
		TEST(all_that_was_read_is_served_after_the_clients_last_byte),
		TEST(a_handover_at_every_byte_changes_nothing),
		TEST(a_handover_in_the_middle_of_replies_changes_nothing),
		TEST(the_rest_of_a_reply_is_sent_from_any_byte_on),
		TEST(a_frozen_connection_does_nothing_until_it_is_thawed),
		TEST(a_deadline_does_not_come_to_a_frozen_connection),
		TEST(a_connection_with_an_answer_due_stays),
		TEST(a_released_connection_can_go_at_once),
		TEST(a_connection_at_its_end_stays),
		TEST(the_last_reply_is_the_last_elsewhere_too),
		TEST(requests_are_counted_across_a_handover),
		TEST(nobody_gains_time_by_a_handover),
		TEST(an_idle_connection_stays_as_long_as_it_would_have),
		TEST(the_time_that_is_left_is_a_part_of_the_state),
		TEST(what_has_come_is_served_though_the_time_is_over),
		TEST(what_can_not_be_a_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
