/*
 * Accepting: bounded bites, pauses, the last round of a drain, and sockets that break.
 */
#include "worker/acceptor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { CLIENTS = 60 };

/* An acceptor with one listening socket, and clients that are in its queue. */
struct scene {
	struct event_base *base;
	struct acceptor *acceptor;
	struct sockaddr_in address;
	int clients[CLIENTS];
	int accepted[CLIENTS];
	int n_accepted;
	int refuse; /* so many connections are refused with -ENOMEM first */
	int n_refused;
	int n_deaf;
};

/* of acceptor_handler */
static int
on_connection(int fd, void *arg)
{
	struct scene *scene = arg;

	if (scene->n_refused < scene->refuse) {
		scene->n_refused++;
		return -ENOMEM;
	}
	assert_in_range(scene->n_accepted, 0, CLIENTS - 1);
	scene->accepted[scene->n_accepted++] = fd;
	return 0;
}

/* of acceptor_handler */
static void
on_deaf(void *arg)
{
	struct scene *scene = arg;

	scene->n_deaf++;
}

/* One listening socket, or one that does not listen yet: its descriptor. */
static int
open_scene_with(void **state, bool listens)
{
	static const struct acceptor_handler handler = { on_connection, on_deaf };
	struct scene *scene = calloc(1, sizeof(*scene));
	struct inheritance inheritance = { .n_listeners = 1 };
	socklen_t len = sizeof(scene->address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	scene->address =
		(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	if (bind(fd, (struct sockaddr *)&scene->address, len) < 0 ||
		(listens && listen(fd, 2 * CLIENTS) < 0) ||
		getsockname(fd, (struct sockaddr *)&scene->address, &len) < 0)
		return -1;
	inheritance.listeners = calloc(1, sizeof(*inheritance.listeners));
	inheritance.listeners[0] = (struct inherited_listener){ fd, strdup("test") };
	log_init("unit-test", LOG_ERR - 1); /* its complaints are wanted here */
	scene->base = event_base_new();
	scene->acceptor = acceptor_new(scene->base, &inheritance, &handler, scene);
	free(inheritance.listeners);
	for (int i = 0; i < CLIENTS; i++)
		scene->clients[i] = -1;
	*state = scene;
	return scene->acceptor ? fd : -1;
}

static int
open_scene(void **state)
{
	return open_scene_with(state, true) < 0 ? -1 : 0;
}

static int
close_scene(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < CLIENTS; i++)
		fd_close(&scene->clients[i]);
	for (int i = 0; i < scene->n_accepted; i++)
		close(scene->accepted[i]);
	acceptor_free(scene->acceptor);
	event_base_free(scene->base);
	free(scene);
	return 0;
}

/* A connection that is in the queue when this returns. */
static void
add_client(struct scene *scene, int i)
{
	scene->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		connect(scene->clients[i], (struct sockaddr *)&scene->address, sizeof(scene->address)), 0);
}

static void
add_clients(struct scene *scene)
{
	for (int i = 0; i < CLIENTS; i++)
		add_client(scene, i);
}

/* One round of the loop, which does not wait. */
static void
turn(struct scene *scene)
{
	event_base_loop(scene->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
nothing_is_accepted_before_the_start(void **state)
{
	struct scene *scene = *state;

	add_client(scene, 0);
	turn(scene);
	assert_int_equal(scene->n_accepted, 0);
	acceptor_start(scene->acceptor);
	turn(scene);
	assert_int_equal(scene->n_accepted, 1);
}

static void
accepted_sockets_neither_block_nor_leak_nor_delay(void **state)
{
	struct scene *scene = *state;
	socklen_t len = sizeof(int);
	int nodelay = 0, fd;

	acceptor_start(scene->acceptor);
	add_client(scene, 0);
	turn(scene);
	fd = scene->accepted[0];
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
	assert_int_equal(nodelay, 1);
}

static void
one_event_takes_a_few(void **state)
{
	struct scene *scene = *state;
	int turns = 0;

	acceptor_start(scene->acceptor);
	add_clients(scene);
	for (; scene->n_accepted < CLIENTS; turns++) {
		int before = scene->n_accepted;

		turn(scene);
		assert_in_range(scene->n_accepted - before, 1, 16);
	}
	assert_in_range(turns, CLIENTS / 16, CLIENTS);
}

static void
full_means_wait(void **state)
{
	struct scene *scene = *state;

	acceptor_start(scene->acceptor);
	acceptor_set_full(scene->acceptor, true);
	add_client(scene, 0);
	turn(scene);
	assert_int_equal(scene->n_accepted, 0);
	acceptor_set_full(scene->acceptor, false);
	turn(scene);
	assert_int_equal(scene->n_accepted, 1);
}

/* More than one bite, even though it is full; then the socket is closed. */
static void
drain_takes_all_that_wait(void **state)
{
	struct scene *scene = *state;
	int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	acceptor_start(scene->acceptor);
	acceptor_set_full(scene->acceptor, true);
	add_clients(scene);
	acceptor_drain(scene->acceptor);
	assert_int_equal(scene->n_accepted, CLIENTS);
	assert_int_equal(connect(late, (struct sockaddr *)&scene->address, sizeof(scene->address)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(late);
	turn(scene);
	assert_int_equal(scene->n_deaf, 0);
}

static void
close_takes_nobody(void **state)
{
	struct scene *scene = *state;
	char byte;

	acceptor_start(scene->acceptor);
	add_client(scene, 0);
	acceptor_close(scene->acceptor);
	assert_int_equal(scene->n_accepted, 0);
	assert_int_equal(read(scene->clients[0], &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
}

/* No room: the connection is closed, and it is a while until the next is tried. */
static void
shortage_makes_a_pause(void **state)
{
	struct scene *scene = *state;
	uint64_t begun;
	char byte;

	scene->refuse = 1;
	acceptor_start(scene->acceptor);
	add_clients(scene);
	begun = clock_now_us();
	turn(scene);
	assert_int_equal(scene->n_refused, 1);
	assert_int_equal(scene->n_accepted, 0);
	assert_int_equal(read(scene->clients[0], &byte, 1), 0);
	turn(scene);
	assert_int_equal(scene->n_accepted, 0);
	while (scene->n_accepted == 0)
		event_base_loop(scene->base, EVLOOP_ONCE);
	assert_in_range(clock_now_us() - begun, 90 * US_PER_MS, 10 * US_PER_SEC);
}

/* Somebody who shares the socket has shut it down: it would be ready for ever. */
static void
broken_socket_is_given_up(void **state)
{
	struct scene *scene = *state;
	int fd = -1;

	/* the acceptor has the only listening socket */
	for (int i = 3; i < 100 && fd < 0; i++) {
		socklen_t len = sizeof(int);
		int listens = 0;

		if (getsockopt(i, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
			fd = i;
	}
	assert_true(fd >= 0);
	acceptor_start(scene->acceptor);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	turn(scene);
	assert_int_equal(scene->n_deaf, 1);
	turn(scene);
	assert_int_equal(scene->n_deaf, 1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* The master begins to listen when the worker has said ready; the kernel has no event for that. */
static void
socket_that_listens_late_is_found(void **state)
{
	struct scene *scene;
	int fd = open_scene_with(state, false);

	assert_true(fd >= 0);
	scene = *state;
	acceptor_start(scene->acceptor);
	turn(scene);
	assert_int_equal(scene->n_deaf, 0);
	assert_int_equal(listen(fd, CLIENTS), 0);
	add_client(scene, 0);
	while (scene->n_accepted == 0)
		event_base_loop(scene->base, EVLOOP_ONCE);
	assert_int_equal(scene->n_deaf, 0);
	close_scene(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			nothing_is_accepted_before_the_start, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
			accepted_sockets_neither_block_nor_leak_nor_delay, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(one_event_takes_a_few, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(full_means_wait, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(drain_takes_all_that_wait, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(close_takes_nobody, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(shortage_makes_a_pause, open_scene, close_scene),
		cmocka_unit_test_setup_teardown(broken_socket_is_given_up, open_scene, close_scene),
		cmocka_unit_test(socket_that_listens_late_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
