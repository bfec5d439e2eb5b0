/*
 * The services hello and echo, on one end of a socket pair with small buffers; the test is the client at the other end.
 */
#include "service/service.h"

#include "base/cleanup.h"
#include "base/fd.h"

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
	int client;
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
