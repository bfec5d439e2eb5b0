/*
 * Without memory: whichever allocation fails, a connection may be lost, but nothing else is, and nothing leaks.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "http/handoff.h"
#include "http_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

/* The linker sends the layer's allocations here (--wrap); those of the libraries stay theirs. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset);

/* The linker allows no argument, so this is what there must be of state. */
static unsigned fail_in; /* allocations until one fails; 0: none does */
static bool failed;
static unsigned n_allocations;

static bool
fails_now(void)
{
	n_allocations++;
	if (fail_in == 0 || --fail_in > 0)
		return false;
	failed = true;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
	if (fails_now()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap(address, len, protection, flags, fd, offset);
}

#define H         "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

static const char *const pieces[] = {
	"GET /1 HT",
	"TP/1.1\r\n" H "\r\n" GET("/status?code=404") "POST /2 HTTP/1.1\r\n" H
						      "Transfer-Encoding: chunked\r\n\r\n",
	"3\r\nabc\r\n",
	"0\r\n\r\n" GET("/file?len=100000") GET("/file?len=3") "GET",
	" /stream HTTP/1.1\r\n" H "\r\n" GET("/7"),
};

/* A conversation that uses all there is, up to where it breaks off. */
static void
converse(struct fixture *f)
{
	char block[20000];
	int fd = fixture_pair(f, 2048);

	memset(block, 'x', sizeof(block)); /* no NUL, so that strstr finds what is behind it */
	if (http_server_accept(f->server, fd) < 0) {
		close(fd);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(pieces) && f->n_closed == 0; i++) {
		fixture_say(f, pieces[i]);
		fixture_pump(f);
	}
	if (f->n_closed == 0 && f->n_gone == 0)
		http_stream_send(f->asked, block, sizeof(block));
	fixture_pump(f);
	if (f->n_closed == 0 && f->n_gone == 0)
		http_stream_end(f->asked);
	fixture_pump(f);
}

/* How many of the server's allocations succeed before the one that fails. Leaks are the sanitizer's business. */
static void
any_allocation_may_fail(void **state)
{
	struct http_limits limits;
	struct fixture *f;
	unsigned n, n_lost = 0;

	(void)state;
	fixture_limits(&limits);
	log_set_level(LOG_ERR);
	for (n = 1; n < 1000; n++) {
		f = fixture_new(&limits);
		failed = false;
		fail_in = n;
		converse(f);
		fail_in = 0;
		/* it went on as if nothing had been; or it was lost, and whoever had to know was told */
		n_lost += f->n_closed;
		if (f->n_closed > 0)
			assert_int_equal(f->why, HTTP_END_FAILED);
		else if (f->n_asked > 0)
			assert_non_null(strstr(f->reply, "GET /7"));
		/* the server goes on */
		f->n_closed = 0;
		fixture_connect(f, 0);
		fixture_say(f, GET("/next"));
		fixture_pump(f);
		assert_non_null(strstr(f->reply, "GET /next"));
		fixture_free(f);
		if (!failed)
			break;
	}
	assert_in_range(n, 8, 999);
	assert_in_range(n_lost, 1, n);
}

static void
a_request_in_one_piece_needs_no_memory(void **state)
{
	struct http_limits limits;
	struct fixture *f;
	unsigned before;

	(void)state;
	http_limits_init(&limits);
	f = fixture_new(&limits);
	fixture_connect(f, 0);
	fixture_pump(f);
	before = n_allocations;
	for (int i = 0; i < 100; i++) {
		fixture_say(f, GET("/1"));
		fixture_pump(f);
	}
	assert_int_equal(f->n_asked, 100);
	assert_int_equal(n_allocations, before);
	fixture_free(f);
}

static void
a_server_needs_memory_to_begin(void **state)
{
	struct http_limits limits;
	struct http_server *server = NULL;
	struct event_base *base = event_base_new();
	unsigned n;

	(void)state;
	assert_non_null(base);
	http_limits_init(&limits);
	for (n = 1; n < 100 && !server; n++) {
		fail_in = n;
		server = http_server_new(base, &limits, &fixture_handler, NULL);
	}
	fail_in = 0;
	assert_in_range(n, 4, 99);
	http_server_free(server);
	event_base_free(base);
}

static void
a_connection_is_adopted_whole_or_not_at_all(void **state)
{
	const struct http_handoff handoff = {
		.input = HTTP_TEXT("GET"), .output = HTTP_TEXT("HTTP/1.1 200 OK\r\n\r\n"), .file = -1
	};
	struct http_connection *connection = NULL;
	struct http_limits limits;
	struct fixture *f;
	int fd, r = -ENOMEM;
	unsigned n;

	(void)state;
	fixture_limits(&limits);
	f = fixture_new(&limits);
	fd = fixture_pair(f, 0);
	for (n = 1; n < 100 && r < 0; n++) {
		assert_int_equal(r, -ENOMEM);
		fail_in = n;
		r = http_handoff_adopt(f->server, fd, &handoff, &connection);
		assert_int_equal(http_server_count(f->server), r == 0 ? 1 : 0);
	}
	fail_in = 0;
	assert_int_equal(n, 5);
	assert_non_null(connection);
	if (connection) /* which static checkers do not know by now */
		http_handoff_thaw(connection);
	fixture_pump(f);
	assert_string_equal(f->reply, "HTTP/1.1 200 OK\r\n\r\n");
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_allocation_may_fail),
		cmocka_unit_test(a_request_in_one_piece_needs_no_memory),
		cmocka_unit_test(a_server_needs_memory_to_begin),
		cmocka_unit_test(a_connection_is_adopted_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
