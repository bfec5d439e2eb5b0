/*
 * The master's event loop: clients come behind all else, and one at a time.
 */
#include "master/loop.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS 8
#define ROUNDS  5

struct scene {
	struct event_base *base;
	struct event *client[CLIENTS], *worker;
	int busy[2];   /* a pipe with a byte that nobody reads: each client is ready all the time */
	int status[2]; /* what a worker says */
	unsigned asked[CLIENTS], n_asked, n_unheard;
};

/* event: a client. While he is served, a worker says something. */
static void
on_client(evutil_socket_t fd, short what, void *arg)
{
	struct scene *s = arg;

	(void)fd, (void)what;
	assert_int_equal(s->n_unheard, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		s->asked[i] += s->client[i] == event_base_get_running_event(s->base);
	s->n_unheard++;
	assert_int_equal(write(s->status[1], "x", 1), 1);
	if (++s->n_asked == CLIENTS * ROUNDS)
		event_base_loopbreak(s->base);
}

/* event: a worker has said something */
static void
on_worker(evutil_socket_t fd, short what, void *arg)
{
	struct scene *s = arg;
	char byte;

	(void)what;
	assert_int_equal(read(fd, &byte, 1), 1);
	s->n_unheard--;
}

static void
a_worker_is_heard_between_any_two_clients(void **state)
{
	struct scene s = { .base = loop_new() };

	(void)state;
	assert_non_null(s.base);
	assert_int_equal(pipe2(s.busy, O_CLOEXEC), 0);
	assert_int_equal(pipe2(s.status, O_CLOEXEC), 0);
	assert_int_equal(write(s.busy[1], "x", 1), 1);
	s.worker = event_new(s.base, s.status[0], EV_READ | EV_PERSIST, on_worker, &s);
	assert_int_equal(event_get_priority(s.worker), LOOP_PRIORITY_DEFAULT);
	assert_int_equal(event_add(s.worker, NULL), 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		/* epoll wants a descriptor for each */
		s.client[i] = event_new(
			s.base, fcntl(s.busy[0], F_DUPFD_CLOEXEC, 0), EV_READ | EV_PERSIST, on_client, &s);
		assert_int_equal(event_priority_set(s.client[i], LOOP_PRIORITY_CLIENTS), 0);
		assert_int_equal(event_add(s.client[i], NULL), 0);
	}
	assert_int_equal(event_base_dispatch(s.base), 0);
	assert_int_equal(s.n_asked, CLIENTS * ROUNDS);
	for (unsigned i = 0; i < CLIENTS; i++) { /* each in turn */
		assert_int_equal(s.asked[i], ROUNDS);
		close(event_get_fd(s.client[i]));
		event_free(s.client[i]);
	}
	event_free(s.worker);
	event_base_free(s.base);
	for (unsigned i = 0; i < 2; i++) {
		close(s.busy[i]);
		close(s.status[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_is_heard_between_any_two_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
