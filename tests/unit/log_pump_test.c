/*
 * The log is offered again, from an event loop, what its sink could not take at once.
 */
#include "base/log_pump.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A sink that is late. */
struct late {
	int refusals; /* before it takes one */
	int refused, taken;
};

/* A log_sink */
static int
take_late(const struct log_record *record, void *arg)
{
	struct late *late = arg;

	(void)record;
	if (late->refused < late->refusals) {
		late->refused++;
		return -EAGAIN;
	}
	late->taken++;
	return 0;
}

/* The loop ends by itself, as nothing waits any more and so nobody has a timer. */
static void
all_arrives_and_then_nothing_wakes_us(void **state)
{
	struct event_base *base = event_base_new();
	struct log_pump *pump = log_pump_new(base);
	struct late late = { .refusals = 5 };

	(void)state;
	assert_non_null(pump);
	log_set_sink(take_late, &late);
	log_info("one");
	log_info("two");
	assert_int_equal(late.taken, 0);
	assert_int_equal(event_base_dispatch(base), 1);
	assert_int_equal(late.refused, 5);
	assert_int_equal(late.taken, 2);

	late = (struct late){ .refusals = 2 };
	log_info("once more");
	assert_int_equal(event_base_dispatch(base), 1);
	assert_int_equal(late.taken, 1);
	log_set_sink(NULL, NULL);
	log_pump_free(pump);
	event_base_free(base);
}

/* What was said before there was a loop. */
static void
pump_takes_up_what_waits_already(void **state)
{
	struct event_base *base = event_base_new();
	struct late late = { .refusals = 1 };
	struct log_pump *pump;

	(void)state;
	log_set_sink(take_late, &late);
	log_info("one");
	pump = log_pump_new(base);
	assert_int_equal(event_base_dispatch(base), 1);
	assert_int_equal(late.taken, 1);
	log_set_sink(NULL, NULL);
	log_pump_free(pump);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_arrives_and_then_nothing_wakes_us),
		cmocka_unit_test(pump_takes_up_what_waits_already),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
