/*
 * Connections that are brought to their end politely: nothing that has reached us goes unanswered, and nobody is reset.
 */
#include "http/connection.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define H         "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

#define SOON_US (50 * US_PER_MS)

static struct fixture *
fixture_with_grace(uint64_t grace_us)
{
	struct http_limits limits;

	fixture_limits(&limits);
	limits.grace_us = grace_us;
	return fixture_new(&limits);
}

/* for http_server_each */
static void
retire(struct http_connection *connection, void *arg)
{
	(void)arg;
	http_connection_retire(connection);
}

static void
retire_all(struct fixture *f)
{
	http_server_each(f->server, retire, NULL);
}

/* for http_server_each */
static void
expire(struct http_connection *connection, void *arg)
{
	(void)arg;
	http_deadlines_unset(&connection->server->deadlines, &connection->deadline);
	http_connection_expire(&connection->deadline);
}

static bool
says_close(const struct fixture *f)
{
	return strstr(f->reply, "Connection: close") != NULL;
}

/* All that can be of a request before it is complete, its connection being used or not. */
static void
a_request_within_the_grace_is_served_and_the_last(void **state)
{
	static const char *const before[] = { "", "GET", GET("/1"), GET("/1") "\r\n", GET("/1") "GET" };
	static const char *const after[] = { GET("/2"), " /2 HTTP/1.1\r\n" H "\r\n", GET("/2"), GET("/2"),
		" /2 HTTP/1.1\r\n" H "\r\n" };
	struct fixture *f = fixture_with_grace(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		fixture_connect(f, 0);
		fixture_say(f, before[i]);
		fixture_pump(f);
		retire_all(f);
		fixture_pump(f);
		assert_false(f->eof || says_close(f));
		fixture_say(f, after[i]);
		fixture_pump(f);
		assert_non_null(strstr(f->reply, "GET /2"));
		assert_true(f->eof && says_close(f));
		fixture_close(f);
		fixture_pump(f);
		assert_int_equal(http_server_count(f->server), 0);
	}
	fixture_free(f);
}

static void
without_a_request_it_ends_after_the_grace(void **state)
{
	static const char *const before[] = { "", GET("/1"), GET("/1") "\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		struct fixture *f = fixture_with_grace(SOON_US);

		fixture_connect(f, 0);
		fixture_say(f, before[i]);
		fixture_pump(f);
		retire_all(f);
		fixture_wait_eof(f);
		assert_false(says_close(f));
		assert_int_equal(f->n_closed, 0); /* it waits for the client's FIN */
		fixture_close(f);
		fixture_wait_closed(f, 1);
		assert_int_equal(f->why, HTTP_END_DONE);
		fixture_free(f);
	}
}

/* It lies in the socket when the time is over, and no event has told of it yet. */
static void
a_request_at_the_last_moment_is_served(void **state)
{
	static const char *const before[] = { "", GET("/1") };
	struct fixture *f = fixture_with_grace(SOON_US * 1000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		fixture_connect(f, 0);
		fixture_say(f, before[i]);
		fixture_pump(f);
		retire_all(f);
		fixture_say(f, GET("/2"));
		http_server_each(f->server, expire, NULL);
		fixture_pump(f);
		assert_non_null(strstr(f->reply, "GET /2"));
		assert_true(f->eof && says_close(f));
		fixture_close(f);
		fixture_pump(f);
	}
	fixture_free(f);
}

/* The same for one whose idle time is over; it goes on. */
static void
an_idle_connection_has_its_last_moment_too(void **state)
{
	struct fixture *f = fixture_with_grace(0);

	(void)state;
	fixture_connect(f, 0);
	fixture_say(f, GET("/1"));
	fixture_pump(f);
	fixture_say(f, GET("/2"));
	http_server_each(f->server, expire, NULL);
	fixture_pump(f);
	assert_non_null(strstr(f->reply, "GET /2"));
	assert_false(f->eof || says_close(f));
	http_server_each(f->server, expire, NULL);
	fixture_pump(f);
	assert_true(f->eof);
	fixture_free(f);
}

/* A beginning at the last moment has the time that every request has. */
static void
half_a_request_at_the_last_moment_is_waited_for(void **state)
{
	struct fixture *f = fixture_with_grace(SOON_US * 1000);

	(void)state;
	fixture_connect(f, 0);
	retire_all(f);
	fixture_say(f, "GET /2 HTTP/1.1\r\n");
	http_server_each(f->server, expire, NULL);
	fixture_pump(f);
	assert_false(f->eof);
	fixture_say(f, H "\r\n");
	fixture_pump(f);
	assert_non_null(strstr(f->reply, "GET /2"));
	assert_true(f->eof && says_close(f));
	fixture_free(f);
}

/* for http_server_each */
static void
look(struct http_connection *connection, void *arg)
{
	*(bool *)arg = connection->phase == HTTP_PHASE_LINGER;
}

/* What crosses with our FIN is not served, and not reset either: the client may ask somewhere else. */
static void
a_request_that_comes_too_late_sees_a_clean_end(void **state)
{
	struct fixture *f = fixture_with_grace(SOON_US);

	(void)state;
	fixture_connect_tcp(f);
	fixture_say(f, GET("/1"));
	fixture_pump(f);
	retire_all(f);
	fixture_forget_reply(f);
	/* the client doesn't look: to it the connection is open */
	for (bool lingers = false; !lingers; http_server_each(f->server, look, &lingers))
		fixture_work(f, 0);
	fixture_say(f, GET("/2"));
	fixture_wait_eof(f);
	assert_int_equal(f->error, 0);
	assert_int_equal(f->reply_len, 0);
	assert_int_equal(f->n_asked, 1);
	fixture_say(f, GET("/3")); /* even now */
	fixture_pump(f);
	fixture_close(f);
	fixture_wait_closed(f, 1);
	assert_int_equal(f->why, HTTP_END_DONE);
	fixture_free(f);
}

/* Its head has gone without a word of the end, so the grace follows on the file. */
static void
a_file_is_sent_to_its_end(void **state)
{
	struct fixture *f = fixture_with_grace(SOON_US);

	(void)state;
	fixture_connect(f, 4096);
	fixture_say(f, GET("/file?len=1000000"));
	fixture_work(f, 1000);
	retire_all(f);
	fixture_wait_eof(f);
	assert_true(f->reply_len > 1000000);
	assert_int_equal(f->reply[f->reply_len - 1], FIXTURE_BYTE(999999));
	fixture_free(f);
}

static void
a_late_answer_is_the_last(void **state)
{
	struct fixture *f = fixture_with_grace(SOON_US);

	(void)state;
	fixture_connect(f, 0);
	fixture_say(f, GET("/later"));
	fixture_pump(f);
	retire_all(f);
	fixture_pump(f);
	http_reply_text(f->asked, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late\n"));
	fixture_wait_eof(f);
	assert_non_null(strstr(f->reply, "late"));
	assert_true(says_close(f));
	fixture_free(f);
}

static void
a_client_that_has_finished_is_not_waited_for(void **state)
{
	struct fixture *f = fixture_with_grace(0);

	(void)state;
	fixture_connect(f, 0);
	fixture_say(f, GET("/1"));
	fixture_pump(f);
	retire_all(f);
	fixture_shutdown(f);
	fixture_pump(f);
	assert_true(f->eof);
	assert_int_equal(f->n_closed, 1);
	fixture_free(f);
}

/* for http_server_each */
static void
close_it(struct http_connection *connection, void *arg)
{
	const struct fixture *f = arg;
	unsigned n = f->n_closed;

	http_connection_close(connection);
	assert_int_equal(f->n_closed, n + 1);
	assert_int_equal(f->why, HTTP_END_CUT);
}

static void
closing_is_at_once(void **state)
{
	struct fixture *f = fixture_with_grace(0);

	(void)state;
	fixture_connect(f, 0);
	fixture_say(f, GET("/later"));
	fixture_pump(f);
	http_server_each(f->server, close_it, f);
	assert_int_equal(f->n_gone, 1);
	fixture_pump(f);
	assert_true(f->eof);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_within_the_grace_is_served_and_the_last),
		cmocka_unit_test(without_a_request_it_ends_after_the_grace),
		cmocka_unit_test(a_request_at_the_last_moment_is_served),
		cmocka_unit_test(an_idle_connection_has_its_last_moment_too),
		cmocka_unit_test(half_a_request_at_the_last_moment_is_waited_for),
		cmocka_unit_test(a_request_that_comes_too_late_sees_a_clean_end),
		cmocka_unit_test(a_file_is_sent_to_its_end),
		cmocka_unit_test(a_late_answer_is_the_last),
		cmocka_unit_test(a_client_that_has_finished_is_not_waited_for),
		cmocka_unit_test(closing_is_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
