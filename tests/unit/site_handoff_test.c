/*
 * Connections of the service http on their way from one worker to another: offered and taken over a real pair of
 * sockets, as workers do it. The client gets every byte, and nothing twice.
 */
#include "service/service.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#define H         "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

#define FILE_LEN ((size_t)1000 * 1000)
#define BYTE(n)  ((char)('a' + ((n) ^ ((n) >> 8) ^ ((n) >> 16)) % 26))

/* A host without a worker. */
struct side {
	struct service_host host; /* first: callbacks find the side by it */
	struct counters counters;
	void *service;
	struct service_connection *connection; /* NULL: none */
	int finished, cut;
};

struct scene {
	char folder[32];
	struct event_base *base;
	struct config *config;
	const struct service_ops *ops;
	struct side sides[2];
	struct side *here; /* the one that has the connection */
	int offers[2];     /* from whom it comes, and to whom it goes */
	int client;
	char *got; /* what the client has received */
	size_t got_len;
	bool eof;
	int error;
};

static void
on_ended(struct service_host *host, struct service_connection *connection, bool cut)
{
	struct side *side = (struct side *)host;

	assert_ptr_equal(connection, side->connection);
	side->connection = NULL;
	*(cut ? &side->cut : &side->finished) += 1;
}

static void
on_movable(struct service_host *host, struct service_connection *connection)
{
	(void)host;
	(void)connection;
	fail_msg("nothing was busy");
}

static void
make_files(struct scene *scene)
{
	char path[64];
	cleanup_free char *data = malloc(FILE_LEN);
	int fd;

	strcpy(scene->folder, "/tmp/site-test-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(path, sizeof(path), "%s/big", scene->folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	for (size_t i = 0; i < FILE_LEN; i++)
		data[i] = BYTE(i);
	assert_int_equal(fd_write_all(fd, data, FILE_LEN), 0);
	/* long ago, so that the file's tag doesn't change as it gets older */
	assert_int_equal(futimens(fd, (struct timespec[]){ { 1000000000, 0 }, { 1000000000, 0 } }), 0);
	close(fd);
}

static void
start_side(struct scene *scene, struct side *side)
{
	side->host = (struct service_host){ .base = scene->base,
		.counters = &side->counters,
		.config = scene->config,
		.ended = on_ended,
		.movable = on_movable };
	assert_int_equal(scene->ops->start(&side->host, &side->service), 0);
}

/* With these options beside the root. */
static struct scene *
open_scene(const char *options)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct scene *scene = calloc(1, sizeof(*scene));
	struct problems problems;
	char text[256];

	assert_non_null(scene);
	sigaction(SIGPIPE, &ignore, NULL);
	alarm(100);
	make_files(scene);
	scene->base = event_base_new();
	scene->got = malloc(FILE_LEN * 4);
	assert_true(scene->base && scene->got);
	snprintf(text, sizeof(text), "service : { type = \"http\"; root = \"%s\"; %s };", scene->folder,
		options);
	problems_init(&problems);
	assert_int_equal(config_load_text(text, strlen(text), &scene->config, &problems), 0);
	scene->ops = service_find("http");
	service_check(scene->config, &problems);
	assert_int_equal(problems.n, 0);
	problems_done(&problems);
	start_side(scene, &scene->sides[0]);
	start_side(scene, &scene->sides[1]);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, scene->offers), 0);
	scene->client = -1;
	return scene;
}

static void
connect_client(struct scene *scene, int sndbuf)
{
	int ends[2];

	fd_close(&scene->client);
	while (scene->sides[0].connection || scene->sides[1].connection)
		event_base_loop(scene->base, EVLOOP_NONBLOCK);
	scene->got_len = 0;
	scene->eof = false;
	scene->error = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	if (sndbuf > 0)
		assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)), 0);
	scene->here = &scene->sides[0];
	assert_int_equal(scene->ops->accept(scene->here->service, ends[0], &scene->here->connection), 0);
	scene->client = ends[1];
}

static void
say(struct scene *scene, const char *text)
{
	assert_int_equal(send(scene->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One round of the loop, and up to `max` bytes for the client. How many there were. */
static size_t
turn(struct scene *scene, size_t max)
{
	ssize_t n;

	event_base_loop(scene->base, EVLOOP_NONBLOCK);
	if (max == 0 || scene->eof || scene->error)
		return 0;
	n = recv(scene->client, scene->got + scene->got_len, max, 0);
	if (n < 0) {
		scene->error = errno != EAGAIN ? errno : 0;
		return 0;
	}
	scene->eof = n == 0;
	scene->got_len += (size_t)n;
	scene->got[scene->got_len] = '\0';
	return (size_t)n;
}

static void
pump(struct scene *scene)
{
	for (int quiet = 0; quiet < 3;)
		quiet = turn(scene, FILE_LEN) > 0 ? 0 : quiet + 1;
}

static void
close_scene(struct scene *scene)
{
	char path[64];

	fd_close(&scene->client);
	pump(scene);
	for (int i = 0; i < 2; i++) {
		if (scene->sides[i].connection)
			scene->ops->cut(scene->sides[i].connection);
		assert_null(scene->sides[i].connection);
		scene->ops->stop(scene->sides[i].service);
		close(scene->offers[i]);
	}
	config_free(scene->config);
	event_base_free(scene->base);
	snprintf(path, sizeof(path), "%s/big", scene->folder);
	unlink(path);
	rmdir(scene->folder);
	free(scene->got);
	free(scene);
}

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct side *
other_side(struct scene *scene)
{
	return scene->here == &scene->sides[0] ? &scene->sides[1] : &scene->sides[0];
}

/* Freezes it and sends the offer, which is received into `offer` and `data`. 0, or why not. */
static int
offer(struct scene *scene, struct handoff_offer *offer, unsigned char data[HANDOFF_MESSAGE_MAX])
{
	struct handoff_writer writer = { .data = NULL };
	int fds[SOCKET_FDS_MAX], r;
	size_t n_fds = SOCKET_FDS_MAX;
	ssize_t len;

	handoff_writer_begin(&writer, 1);
	r = scene->ops->freeze(scene->here->connection, &writer);
	if (r < 0) {
		handoff_writer_cancel(&writer);
		handoff_writer_done(&writer);
		return r;
	}
	assert_int_equal(handoff_writer_end(&writer), 0);
	assert_int_equal(handoff_writer_send(&writer, scene->offers[0]), 0);
	handoff_writer_done(&writer);
	len = socket_receive(scene->offers[1], data, HANDOFF_MESSAGE_MAX, fds, &n_fds);
	assert_true(len > 0);
	assert_int_equal(handoff_offer_read(offer, data, (size_t)len, fds, n_fds), 0);
	assert_int_equal(offer->n, 1);
	return 0;
}

/* Hands it over, forgotten here before it begins there. 0, or why not. */
static int
hop(struct scene *scene)
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	static struct handoff_offer o;
	struct side *from = scene->here, *to = other_side(scene);
	int n_fds = count_fds(), r;

	if (!from->connection)
		return -ENOENT;
	r = offer(scene, &o, data);
	if (r < 0)
		return r;
	assert_int_equal(scene->ops->adopt(to->service, &o.record[0], &to->connection), 0);
	handoff_offer_done(&o);
	scene->ops->forget(from->connection);
	from->connection = NULL;
	scene->here = to;
	assert_int_equal(count_fds(), n_fds); /* as many as before: none is left behind */
	scene->ops->thaw(to->connection);
	return 0;
}

/* ---- what is handed over ---- */

/* All kinds of requests behind each other; the last one ends the connection. */
static const char requests[] = "GET /missing HTTP/1.1\r\n" H "\r\n"
			       "POST / HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nbody"
			       "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
			       "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab"
			       "GET /big HTTP/1.1\r\n" H "Range: bytes=5-14\r\n\r\n"
			       "HEAD /big HTTP/1.1\r\n" H "\r\n"
			       "OPTIONS * HTTP/1.1\r\n" H "Connection: close\r\n\r\n";

/* Without what changes by itself. */
static void
forget_dates(char *text)
{
	for (char *at = text; (at = strstr(at, "Date: ")); at++)
		memset(at, 'x', strlen("Date: Sun, 06 Nov 1994 08:49:37 GMT"));
}

static void
a_handover_at_any_byte_of_requests_changes_nothing(void **state)
{
	struct scene *scene = open_scene("");
	cleanup_free char *expected = NULL;
	int n_hops = 0;

	(void)state;
	connect_client(scene, 0);
	say(scene, requests);
	pump(scene);
	assert_true(scene->eof);
	forget_dates(scene->got);
	expected = strdup(scene->got);
	for (size_t at = 0; at < sizeof(requests) - 1; at++) {
		connect_client(scene, 0);
		assert_int_equal(send(scene->client, requests, at, 0), at);
		if (at % 2) /* else unread, in the socket */
			pump(scene);
		n_hops += hop(scene) == 0;
		say(scene, requests + at);
		pump(scene);
		assert_true(scene->eof);
		forget_dates(scene->got);
		assert_string_equal(scene->got, expected);
		assert_null(scene->here->connection);
	}
	assert_int_equal(n_hops, sizeof(requests) - 1);
	close_scene(scene);
}

static void
assert_is_file(const struct scene *scene)
{
	const char *body = strstr(scene->got, "\r\n\r\n");

	assert_non_null(body);
	body += 4;
	assert_int_equal(scene->got_len - (size_t)(body - scene->got), FILE_LEN);
	for (size_t i = 0; i < FILE_LEN; i++)
		if (body[i] != BYTE(i))
			fail_msg("byte %zu is wrong", i);
}

/* The last time its name is gone, so that nobody can have opened it anew. */
static void
a_file_is_sent_by_many(void **state)
{
	static const size_t pieces[] = { 1000, 7777, 50000 };
	struct scene *scene = open_scene("");
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/big", scene->folder);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		int n_hops = 0;

		connect_client(scene, 4096);
		say(scene, GET("/big"));
		turn(scene, 1);
		if (i + 1 == ARRAY_LEN(pieces))
			assert_int_equal(unlink(path), 0);
		while (scene->got_len < FILE_LEN || turn(scene, FILE_LEN) > 0) {
			turn(scene, pieces[i]);
			n_hops += hop(scene) == 0;
			assert_int_equal(scene->error, 0);
			assert_false(scene->eof);
		}
		assert_is_file(scene);
		assert_true(n_hops > 10);
		/* and the next request is served, too */
		scene->got_len = 0;
		say(scene, GET("/missing"));
		pump(scene);
		assert_memory_equal(scene->got, "HTTP/1.1 404 ", 13);
	}
	close_scene(scene);
}

/* More than a message takes: it goes in a memfd. */
static void
a_large_body_goes_along(void **state)
{
	enum { LEN = 200000 };
	struct scene *scene = open_scene("max_body = \"1MiB\";");
	char *body = malloc(LEN + 1);
	size_t sent = 0;
	ssize_t n;

	(void)state;
	assert_non_null(body);
	memset(body, 'x', LEN);
	connect_client(scene, 0);
	say(scene, "POST / HTTP/1.1\r\n" H "Content-Length: 200000\r\n\r\n");
	for (int i = 0; sent < LEN; i++) {
		n = send(scene->client, body + sent, LEN - sent < 30000 ? LEN - sent : 30000, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		turn(scene, FILE_LEN);
		if (sent < LEN)
			assert_int_equal(hop(scene), 0);
	}
	pump(scene);
	assert_memory_equal(scene->got, "HTTP/1.1 405 ", 13);
	assert_false(scene->eof);
	free(body);
	close_scene(scene);
}

static void
an_offer_that_comes_to_nothing_changes_nothing(void **state)
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	static struct handoff_offer o;
	struct scene *scene = open_scene("");

	(void)state;
	connect_client(scene, 4096);
	say(scene, GET("/big"));
	turn(scene, 1000);
	while (scene->got_len < FILE_LEN || turn(scene, FILE_LEN) > 0) {
		turn(scene, 50000);
		assert_int_equal(offer(scene, &o, data), 0);
		handoff_offer_done(&o); /* the other one dies, or has no memory */
		scene->ops->thaw(scene->here->connection);
	}
	assert_is_file(scene);
	close_scene(scene);
}

/* It dies between the two: its copy is closed without a word to the client. */
static void
one_that_was_adopted_and_lost_is_served_by_the_other(void **state)
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	static struct handoff_offer o;
	struct scene *scene = open_scene("");

	(void)state;
	connect_client(scene, 0);
	say(scene, "GET /missing HT");
	pump(scene);
	assert_int_equal(offer(scene, &o, data), 0);
	assert_int_equal(
		scene->ops->adopt(scene->sides[1].service, &o.record[0], &scene->sides[1].connection), 0);
	handoff_offer_done(&o);
	say(scene, "TP/1.1\r\n" H "\r\n");
	pump(scene);
	assert_int_equal(scene->got_len, 0); /* both wait */
	scene->ops->forget(scene->sides[1].connection);
	scene->sides[1].connection = NULL;
	scene->ops->thaw(scene->here->connection);
	pump(scene);
	assert_memory_equal(scene->got, "HTTP/1.1 404 ", 13);
	assert_false(scene->eof);
	close_scene(scene);
}

static void
a_frozen_one_can_be_cut(void **state)
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	static struct handoff_offer o;
	struct scene *scene = open_scene("");

	(void)state;
	connect_client(scene, 0);
	pump(scene);
	assert_int_equal(offer(scene, &o, data), 0);
	handoff_offer_done(&o);
	scene->ops->cut(scene->here->connection);
	assert_int_equal(scene->here->cut, 1);
	pump(scene);
	assert_true(scene->eof);
	close_scene(scene);
}

/* Those who have a copy keep the client from hearing of the end; so it is said aloud. */
static void
the_end_of_one_that_is_lent_is_heard(void **state)
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	static struct handoff_offer o;
	struct scene *scene = open_scene("");

	(void)state;
	connect_client(scene, 0);
	assert_int_equal(offer(scene, &o, data), 0);
	scene->here->connection->lent = true;
	scene->ops->thaw(scene->here->connection);
	say(scene, "GET /missing HTTP/1.0\r\n\r\n");
	pump(scene);
	assert_memory_equal(scene->got, "HTTP/1.1 404 ", 13);
	assert_true(scene->eof);
	handoff_offer_done(&o);
	close_scene(scene);
}

/* Retired, and yet handed over: it is as it was, and has the time that it had. */
static void
a_retired_one_can_still_go(void **state)
{
	struct scene *scene = open_scene("idle_grace = 1000; idle_timeout = 0.3;");
	uint64_t begun_us;

	(void)state;
	connect_client(scene, 0);
	say(scene, GET("/missing"));
	pump(scene);
	begun_us = clock_now_us();
	scene->ops->retire(scene->here->connection);
	assert_int_equal(hop(scene), 0);
	scene->got_len = 0;
	/* handed over and retired all the time, it ends when its client's time is over, and not later */
	while (!scene->eof) {
		turn(scene, 1000);
		if (scene->here->connection)
			scene->ops->retire(scene->here->connection);
		hop(scene);
		assert_true(clock_now_us() < begun_us + 10 * US_PER_SEC);
	}
	assert_true(clock_now_us() > begun_us + US_PER_SEC / 4);
	assert_int_equal(scene->got_len, 0);
	close_scene(scene);
}

static void
a_reply_there_does_not_say_close(void **state)
{
	struct scene *scene = open_scene("");

	(void)state;
	connect_client(scene, 0);
	pump(scene);
	scene->ops->retire(scene->here->connection);
	assert_int_equal(hop(scene), 0);
	say(scene, GET("/missing"));
	pump(scene);
	assert_memory_equal(scene->got, "HTTP/1.1 404 ", 13);
	assert_null(strstr(scene->got, "Connection: close"));
	close_scene(scene);
}

/* ---- what is refused ---- */

struct bad {
	unsigned tag;
	uint64_t number;
	bool twice, file;
};

static const struct bad bads[] = {
	{ .tag = HANDOFF_TAG_SERVICE_FIRST - 1 },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 9 },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 2, .number = UINT64_C(1) << 63, .file = true },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 3, .number = UINT64_MAX, .file = true },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 3, .number = 1 },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 4, .number = 1, .twice = true },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 4, .number = 1, .file = true },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 5, .number = 3 },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 5, .number = UINT64_C(1) << 32 },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 6, .number = 4 },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 6, .number = (UINT64_C(1) << 32) + 1 },
	{ .tag = HANDOFF_TAG_SERVICE_FIRST + 8, .number = 2 },
};

/* Sends a record that no version of this program writes, and has it refused, with its descriptors left alone. */
static void
assert_refused(struct scene *scene, const struct bad *bad)
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	static struct handoff_offer o;
	struct handoff_writer writer = { .data = NULL };
	int fds[SOCKET_FDS_MAX], ends[2], n_before = count_fds();
	size_t n_fds = SOCKET_FDS_MAX;
	ssize_t len;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	handoff_writer_begin(&writer, 1);
	handoff_put_fd(&writer, ends[0]);
	if (bad->file)
		handoff_put_fd(&writer, ends[1]);
	handoff_writer_service(&writer);
	for (int i = 0; i < (bad->twice ? 2 : 1); i++)
		handoff_put_number(&writer, bad->tag, bad->number);
	assert_int_equal(handoff_writer_end(&writer), 0);
	assert_int_equal(handoff_writer_send(&writer, scene->offers[0]), 0);
	handoff_writer_done(&writer);
	len = socket_receive(scene->offers[1], data, sizeof(data), fds, &n_fds);
	assert_true(len > 0);
	assert_int_equal(handoff_offer_read(&o, data, (size_t)len, fds, n_fds), 0);
	assert_int_equal(
		scene->ops->adopt(scene->sides[1].service, &o.record[0], &scene->sides[1].connection),
		-EBADMSG);
	assert_true(o.record[0].fd[0] >= 0);
	handoff_offer_done(&o);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(count_fds(), n_before);
}

static void
what_is_not_understood_is_refused(void **state)
{
	struct scene *scene = open_scene("");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bads); i++)
		assert_refused(scene, &bads[i]);
	close_scene(scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handover_at_any_byte_of_requests_changes_nothing),
		cmocka_unit_test(a_file_is_sent_by_many),
		cmocka_unit_test(a_large_body_goes_along),
		cmocka_unit_test(an_offer_that_comes_to_nothing_changes_nothing),
		cmocka_unit_test(one_that_was_adopted_and_lost_is_served_by_the_other),
		cmocka_unit_test(a_frozen_one_can_be_cut),
		cmocka_unit_test(the_end_of_one_that_is_lent_is_heard),
		cmocka_unit_test(a_retired_one_can_still_go),
		cmocka_unit_test(a_reply_there_does_not_say_close),
		cmocka_unit_test(what_is_not_understood_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
