/*
 * Whose turn it is.
 */
#include "http/turn_queue.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned n_turns;

static void
on_turn(struct http_turn *turn)
{
	(void)turn;
	n_turns++;
}

/* A turn that takes so much of the processor. */
static void
work(struct http_turn_queue *queue, uint64_t us)
{
	uint64_t begun_us;

	http_turn_queue_begin(queue);
	begun_us = clock_work_us();
	while (clock_work_us() < begun_us + us)
		;
	http_turn_queue_end(queue);
}

/* What the process says by itself, to however many, doesn't wait; but it pushes nobody back who does. */
static void
who_waits_has_his_turn_however_much_others_are_told(void **state)
{
	struct http_limits limits;
	struct http_turn_queue queue;
	struct http_turn turn = { .due = 0 };
	struct event_base *base = event_base_new();
	uint64_t begun_us;

	(void)state;
	http_limits_init(&limits);
	limits.rest = 9;
	assert_int_equal(http_turn_queue_init(&queue, base, &limits, on_turn), 0);
	n_turns = 0;
	work(&queue, US_PER_MS);
	assert_true(http_turn_queue_is_busy(&queue));
	http_turn_queue_enter(&queue, &turn, EV_READ);
	begun_us = clock_now_us();
	while (n_turns == 0 && clock_now_us() < begun_us + 5 * US_PER_SEC) {
		work(&queue, US_PER_MS);
		assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
	}
	assert_true(n_turns > 0);
	assert_int_equal(http_turn_queue_leave(&queue, &turn), EV_READ);
	http_turn_queue_done(&queue);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_has_his_turn_however_much_others_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
