/*
 * Two priorities that share the loop: who is always ready above lets those below have their turn.
 */
#include "worker/slice.h"

#include "base/clock.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ABOVE = 2, TURNS = 60 };

/* Who had a turn, in order: 'a' and 'b' above, 'c' below. All are ready all the time: they are one pipe, which nobody reads. */
struct scene {
	struct event_base *base;
	struct slice slice;
	struct sliced above[ABOVE];
	struct event *below;
	int pipe[2];
	char turns[TURNS + 1];
};

static void
note(struct scene *s, char who)
{
	s->turns[strlen(s->turns)] = who;
	if (strlen(s->turns) == TURNS)
		event_base_loopbreak(s->base);
}

/* event: above */
static void
on_above(evutil_socket_t fd, short what, void *arg)
{
	struct scene *s = arg;
	const struct event *running = event_base_get_running_event(s->base);

	(void)fd, (void)what;
	for (int i = 0; i < ABOVE; i++)
		if (running == s->above[i].readable) {
			note(s, (char)('a' + i));
			sliced_worked(&s->above[i]);
		}
}

/* event: below */
static void
on_below(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	note(arg, 'c');
}

static void
begin(struct scene *s, int n_above, uint64_t length_us)
{
	*s = (struct scene){ .base = event_base_new(), .slice = { .length_us = length_us } };
	assert_non_null(s->base);
	assert_int_equal(event_base_priority_init(s->base, 2), 0); /* the default is half of it: 1 */
	assert_int_equal(pipe(s->pipe), 0);
	assert_int_equal(write(s->pipe[1], "x", 1), 1);
	for (int i = 0; i < n_above; i++) {
		/* epoll knows a descriptor once, so each has its own */
		int fd = dup(s->pipe[0]);

		assert_int_equal(sliced_init(&s->above[i], &s->slice, s->base, 0, fd, on_above, s), 0);
	}
	s->below = event_new(s->base, s->pipe[0], EV_READ | EV_PERSIST, on_below, s);
	assert_int_equal(event_add(s->below, NULL), 0);
}

static void
end(struct scene *s)
{
	for (int i = 0; i < ABOVE; i++)
		if (s->above[i].readable) {
			close(event_get_fd(s->above[i].readable));
			sliced_done(&s->above[i]);
		}
	event_free(s->below);
	close(s->pipe[0]);
	close(s->pipe[1]);
	event_base_free(s->base);
}

static void
a_slice_comes_before_what_is_below(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 1, 3600 * US_PER_SEC);
	event_base_dispatch(s.base);
	assert_null(strchr(s.turns, 'c'));
	end(&s);
}

static void
what_is_below_has_its_turn_after_each_slice(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 1, 0); /* used up by any piece of work */
	event_base_dispatch(s.base);
	assert_null(strstr(s.turns, "aa"));
	assert_non_null(strstr(s.turns, "aca"));
	end(&s);
}

static void
all_that_is_above_shares_a_slice(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 2, 0);
	event_base_dispatch(s.base);
	for (const char *turn = s.turns; turn[0] && turn[1] && turn[2]; turn++)
		assert_true(turn[0] == 'c' || turn[1] == 'c' || turn[2] == 'c');
	assert_non_null(strchr(s.turns, 'a'));
	assert_non_null(strchr(s.turns, 'b'));
	end(&s);
}

/* event: below, where the one above is stopped while it rests */
static void
on_below_stops(evutil_socket_t fd, short what, void *arg)
{
	struct scene *s = arg;

	on_below(fd, what, arg);
	sliced_stop(&s->above[0]);
}

static void
one_that_is_stopped_does_not_come_back(void **state)
{
	struct scene s;
	const char *first;

	(void)state;
	begin(&s, 1, 0);
	event_del(s.below);
	assert_int_equal(
		event_assign(s.below, s.base, s.pipe[0], EV_READ | EV_PERSIST, on_below_stops, &s), 0);
	event_add(s.below, NULL);
	event_base_dispatch(s.base);
	first = strchr(s.turns, 'c');
	assert_non_null(first);
	assert_null(strchr(first, 'a'));
	end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_comes_before_what_is_below),
		cmocka_unit_test(what_is_below_has_its_turn_after_each_slice),
		cmocka_unit_test(all_that_is_above_shares_a_slice),
		cmocka_unit_test(one_that_is_stopped_does_not_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
