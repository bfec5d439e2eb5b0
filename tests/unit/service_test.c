/*
 * The services hello and echo, on one end of a socket pair with small buffers; the test is the client at the other end.
 */
#include "service/service.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* A host without a worker, a service, and its one client. */
struct scene {
	struct service_host host; /* first: on_ended finds the scene by it */
	struct counters counters;
	const struct service_ops *ops;
	void *service;
	struct service_connection *connection; /* NULL: it has ended */
	int client, server;                    /* the ends of the connection; `server` is the service's */
	int finished, cut;
};

static void
on_ended(struct service_host *host, struct service_connection *connection, bool cut)
{
	struct scene *scene = (struct scene *)host;

	assert_ptr_equal(connection, scene->connection);
	scene->connection = NULL;

	if (cut)
		scene->cut++;
	else
		scene->finished++;
}

static void
open_scene(struct scene *scene, const char *type)
{
	int ends[2], size = 1; /* the kernel makes it its minimum: a few kB */

	*scene = (struct scene){ .ops = service_find(type) };
	scene->host = (struct service_host){
		.base = event_base_new(), .counters = &scene->counters, .ended = on_ended
	};
	assert_int_equal(scene->ops->start(&scene->host, &scene->service), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(scene->ops->accept(scene->service, ends[0], &scene->connection), 0);
	scene->client = ends[1];
	scene->server = ends[0];
}

static void
close_scene(struct scene *scene)
{
	scene->ops->stop(scene->service);
	event_base_free(scene->host.base);
	fd_close(&scene->client);
}

/* So many rounds of the loop, which never waits. */
static void
turn(struct scene *scene, int rounds)
{
	for (int i = 0; i < rounds; i++)
		event_base_loop(scene->host.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Bytes that differ along their way, so that nothing lost, doubled or swapped goes unseen. */
static void
fill(char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 31 + i / 97);
}

static uint64_t
count(const struct scene *scene, enum counter counter)
{
	return counters_get(&scene->counters, counter);
}

static void
hello_answers(void **state)
{
	struct scene scene;
	char answer[64];

	(void)state;
	open_scene(&scene, "hello");
	assert_int_equal(write(scene.client, "x", 1), 1);
	turn(&scene, 2);
	assert_int_equal(read(scene.client, answer, sizeof(answer)), 11);
	assert_memory_equal(answer, "hello world", 11);
	assert_int_equal(count(&scene, COUNTER_REQUESTS), 1);
	assert_int_equal(count(&scene, COUNTER_RECEIVED), 1);
	assert_int_equal(count(&scene, COUNTER_SENT), 11);
	shutdown(scene.client, SHUT_WR);
	turn(&scene, 1);
	assert_int_equal(scene.finished, 1);
	assert_int_equal(read(scene.client, answer, sizeof(answer)), 0);
	close_scene(&scene);
}

/* The client sends and never reads: the answers stop, not the loop, and all come when it reads, its FIN notwithstanding. */
static void
hello_waits_for_a_client_that_does_not_read(void **state)
{
	struct scene scene;
	char answer[4096];
	size_t got = 0;
	uint64_t requests = UINT64_MAX;
	ssize_t n;

	(void)state;
	open_scene(&scene, "hello");
	while (count(&scene, COUNTER_REQUESTS) != requests) {
		requests = count(&scene, COUNTER_REQUESTS);
		assert_int_equal(write(scene.client, "x", 1), 1);
		turn(&scene, 3);
	}
	assert_int_equal(write(scene.client, "more", 4), 4);
	shutdown(scene.client, SHUT_WR);
	turn(&scene, 10);
	assert_int_equal(count(&scene, COUNTER_REQUESTS), requests);
	assert_int_equal(scene.finished, 0);
	while (scene.finished == 0 && got < sizeof(answer)) {
		n = read(scene.client, answer + got, sizeof(answer) - got);
		got += n > 0 ? (size_t)n : 0;
		turn(&scene, 1);
	}
	n = read(scene.client, answer + got, sizeof(answer) - got);
	got += n > 0 ? (size_t)n : 0;
	assert_int_equal(count(&scene, COUNTER_REQUESTS), requests + 1);
	assert_int_equal(got, 11 * (requests + 1));
	assert_memory_equal(answer + got - 11, "hello world", 11);
	close_scene(&scene);
}

/* A client that sends and reads in its own rhythm, until all is back. */
static void
echo_round(struct scene *scene, const char *data, size_t len, size_t send_step, size_t read_step)
{
	static char back[300000];
	size_t sent = 0, got = 0;
	ssize_t n;

	while (got < len) {
		n = sent < len ? write(scene->client, data + sent,
					 len - sent < send_step ? len - sent : send_step)
		               : 0;
		sent += n > 0 ? (size_t)n : 0;
		if (n > 0 && sent == len)
			shutdown(scene->client, SHUT_WR);
		turn(scene, 1);
		n = read(scene->client, back + got, read_step);
		got += n > 0 ? (size_t)n : 0;
	}
	turn(scene, 3);
	assert_memory_equal(back, data, len);
	assert_int_equal(read(scene->client, back, 1), 0);
	assert_int_equal(scene->finished, 1);
	assert_int_equal(count(scene, COUNTER_RECEIVED), len);
	assert_int_equal(count(scene, COUNTER_SENT), len);
}

static void
echo_is_exact_in_any_rhythm(void **state)
{
	static const size_t steps[] = { 7, 1000, 65536, 100000 };
	static char data[200000];

	(void)state;
	fill(data, sizeof(data));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		for (size_t j = 0; j < ARRAY_LEN(steps); j++) {
			struct scene scene;

			open_scene(&scene, "echo");
			echo_round(&scene, data, steps[i] < 1000 ? 5000 : sizeof(data), steps[i], steps[j]);
			close_scene(&scene);
		}
}

/* The client is gone with answers unread, or unsent: that is an end of its own, not one by force. */
static void
client_that_vanishes_has_finished(void **state)
{
	static char data[100000];
	struct scene scene;

	(void)state;
	open_scene(&scene, "echo");
	while (write(scene.client, data, sizeof(data)) > 0)
		turn(&scene, 1);
	fd_close(&scene.client);
	turn(&scene, 5);
	assert_int_equal(scene.finished, 1);
	assert_int_equal(scene.cut, 0);
	close_scene(&scene);
}

static void
cut_closes_the_connection(void **state)
{
	struct scene scene;
	char byte;

	(void)state;
	open_scene(&scene, "hello");
	assert_int_equal(write(scene.client, "x", 1), 1); /* so that it is ready */
	scene.ops->cut(scene.connection);
	assert_int_equal(scene.cut, 1);
	assert_int_equal(scene.finished, 0);
	assert_int_equal(
		read(scene.client, &byte, 1), -1); /* what it had sent was not read, so it is reset */
	assert_int_equal(errno, ECONNRESET);
	turn(&scene, 1);
	close_scene(&scene);
}

/* However much is there: one read of at most 64 KiB for each time that the loop comes by. */
static void
work_for_one_event_is_bounded(void **state)
{
	static char data[200000];
	struct scene scene;
	int size = 1 << 18;
	ssize_t n;

	(void)state;
	open_scene(&scene, "echo");
	assert_int_equal(setsockopt(scene.client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	n = write(scene.client, data, sizeof(data));
	assert_true(n > 2 * 65536);
	turn(&scene, 1);
	assert_int_equal(count(&scene, COUNTER_REQUESTS), 1);
	assert_in_range(count(&scene, COUNTER_RECEIVED), 1, 65536);
	fd_close(&scene.client);
	turn(&scene, 4);
	close_scene(&scene);
}

/* ---- handing over ---- */

/* Freezes the connection, and lets a second worker's service adopt it: `to` has it then, and serves the same client. */
static void
hand_over(struct scene *from, struct scene *to)
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	struct handoff_writer writer = { 0 };
	struct handoff_offer offer;
	int ends[2], fds[8];
	size_t n_fds = ARRAY_LEN(fds);
	ssize_t len;

	*to = (struct scene){ .ops = from->ops, .client = take_fd(&from->client) };
	to->host = (struct service_host){
		.base = event_base_new(), .counters = &to->counters, .ended = on_ended
	};
	assert_int_equal(to->ops->start(&to->host, &to->service), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	handoff_writer_begin(&writer, 1);
	assert_int_equal(from->ops->freeze(from->connection, &writer), 0);
	assert_int_equal(handoff_writer_end(&writer), 0);
	assert_int_equal(handoff_writer_send(&writer, ends[0]), 0);
	len = socket_receive(ends[1], data, sizeof(data), fds, &n_fds);
	assert_true(len > 0);
	assert_int_equal(handoff_offer_read(&offer, data, (size_t)len, fds, n_fds), 0);
	assert_int_equal(to->ops->adopt(to->service, &offer.record[0], &to->connection), 0);
	handoff_offer_done(&offer);
	handoff_writer_done(&writer);
	turn(from, 3); /* frozen: whatever the client does, nothing happens */
	from->ops->forget(from->connection);
	from->connection = NULL;
	assert_int_equal(from->finished + from->cut, 0);
	to->ops->thaw(to->connection);
	close_scene(from);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

/* As much as goes into the sockets and the service: the rest is unsent, or unread. */
static size_t
overfill(struct scene *scene, const char *data, size_t len)
{
	size_t sent = 0;
	ssize_t n;

	while (sent < len && (n = write(scene->client, data + sent, len - sent)) > 0) {
		sent += (size_t)n;
		turn(scene, 1);
	}
	return sent;
}

static void
read_back(struct scene *scene, const char *data, size_t len)
{
	static char back[400000];
	size_t got = 0;
	ssize_t n;

	while (got < len && scene->connection) {
		turn(scene, 1);
		n = read(scene->client, back + got, sizeof(back) - got);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, len);
	assert_memory_equal(back, data, len);
}

/* What was received and not sent yet goes along: `sndbuf` decides how much that is, and so whether it needs a memfd. */
static void
hand_over_unsent(int sndbuf, size_t least, size_t most)
{
	static char data[400000];
	struct scene old, new;
	size_t sent;
	uint64_t unsent;

	fill(data, sizeof(data));
	open_scene(&old, "echo");
	assert_int_equal(setsockopt(old.client, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)), 0);
	sent = overfill(&old, data, sizeof(data));
	unsent = count(&old, COUNTER_RECEIVED) - count(&old, COUNTER_SENT);
	assert_in_range(unsent, least, most);
	assert_true(sent > count(&old, COUNTER_RECEIVED)); /* and some is unread */
	hand_over(&old, &new);
	read_back(&new, data, sent);
	assert_int_equal(write(new.client, "more", 4), 4);
	read_back(&new, "more", 4);
	shutdown(new.client, SHUT_WR);
	turn(&new, 2);
	assert_int_equal(new.finished, 1);
	close_scene(&new);
}

static void
little_that_is_unsent_is_handed_over(void **state)
{
	(void)state;
	hand_over_unsent(1, 1, HANDOFF_INLINE_MAX - 100);
}

static void
much_that_is_unsent_is_handed_over(void **state)
{
	(void)state;
	hand_over_unsent(1 << 18, HANDOFF_INLINE_MAX + 1, 1 << 18);
}

/* The client sends while nobody serves it, and even says goodbye. */
static void
what_is_unread_is_handed_over(void **state)
{
	static const char *const types[] = { "echo", "hello" };
	static const char *const answers[] = { "bytes", "hello world" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct scene old, new;
		char answer[16];

		open_scene(&old, types[i]);
		assert_int_equal(write(old.client, "bytes", 5), 5);
		shutdown(old.client, SHUT_WR);
		hand_over(&old, &new);
		turn(&new, 3);
		assert_int_equal(read(new.client, answer, sizeof(answer)), strlen(answers[i]));
		assert_memory_equal(answer, answers[i], strlen(answers[i]));
		assert_int_equal(read(new.client, answer, sizeof(answer)), 0);
		assert_int_equal(new.finished, 1);
		close_scene(&new);
	}
}

static void
frozen_one_goes_on_when_it_stays(void **state)
{
	struct handoff_writer writer = { 0 };
	static char data[400000];
	struct scene scene;
	size_t sent;

	(void)state;
	fill(data, sizeof(data));
	open_scene(&scene, "echo");
	sent = overfill(&scene, data, sizeof(data));
	handoff_writer_begin(&writer, 1);
	assert_int_equal(scene.ops->freeze(scene.connection, &writer), 0);
	handoff_writer_cancel(&writer);
	scene.ops->thaw(scene.connection);
	read_back(&scene, data, sent);
	fd_close(&scene.client);
	turn(&scene, 2);
	assert_int_equal(scene.finished, 1);
	handoff_writer_done(&writer);
	close_scene(&scene);
}

/* Somebody else may have a copy of the descriptor: the client sees the end all the same. */
static void
end_of_a_lent_one_is_seen(void **state)
{
	struct scene scene;
	int copy;
	char byte;

	(void)state;
	open_scene(&scene, "echo");
	copy = dup(scene.server);
	scene.connection->lent = true;
	scene.ops->cut(scene.connection);
	assert_int_equal(read(scene.client, &byte, 1), 0);
	fd_close(&copy);
	close_scene(&scene);
}

/* A record that this version would not write. */
static void
what_is_not_understood_is_not_adopted(void **state)
{
	static const struct {
		unsigned tag;
		size_t fds, len, fields;
	} cases[] = {
		{ HANDOFF_TAG_SERVICE_FIRST + 1, 1, 3, 1 },
		{ HANDOFF_TAG_SERVICE_FIRST, 2, 3, 1 },
		{ HANDOFF_TAG_SERVICE_FIRST, 1, 0, 1 },
		{ HANDOFF_TAG_SERVICE_FIRST, 1, 3, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct handoff_writer writer = { 0 };
		static unsigned char data[HANDOFF_MESSAGE_MAX];
		struct service_connection *adopted = NULL;
		struct handoff_offer offer;
		struct scene scene;
		int ends[2], fds[8];
		size_t n_fds = ARRAY_LEN(fds);
		ssize_t len;

		open_scene(&scene, "echo");
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		handoff_writer_begin(&writer, 1);
		for (size_t j = 0; j < cases[i].fds; j++)
			handoff_put_fd(&writer, ends[0]);
		for (size_t j = 0; j < cases[i].fields; j++)
			handoff_put_bytes(&writer, cases[i].tag, "abc", cases[i].len);
		assert_int_equal(handoff_writer_end(&writer), 0);
		assert_int_equal(handoff_writer_send(&writer, ends[0]), 0);
		len = socket_receive(ends[1], data, sizeof(data), fds, &n_fds);
		assert_int_equal(handoff_offer_read(&offer, data, (size_t)len, fds, n_fds), 0);
		assert_int_equal(scene.ops->adopt(scene.service, &offer.record[0], &adopted), -EBADMSG);
		assert_true(offer.record[0].fd[0] >= 0); /* still the caller's */
		handoff_offer_done(&offer);
		handoff_writer_done(&writer);
		fd_close(&ends[0]);
		fd_close(&ends[1]);
		scene.ops->cut(scene.connection);
		close_scene(&scene);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_answers),
		cmocka_unit_test(hello_waits_for_a_client_that_does_not_read),
		cmocka_unit_test(echo_is_exact_in_any_rhythm),
		cmocka_unit_test(client_that_vanishes_has_finished),
		cmocka_unit_test(cut_closes_the_connection),
		cmocka_unit_test(work_for_one_event_is_bounded),
		cmocka_unit_test(little_that_is_unsent_is_handed_over),
		cmocka_unit_test(much_that_is_unsent_is_handed_over),
		cmocka_unit_test(what_is_unread_is_handed_over),
		cmocka_unit_test(frozen_one_goes_on_when_it_stays),
		cmocka_unit_test(end_of_a_lent_one_is_seen),
		cmocka_unit_test(what_is_not_understood_is_not_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
