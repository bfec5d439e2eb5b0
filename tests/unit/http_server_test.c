/*
 * Connections as a client sees them.
 */
#include "http_fixture.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "http/connection.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define H          "Host: a\r\n"
#define GET(path)  "GET " path " HTTP/1.1\r\n" H "\r\n"
#define OK(length) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " #length "\r\n"
#define REFUSAL(status, length)                                                       \
	"HTTP/1.1 " status "\r\nContent-Type: text/plain\r\nContent-Length: " #length \
	"\r\nConnection: close\r\n\r\n" status "\n"

/* A deadline for tests: reached soon, and yet much longer than a turn of the loop. */
#define SOON_US (30 * US_PER_MS)
/* One that must not be reached, even if the machine stalls now and then. */
#define LATER_US (500 * US_PER_MS)

static int
setup(void **state)
{
	struct http_limits limits;

	fixture_limits(&limits);
	*state = fixture_new(&limits);
	fixture_connect(*state, 0);
	return 0;
}

static int
teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

/* What is answered to all of it, sent in one piece. */
static void
expect_reply(struct fixture *f, const char *request, const char *reply)
{
	fixture_forget_reply(f);
	fixture_say(f, request);
	fixture_pump(f);
	assert_string_equal(f->reply, reply);
}

static void
a_request_is_answered_and_the_connection_kept(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 1; i <= 3; i++) {
		expect_reply(f, GET("/x?y"), OK(18) "\r\nGET /x y a 1.1 []\n");
		assert_false(f->eof);
		assert_int_equal(f->n_asked, i);
	}
	assert_int_equal(http_server_count(f->server), 1);
	assert_int_equal(http_server_stats(f->server)->requests, 3);
	assert_int_equal(http_server_stats(f->server)->received, 3 * strlen(GET("/x?y")));
	assert_int_equal(http_server_stats(f->server)->sent, 3 * f->reply_len);
}

/* What the client says, and what it hears; with the end, or without. */
struct talk {
	const char *request, *reply;
	bool eof;
};

#define EXPECTING "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab"
#define CONTINUED "HTTP/1.1 100 Continue\r\n\r\n" OK(19) "\r\nPOST /  a 1.1 [ab]\n"

static const struct talk talks[] = {
	{ GET("/1") "\r\n" GET("/2") "POST /3 HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nbody" GET("/4"),
		OK(17) "\r\nGET /1  a 1.1 []\n" OK(17) "\r\nGET /2  a 1.1 []\n" OK(
			22) "\r\nPOST /3  a 1.1 [body]\n" OK(17) "\r\nGET /4  a 1.1 []\n",
		false },
	{ "PUT / HTTP/1.1\r\n" H
	  "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\nA: b\r\n\r\n" GET("/2"),
		OK(21) "\r\nPUT /  a 1.1 [abcde]\n" OK(17) "\r\nGET /2  a 1.1 []\n", false },
	{ "GET / HTTP/1.0\r\n\r\n", OK(15) "Connection: close\r\n\r\nGET /   1.0 []\n", true },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		OK(15) "Connection: keep-alive\r\n\r\nGET /   1.0 []\n", false },
	{ "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
		OK(16) "Connection: close\r\n\r\nGET /  a 1.1 []\n", true },
	{ "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n" GET("/not-served"),
		OK(16) "Connection: close\r\n\r\nGET /  a 1.1 []\n", true },
	{ GET("/1") "GET / HTTP/1.1\r\n\r\n" GET("/not-served"),
		OK(17) "\r\nGET /1  a 1.1 []\n" REFUSAL("400 Bad Request", 16), true },
	{ "HEAD /x HTTP/1.1\r\n" H "\r\n" GET("/2"), OK(18) "\r\n" OK(17) "\r\nGET /2  a 1.1 []\n", false },
	{ GET("/status?code=204"), "HTTP/1.1 204 No Content\r\n\r\n", false },
	{ GET("/status?code=304"), "HTTP/1.1 304 Not Modified\r\n\r\n", false },
	{ GET("/status?code=404"), "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody", false },
	{ "HEAD /status?code=404 HTTP/1.1\r\n" H "\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n", false },
	{ GET("/split"), "HTTP/1.1 200 OK\r\nX: a  Evil: b c\r\nContent-Length: 0\r\n\r\n", false },
	{ GET("/file?from=1000&len=5"), "HTTP/1.1 200 OK\r\nX-File: yes\r\nContent-Length: 5\r\n\r\nponmt",
		false },
	{ GET("/file?from=1000&len=0") GET("/2"),
		"HTTP/1.1 200 OK\r\nX-File: yes\r\nContent-Length: 0\r\n\r\n" OK(17) "\r\nGET /2  a 1.1 []\n",
		false },
	{ "HEAD /file?len=5 HTTP/1.1\r\n" H "\r\n",
		"HTTP/1.1 200 OK\r\nX-File: yes\r\nContent-Length: 5\r\n\r\n", false },
	{ "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab" GET("/2"),
		"HTTP/1.1 100 Continue\r\n\r\n" OK(19) "\r\nPOST /  a 1.1 [ab]\n" OK(
			17) "\r\nGET /2  a 1.1 []\n",
		false },
	{ EXPECTING EXPECTING, CONTINUED CONTINUED, false },
	{ "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\nzz",
		"HTTP/1.1 100 Continue\r\n\r\n" REFUSAL("400 Bad Request", 16), true },
	{ "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 70000\r\n\r\n",
		REFUSAL("413 Content Too Large", 22), true },
	{ "POST / HTTP/1.1\r\n" H "Expect: the-unexpected\r\n\r\n", REFUSAL("417 Expectation Failed", 23),
		true },
	{ GET("/none"), REFUSAL("500 Internal Server Error", 26), true },
	{ "BREW / HTTP/1.1\r\n" H "\r\n", REFUSAL("501 Not Implemented", 20), true },
	{ "GET / HTTP/3.0\r\n" H "\r\n", REFUSAL("505 HTTP Version Not Supported", 31), true },
};

/* One talk on a new connection: the first bytes, then the rest at once or byte by byte. */
static void
talk(struct fixture *f, const struct talk *talk, size_t first, bool bytewise)
{
	size_t len = strlen(talk->request);

	fixture_connect(f, 0);
	fixture_send(f, talk->request, first);
	fixture_pump(f);
	for (size_t at = first; at < len && !f->eof; at++) {
		fixture_send(f, talk->request + at, bytewise ? 1 : len - at);
		fixture_pump(f);
		if (!bytewise)
			break;
	}
	assert_string_equal(f->reply, talk->reply);
	assert_int_equal(f->eof, talk->eof);
	fixture_close(f);
	fixture_pump(f);
	assert_int_equal(http_server_count(f->server), 0);
}

static void
replies_do_not_depend_on_the_pieces(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
		for (size_t first = 0; first <= strlen(talks[i].request); first++)
			talk(f, &talks[i], first, false);
		talk(f, &talks[i], 0, true);
	}
}

static void
many_pipelined_requests_are_answered_in_order(void **state)
{
	enum { N = 5000 };
	struct fixture *f = *state;
	char text[64];
	const char *at;

	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
		fixture_say(f, text);
	}
	fixture_pump(f);
	assert_int_equal(f->n_asked, N);
	at = f->reply;
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "GET /%d  a 1.1 []\n", i);
		at = strstr(at, text);
		assert_non_null(at);
		at += strlen(text);
	}
	assert_int_equal(*at, '\0');
}

static void
one_client_does_not_get_all_turns(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 200; i++)
		fixture_say(f, GET("/1"));
	/* one look of the loop at its sockets */
	assert_true(event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
	assert_in_range(f->n_asked, 1, 50);
	fixture_pump(f);
	assert_int_equal(f->n_asked, 200);
}

/* A server with these limits, and a client. */
static struct fixture *
connected(const struct http_limits *limits)
{
	struct fixture *f = fixture_new(limits);

	fixture_connect(f, 0);
	return f;
}

static void
a_turn_serves_as_many_requests_as_it_may(void **state)
{
	struct http_limits limits;
	struct fixture *f;

	(void)state;
	fixture_limits(&limits);
	limits.turn_requests = 1;
	f = connected(&limits);
	fixture_say(f, GET("/1") GET("/2") GET("/3"));
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
		assert_int_equal(f->n_asked, i);
	}
	fixture_free(f);
}

/* A rest of more than a second for a microsecond of work: nothing is served after the first turn. */
static struct fixture *
resting(void)
{
	struct http_limits limits;
	struct fixture *f;

	fixture_limits(&limits);
	limits.rest = 10 * US_PER_SEC;
	f = connected(&limits);
	fixture_say(f, GET("/later"));
	fixture_pump(f);
	assert_int_equal(f->n_asked, 1);
	return f;
}

static void
requests_wait_while_the_server_rests(void **state)
{
	struct fixture *f = resting();

	(void)state;
	/* an answer does not wait */
	http_reply_text(f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("now"));
	fixture_pump(f);
	assert_string_equal(f->reply, OK(3) "\r\nnow");
	fixture_say(f, GET("/1"));
	fixture_pump(f);
	assert_int_equal(f->n_asked, 1);
	assert_int_equal(http_server_stats(f->server)->delayed, 1);
	/* nor does the end of one that waits */
	http_connection_cut(f->asked);
	fixture_pump(f);
	assert_int_equal(f->n_closed, 1);
	fixture_free(f);
}

static void
who_waits_for_his_turn_may_go(void **state)
{
	struct fixture *f = resting();

	(void)state;
	http_reply_text(f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("now"));
	fixture_pump(f);
	fixture_say(f, GET("/1"));
	fixture_pump(f);
	http_server_close_idle(f->server);
	http_server_cut(f->server);
	assert_int_equal(f->n_closed, 1);
	assert_int_equal(http_server_count(f->server), 0);
	fixture_free(f);
}

/* Who has waited is served; and what a client sends that is not heard any more is thrown away, in turns as well. */
static void
all_have_their_turn_in_the_end(void **state)
{
	struct http_limits limits;
	struct fixture *f;

	(void)state;
	fixture_limits(&limits);
	limits.turn_requests = 1;
	limits.rest = 200;
	f = connected(&limits);
	for (int i = 0; i < 20; i++)
		fixture_say(f, GET("/1"));
	fixture_say(f, "garbage\r\n\r\n");
	fixture_wait_eof(f);
	assert_int_equal(f->n_asked, 20);
	assert_int_equal(http_server_stats(f->server)->refused, 1);
	assert_true(http_server_stats(f->server)->delayed > 0);
	for (int i = 0; i < 3; i++) {
		fixture_say(f, "more garbage");
		fixture_pump(f);
	}
	fixture_close(f);
	fixture_wait_closed(f, 1);
	assert_int_equal(f->why, HTTP_END_DONE);
	fixture_free(f);
}

/* More of them than a turn serves, and the client's FIN right behind. */
static void
requests_are_answered_after_the_clients_last_byte(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 200; i++)
		fixture_say(f, GET("/1"));
	fixture_shutdown(f);
	fixture_pump(f);
	assert_int_equal(f->n_asked, 200);
	assert_int_equal(f->reply_len, 200 * strlen(OK(17) "\r\nGET /1  a 1.1 []\n"));
	assert_true(f->eof);
	assert_int_equal(f->why, HTTP_END_DONE);
}

/* Is the reply's body, behind its head, that part of the pattern? */
static void
assert_pattern(const struct fixture *f, size_t from, size_t len)
{
	const char *body = strstr(f->reply, "\r\n\r\n");

	assert_non_null(body);
	body += 4;
	assert_int_equal(f->reply_len - (size_t)(body - f->reply), len);
	for (size_t i = 0; i < len; i++)
		if (body[i] != FIXTURE_BYTE(from + i))
			fail_msg("byte %zu is wrong", i);
}

static void
files_arrive_whole(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/file?from=10&len=3145700"));
	fixture_pump(f);
	assert_pattern(f, 10, 3145700);
	assert_int_equal(http_server_stats(f->server)->sent, f->reply_len);
	/* and over a socket that takes little at a time, with what follows behind it */
	fixture_connect(f, 2048);
	fixture_say(f, GET("/file?len=3145700") "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	fixture_pump(f);
	assert_true(f->eof);
	f->reply_len -= strlen(OK(16) "Connection: close\r\n\r\nGET /  a 1.1 []\n");
	assert_string_equal(f->reply + f->reply_len, OK(16) "Connection: close\r\n\r\nGET /  a 1.1 []\n");
	assert_pattern(f, 0, 3145700);
}

static void
files_arrive_whole_over_tcp(void **state)
{
	struct fixture *f = *state;

	fixture_connect_tcp(f);
	fixture_say(f, "GET /file?len=3145700 HTTP/1.0\r\n\r\n");
	fixture_wait_eof(f);
	assert_int_equal(f->error, 0);
	assert_pattern(f, 0, 3145700);
}

/* A length that was promised can't be taken back: the client must see that something is missing. */
static void
a_file_that_has_become_shorter_ends_the_connection(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/file?from=3145000&len=10000") GET("/2"));
	fixture_pump(f);
	assert_true(f->eof || f->error == ECONNRESET);
	assert_int_equal(f->why, HTTP_END_FAILED);
	assert_pattern(f, 3145000, FIXTURE_FILE_LEN - 3145000);
	assert_int_equal(f->n_asked, 1);
}

static void
requests_wait_while_replies_are_not_read(void **state)
{
	enum { N = 400, LEN = 10000, HEAD = sizeof("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n") - 1 };
	struct fixture *f = *state;
	unsigned asked;

	for (int i = 0; i < N; i++)
		fixture_say(f, GET("/big?len=10000"));
	for (int i = 0; i < 100; i++)
		fixture_work(f, 0);
	/* the socket's buffer is full (208 KiB), and max_unsent (64 KiB) behind it */
	asked = f->n_asked;
	assert_true(asked > 7 && asked < 60);
	fixture_work(f, 0);
	assert_int_equal(f->n_asked, asked);
	fixture_pump(f);
	assert_int_equal(f->n_asked, N);
	assert_int_equal(f->reply_len, N * (HEAD + LEN));
}

static void
a_late_answer_holds_up_the_next_request(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/later") GET("/2"));
	fixture_pump(f);
	assert_int_equal(f->n_asked, 1);
	assert_string_equal(f->reply, "");
	assert_int_equal(f->n_released, 0);
	http_reply_text(f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late\n"));
	assert_string_equal(f->reply, "");
	fixture_pump(f);
	assert_int_equal(f->n_asked, 2);
	assert_int_equal(f->n_released, 1);
	assert_int_equal(f->n_gone, 0);
	assert_string_equal(f->reply, OK(5) "\r\nlate\n" OK(17) "\r\nGET /2  a 1.1 []\n");
}

static void
half_a_connection_is_enough_for_an_answer(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/later") GET("/2"));
	fixture_shutdown(f);
	fixture_pump(f);
	assert_non_null(f->asked);
	assert_int_equal(f->n_gone, 0);
	http_reply_text(f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late\n"));
	fixture_pump(f);
	assert_string_equal(f->reply, OK(5) "\r\nlate\n" OK(17) "\r\nGET /2  a 1.1 []\n");
	assert_true(f->eof);
	assert_int_equal(f->n_closed, 1);
	assert_int_equal(f->why, HTTP_END_DONE);
}

static void
who_waits_for_a_lost_connection_is_told(void **state)
{
	struct fixture *f = *state;

	fixture_connect_tcp(f);
	fixture_say(f, GET("/later"));
	while (f->n_asked == 0)
		assert_true(event_base_loop(f->base, EVLOOP_ONCE) >= 0);
	fixture_reset(f);
	fixture_wait_closed(f, 2); /* and the one of the setup */
	assert_int_equal(f->n_gone, 1);
	assert_int_equal(f->why, HTTP_END_LOST);
}

static void
who_waits_when_all_is_cut_is_told(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/later"));
	fixture_pump(f);
	http_server_cut(f->server);
	assert_int_equal(f->n_gone, 1);
	assert_int_equal(f->n_closed, 1);
	assert_int_equal(f->why, HTTP_END_CUT);
	assert_int_equal(http_server_count(f->server), 0);
}

static void
an_answered_connection_is_nobodys_any_more(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/later"));
	fixture_pump(f);
	http_reply_text(f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late\n"));
	fixture_close(f);
	fixture_pump(f);
	assert_int_equal(f->n_gone, 0);
	assert_int_equal(f->n_closed, 1);
}

static void
a_request_of_a_client_that_has_gone_is_dropped(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, "POST / HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nbod");
	fixture_close(f);
	fixture_pump(f);
	assert_int_equal(f->n_asked, 0);
	assert_int_equal(f->n_closed, 1);
	assert_int_equal(f->why, HTTP_END_DONE);
}

static void
a_handler_that_stops_in_the_middle_loses_the_connection(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/half") GET("/2"));
	fixture_pump(f);
	assert_true(f->eof || f->error == ECONNRESET);
	assert_int_equal(f->why, HTTP_END_FAILED);
	assert_int_equal(f->n_asked, 1);
}

static void
a_handler_may_cut_the_connection(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/1") GET("/cut") GET("/2"));
	fixture_pump(f);
	assert_int_equal(f->n_asked, 2);
	assert_int_equal(f->why, HTTP_END_CUT);
	assert_int_equal(http_server_stats(f->server)->refused, 0);
	assert_int_equal(http_server_count(f->server), 0);
}

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void
a_stream_comes_in_chunks(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/stream") GET("/2"));
	fixture_pump(f);
	assert_string_equal(f->reply, STREAM_HEAD);
	assert_int_equal(http_stream_send(f->asked, "abc", 3), 8);
	assert_int_equal(http_stream_send(f->asked, "", 0), 8);
	assert_int_equal(http_stream_send(f->asked, "0123456789abcdef", 16), 8 + 22);
	fixture_pump(f);
	assert_string_equal(f->reply, STREAM_HEAD "3\r\nabc\r\n10\r\n0123456789abcdef\r\n");
	http_stream_end(f->asked);
	fixture_pump(f);
	assert_string_equal(f->reply, STREAM_HEAD
		"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n" OK(17) "\r\nGET /2  a 1.1 []\n");
	assert_int_equal(f->n_released, 1);
	assert_int_equal(f->n_gone, 0);
}

static void
a_stream_to_an_old_client_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	fixture_pump(f);
	assert_int_equal(http_stream_send(f->asked, "abc", 3), 3);
	fixture_pump(f);
	assert_string_equal(f->reply, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
	assert_false(f->eof);
	http_stream_end(f->asked);
	fixture_pump(f);
	assert_string_equal(f->reply, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
	assert_true(f->eof);
}

static void
a_stream_for_head_has_no_body(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, "HEAD /stream HTTP/1.1\r\n" H "\r\n");
	fixture_pump(f);
	assert_int_equal(http_stream_send(f->asked, "abc", 3), 0);
	http_stream_end(f->asked);
	fixture_pump(f);
	assert_string_equal(f->reply, STREAM_HEAD);
	assert_false(f->eof);
}

static void
the_end_of_a_streams_client_is_told(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/stream"));
	fixture_pump(f);
	fixture_close(f);
	fixture_pump(f);
	assert_int_equal(f->n_gone, 1);
	assert_int_equal(f->n_closed, 1);
	assert_int_equal(f->why, HTTP_END_DONE);
}

static void
what_a_slow_client_has_not_taken_is_told(void **state)
{
	static const char block[10000];
	struct fixture *f = *state;
	ssize_t queued = 0, before = 0;

	fixture_say(f, GET("/stream"));
	fixture_pump(f);
	for (int i = 0; i < 200; i++) {
		before = queued;
		queued = http_stream_send(f->asked, block, sizeof(block));
		assert_true(queued > 0 && queued <= before + (ssize_t)sizeof(block) + 16);
		fixture_work(f, 0);
	}
	assert_true(queued > 1000000); /* the socket takes some 200 KiB */
	http_connection_cut(f->asked);
	assert_int_equal(f->n_closed, 0);
	fixture_pump(f);
	assert_int_equal(f->n_closed, 1);
	assert_int_equal(f->n_gone, 0); /* who cuts it knows */
	assert_int_equal(f->why, HTTP_END_CUT);
}

static void
a_slow_client_gets_all_of_a_stream(void **state)
{
	char block[1000];
	struct fixture *f = *state;
	size_t n = 0;

	fixture_connect(f, 2048);
	fixture_say(f, "GET /stream HTTP/1.0\r\n\r\n");
	fixture_pump(f);
	for (int i = 0; i < 300; i++) {
		for (size_t j = 0; j < sizeof(block); j++, n++)
			block[j] = FIXTURE_BYTE(n);
		assert_true(http_stream_send(f->asked, block, sizeof(block)) > 0);
		fixture_work(f, 700);
	}
	http_stream_end(f->asked);
	fixture_pump(f);
	assert_true(f->eof);
	assert_pattern(f, 0, n);
}

static void
draining_makes_each_reply_the_last(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/1"));
	fixture_pump(f);
	http_server_drain(f->server);
	assert_false(f->eof);
	fixture_forget_reply(f);
	fixture_say(f, GET("/2"));
	fixture_pump(f);
	assert_string_equal(f->reply, OK(17) "Connection: close\r\n\r\nGET /2  a 1.1 []\n");
	assert_true(f->eof);
	/* it waits for the client's end, so that what it still sends does no harm */
	assert_int_equal(http_server_count(f->server), 1);
	fixture_say(f, GET("/not-served-either"));
	fixture_close(f);
	fixture_pump(f);
	assert_int_equal(f->n_asked, 2);
	assert_int_equal(http_server_count(f->server), 0);
	assert_int_equal(f->why, HTTP_END_DONE);
}

static void
a_client_that_says_it_is_done_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, "GET / HTTP/1.0\r\n\r\n");
	fixture_pump(f);
	assert_true(f->eof);
	assert_int_equal(http_server_count(f->server), 0);
	/* unless it was wrong */
	fixture_connect(f, 0);
	fixture_say(f, "GET / HTTP/1.0\r\n\r\n" GET("/2"));
	fixture_pump(f);
	assert_true(f->eof);
	assert_int_equal(http_server_count(f->server), 1);
}

static void
only_idle_connections_are_closed_as_idle(void **state)
{
	struct fixture *f = *state;

	fixture_say(f, GET("/1") "GET");
	fixture_pump(f);
	http_server_close_idle(f->server);
	fixture_pump(f);
	assert_false(f->eof);
	fixture_say(f, " /2 HTTP/1.1\r\n" H "\r\n\r\n"); /* and an empty line, which begins nothing */
	fixture_pump(f);
	assert_int_equal(f->n_asked, 2);
	http_server_close_idle(f->server);
	fixture_pump(f);
	assert_true(f->eof);
	/* one that was never used */
	fixture_connect(f, 0);
	fixture_pump(f);
	http_server_close_idle(f->server);
	fixture_pump(f);
	assert_true(f->eof);
	/* one that waits for its answer */
	fixture_connect(f, 0);
	fixture_say(f, GET("/later"));
	fixture_pump(f);
	http_server_close_idle(f->server);
	fixture_pump(f);
	assert_false(f->eof);
}

static void
the_last_request_of_a_connection_is_said_to_be(void **state)
{
	struct http_limits limits;
	struct fixture *f;

	(void)state;
	fixture_limits(&limits);
	limits.max_requests = 2;
	f = fixture_new(&limits);
	fixture_connect(f, 0);
	fixture_say(f, GET("/1") GET("/2") GET("/3"));
	fixture_pump(f);
	assert_string_equal(f->reply,
		OK(17) "\r\nGET /1  a 1.1 []\n" OK(17) "Connection: close\r\n\r\nGET /2  a 1.1 []\n");
	assert_true(f->eof);
	fixture_free(f);
}

/* The client has sent more than was read: closing at once would reset the connection, and take the reply away. */
static void
a_refusal_reaches_a_client_that_is_still_sending(void **state)
{
	static const char block[100000];
	struct fixture *f = *state;

	fixture_connect_tcp(f);
	fixture_say(f, "POST / HTTP/1.1\r\n" H "Content-Length: 3000000\r\n\r\n");
	for (int i = 0; i < 30; i++)
		fixture_send(f, block, sizeof(block));
	fixture_wait_eof(f);
	assert_int_equal(f->error, 0);
	assert_string_equal(f->reply, REFUSAL("413 Content Too Large", 22));
}

static void
lingering_is_limited_in_bytes(void **state)
{
	static const char block[10000];
	struct http_limits limits;
	struct fixture *f;
	ssize_t n = 0;

	(void)state;
	fixture_limits(&limits);
	limits.linger_bytes = 100000;
	f = fixture_new(&limits);
	fixture_connect(f, 0);
	fixture_say(f, "nonsense\r\n");
	for (int i = 0; i < 100 && n >= 0; i++) {
		n = send(f->client, block, sizeof(block), MSG_NOSIGNAL);
		fixture_pump(f);
	}
	assert_int_equal(n, -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(f->n_closed, 1);
	assert_string_equal(f->reply, REFUSAL("400 Bad Request", 16));
	fixture_free(f);
}

/* ---- deadlines ---- */

static struct fixture *
with_deadline(uint64_t *limit_us, const struct http_limits *limits)
{
	struct fixture *f;

	*limit_us = SOON_US;
	f = fixture_new(limits);
	fixture_connect(f, 0);
	return f;
}

static void
a_silent_connection_is_closed(void **state)
{
	struct http_limits limits;
	struct fixture *f;

	(void)state;
	fixture_limits(&limits);
	f = with_deadline(&limits.head_us, &limits);
	fixture_wait_eof(f);
	assert_string_equal(f->reply, "");
	assert_int_equal(f->why, HTTP_END_TIMEOUT);
	fixture_free(f);
}

/* event: the client sends another byte */
static void
on_drip(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	(void)send(f->client, "x", 1, MSG_NOSIGNAL);
}

/* What has begun with `request`, goes on byte by byte, but not to its end, is answered by 408. */
static void
expect_slow_refused(const struct http_limits *limits, const char *request)
{
	struct fixture *f = fixture_new(limits);
	struct event *drip = event_new(f->base, -1, EV_PERSIST, on_drip, f);
	struct timeval often = clock_timeval(SOON_US / 10);

	fixture_connect(f, 0);
	fixture_say(f, request);
	assert_int_equal(event_add(drip, &often), 0);
	fixture_wait_eof(f);
	event_free(drip);
	assert_string_equal(f->reply, REFUSAL("408 Request Timeout", 20));
	assert_int_equal(http_server_stats(f->server)->timeouts, 1);
	fixture_close(f);
	fixture_wait_closed(f, 1);
	fixture_free(f);
}

static void
a_slow_head_is_refused(void **state)
{
	struct http_limits limits;

	(void)state;
	fixture_limits(&limits);
	limits.head_us = SOON_US;
	expect_slow_refused(&limits, "GET / HTTP/1.1\r\nX: ");
}

static void
a_slow_body_is_refused(void **state)
{
	struct http_limits limits;

	(void)state;
	fixture_limits(&limits);
	limits.body_us = SOON_US;
	expect_slow_refused(&limits, "POST / HTTP/1.1\r\n" H "Content-Length: 60000\r\n\r\n");
}

/* What had come when its time was over, while the server stood still or rested, is served: the client had done its part. */
static void
what_came_in_time_is_served(void **state)
{
	static char body[60000];
	static const struct {
		const char *before, *meanwhile;
		size_t body;
		const char *reply;
	} rows[] = {
		{ "", GET("/1"), 0, OK(17) "\r\nGET /1  a 1.1 []\n" },
		{ "GET /1 H", "TTP/1.1\r\n" H "\r\n", 0, OK(17) "\r\nGET /1  a 1.1 []\n" },
		{ GET("/1"), GET("/2"), 0, OK(17) "\r\nGET /2  a 1.1 []\n" },
		{ "POST /status?code=404 HTTP/1.1\r\n" H "Content-Length: 60001\r\n\r\n", "x", sizeof(body),
			"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody" },
	};
	struct fixture *f = *state;

	memset(body, 'x', sizeof(body));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_connect(f, 0);
		fixture_say(f, rows[i].before);
		fixture_pump(f);
		fixture_forget_reply(f);
		assert_int_equal(send(f->client, rows[i].meanwhile, strlen(rows[i].meanwhile), MSG_NOSIGNAL),
			strlen(rows[i].meanwhile));
		assert_int_equal(send(f->client, body, rows[i].body, MSG_NOSIGNAL), rows[i].body);
		http_connection_expire(&TAILQ_LAST(&f->server->connections, http_connection_list)->deadline);
		fixture_pump(f);
		assert_string_equal(f->reply, rows[i].reply);
		assert_false(f->eof);
	}
	assert_int_equal(http_server_stats(f->server)->timeouts, 0);
}

/* The same when the client has made room meanwhile: it gets all of its answer. */
static void
who_has_made_room_in_time_is_served(void **state)
{
	static char taken[64 * 1024];
	struct fixture *f = *state;
	size_t before = 0;
	ssize_t n;

	fixture_connect(f, 4096);
	fixture_say(f, GET("/big?len=1000000"));
	fixture_work(f, 1000);
	while ((n = recv(f->client, taken, sizeof(taken), MSG_DONTWAIT)) > 0)
		before += (size_t)n;
	assert_true(before > 0);
	http_connection_expire(&TAILQ_LAST(&f->server->connections, http_connection_list)->deadline);
	fixture_pump(f);
	assert_true(f->reply_len + before > 1000000);
	assert_false(f->eof);
	assert_int_equal(f->error, 0);
	assert_int_equal(http_server_stats(f->server)->timeouts, 0);
}

/* The second request's head counts anew, though the first bytes of it came with the first. */
static void
each_head_has_its_own_deadline(void **state)
{
	struct http_limits limits;
	struct fixture *f;
	uint64_t begun_us;

	(void)state;
	fixture_limits(&limits);
	limits.head_us = LATER_US;
	f = fixture_new(&limits);
	fixture_connect(f, 0);
	begun_us = clock_now_us();
	while (clock_now_us() < begun_us + LATER_US * 6 / 5) {
		fixture_forget_reply(f);
		fixture_say(f, f->n_asked == 0 ? GET("/1") "GET /1 H" : "TTP/1.1\r\n" H "\r\nGET /1 H");
		while (f->reply_len == 0)
			fixture_pump(f);
		assert_string_equal(f->reply, OK(17) "\r\nGET /1  a 1.1 []\n");
	}
	fixture_free(f);
}

/* An empty line behind a request, as some send, begins no new one. */
static void
an_idle_connection_is_closed(void **state)
{
	static const char *const requests[] = { GET("/1"), GET("/1") "\r\n" };
	struct http_limits limits;
	struct fixture *f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		fixture_limits(&limits);
		f = with_deadline(&limits.idle_us, &limits);
		fixture_say(f, requests[i]);
		fixture_wait_eof(f);
		assert_string_equal(f->reply, OK(17) "\r\nGET /1  a 1.1 []\n");
		fixture_close(f);
		fixture_wait_closed(f, 1);
		assert_int_equal(f->why, HTTP_END_DONE);
		assert_int_equal(http_server_stats(f->server)->timeouts, 0);
		fixture_free(f);
	}
}

static void
a_client_that_does_not_read_is_cut(void **state)
{
	struct http_limits limits;
	struct fixture *f;
	int client;

	(void)state;
	fixture_limits(&limits);
	f = with_deadline(&limits.send_us, &limits);
	fixture_say(f, GET("/file?len=3000000"));
	client = f->client;
	f->client = -1; /* nobody reads */
	fixture_wait_closed(f, 1);
	assert_int_equal(f->why, HTTP_END_TIMEOUT);
	close(client);
	/* a stream's owner is told */
	fixture_connect(f, 0);
	fixture_say(f, GET("/stream"));
	fixture_pump(f);
	assert_int_equal(http_stream_send(f->asked, f->reply, 1000000) > 1000000, 1);
	client = f->client;
	f->client = -1;
	fixture_wait_closed(f, 2);
	assert_int_equal(f->n_gone, 1);
	close(client);
	fixture_free(f);
}

/* What the kernel holds for it is thrown away, too: it would be held for minutes. */
static void
a_client_that_does_not_read_is_reset(void **state)
{
	struct http_limits limits;
	struct fixture *f;
	int client;

	(void)state;
	fixture_limits(&limits);
	limits.send_us = SOON_US;
	f = fixture_new(&limits);
	fixture_connect_tcp(f);
	fixture_say(f, GET("/file?len=3000000") GET("/file?len=3000000") GET("/file?len=3000000"));
	client = f->client;
	f->client = -1; /* nobody reads */
	fixture_wait_closed(f, 1);
	f->client = client;
	fixture_wait_eof(f);
	assert_int_equal(f->error, ECONNRESET);
	fixture_free(f);
}

/* The time for sending counts anew with each byte that is taken. */
static void
a_client_that_reads_slowly_is_served(void **state)
{
	struct http_limits limits;
	struct fixture *f;
	uint64_t begun_us, past_us;

	(void)state;
	fixture_limits(&limits);
	limits.send_us = LATER_US;
	f = fixture_new(&limits);
	fixture_connect(f, 2048);
	fixture_say(f, "GET /file?len=3000000 HTTP/1.0\r\n\r\n");
	begun_us = clock_now_us();
	/* evenly, however fast this machine is: two thirds of it in more than the time for sending */
	while ((past_us = clock_now_us() - begun_us) < LATER_US * 6 / 5)
		fixture_work(f, f->reply_len < 2000000 * past_us / (LATER_US * 6 / 5) ? 4096 : 0);
	assert_true(f->reply_len < 3000000);
	fixture_wait_eof(f);
	assert_pattern(f, 0, 3000000);
	fixture_free(f);
}

static void
lingering_is_limited_in_time(void **state)
{
	struct http_limits limits;
	struct fixture *f;

	(void)state;
	fixture_limits(&limits);
	f = with_deadline(&limits.linger_us, &limits);
	fixture_say(f, "nonsense\r\n");
	fixture_wait_closed(f, 1);
	assert_int_equal(f->why, HTTP_END_DONE);
	fixture_free(f);
}

/* There is one timer for all: it must not wait for the first deadline that was set, when another comes before that. */
static void
a_short_deadline_comes_before_a_long_one(void **state)
{
	struct http_limits limits;
	struct fixture *f;

	(void)state;
	fixture_limits(&limits);
	limits.idle_us = 1000 * US_PER_SEC;
	f = with_deadline(&limits.linger_us, &limits);
	fixture_say(f, GET("/1"));
	fixture_pump(f);
	fixture_say(f, "nonsense\r\n");
	fixture_wait_closed(f, 1);
	assert_int_equal(f->why, HTTP_END_DONE);
	fixture_free(f);
}

static void
an_answer_may_take_its_time(void **state)
{
	struct http_limits limits;
	struct fixture *f;
	uint64_t begun_us;

	(void)state;
	fixture_limits(&limits);
	limits.body_us = limits.idle_us = limits.send_us = limits.linger_us = SOON_US;
	f = with_deadline(&limits.head_us, &limits);
	fixture_say(f, GET("/later"));
	begun_us = clock_now_us();
	while (clock_now_us() < begun_us + 2 * SOON_US)
		fixture_work(f, 100);
	assert_int_equal(f->n_closed, 0);
	http_reply_text(f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late\n"));
	fixture_pump(f);
	assert_string_equal(f->reply, OK(5) "\r\nlate\n");
	fixture_free(f);
}

static void
limits_without_sense_are_refused(void **state)
{
	struct fixture *f = *state;
	struct http_limits limits;

	fixture_limits(&limits);
	limits.max_head = HTTP_HEAD_MAX + 1;
	errno = 0;
	assert_null(http_server_new(f->base, &limits, &fixture_handler, f));
	assert_int_equal(errno, EINVAL);
	fixture_limits(&limits);
	limits.max_fields = HTTP_FIELDS_MAX + 1;
	assert_null(http_server_new(f->base, &limits, &fixture_handler, f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_and_the_connection_kept),
		TEST(replies_do_not_depend_on_the_pieces),
		TEST(many_pipelined_requests_are_answered_in_order),
		TEST(one_client_does_not_get_all_turns),
		cmocka_unit_test(a_turn_serves_as_many_requests_as_it_may),
		cmocka_unit_test(requests_wait_while_the_server_rests),
		cmocka_unit_test(who_waits_for_his_turn_may_go),
		cmocka_unit_test(all_have_their_turn_in_the_end),
		TEST(requests_are_answered_after_the_clients_last_byte),
		TEST(files_arrive_whole),
		TEST(files_arrive_whole_over_tcp),
		TEST(a_file_that_has_become_shorter_ends_the_connection),
		TEST(requests_wait_while_replies_are_not_read),
		TEST(a_late_answer_holds_up_the_next_request),
		TEST(half_a_connection_is_enough_for_an_answer),
		TEST(who_waits_for_a_lost_connection_is_told),
		TEST(who_waits_when_all_is_cut_is_told),
		TEST(an_answered_connection_is_nobodys_any_more),
		TEST(a_request_of_a_client_that_has_gone_is_dropped),
		TEST(a_handler_that_stops_in_the_middle_loses_the_connection),
		TEST(a_handler_may_cut_the_connection),
		TEST(a_stream_comes_in_chunks),
		TEST(a_stream_to_an_old_client_ends_with_the_connection),
		TEST(a_stream_for_head_has_no_body),
		TEST(the_end_of_a_streams_client_is_told),
		TEST(what_a_slow_client_has_not_taken_is_told),
		TEST(a_slow_client_gets_all_of_a_stream),
		TEST(draining_makes_each_reply_the_last),
		TEST(a_client_that_says_it_is_done_is_not_waited_for),
		TEST(only_idle_connections_are_closed_as_idle),
		cmocka_unit_test(the_last_request_of_a_connection_is_said_to_be),
		TEST(a_refusal_reaches_a_client_that_is_still_sending),
		cmocka_unit_test(lingering_is_limited_in_bytes),
		cmocka_unit_test(a_silent_connection_is_closed),
		cmocka_unit_test(a_slow_head_is_refused),
		cmocka_unit_test(a_slow_body_is_refused),
		TEST(what_came_in_time_is_served),
		TEST(who_has_made_room_in_time_is_served),
		cmocka_unit_test(each_head_has_its_own_deadline),
		cmocka_unit_test(an_idle_connection_is_closed),
		cmocka_unit_test(a_client_that_does_not_read_is_cut),
		cmocka_unit_test(a_client_that_does_not_read_is_reset),
		cmocka_unit_test(a_client_that_reads_slowly_is_served),
		cmocka_unit_test(lingering_is_limited_in_time),
		cmocka_unit_test(a_short_deadline_comes_before_a_long_one),
		cmocka_unit_test(an_answer_may_take_its_time),
		TEST(limits_without_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
