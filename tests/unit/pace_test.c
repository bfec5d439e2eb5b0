/*
 * A share of the time.
 */
#include "base/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
without_a_share_nobody_rests(void **state)
{
	struct pace pace = { 0 };

	(void)state;
	for (uint64_t now = 1000; now < 2000; now += 10)
		assert_int_equal(pace_work(&pace, now, 10), 0);
}

static void
who_has_worked_rests_so_many_times_as_long(void **state)
{
	struct pace pace = { .rest = 9, .at_us = 1000 };

	(void)state;
	assert_int_equal(pace_work(&pace, 1010, 10), 90);
	assert_int_equal(pace_work(&pace, 1110, 10), 90);
	assert_int_equal(pace_work(&pace, 1120, 10), 180); /* … but what is owed still counts */
}

static void
a_little_may_be_owed(void **state)
{
	struct pace pace = { .rest = 9, .credit_us = 200 };

	(void)state;
	assert_int_equal(pace_work(&pace, 1000, 10), 0);
	assert_int_equal(pace_work(&pace, 1010, 10), 0);
	assert_int_equal(pace_work(&pace, 1020, 10), 70);
	assert_int_equal(pace_work(&pace, 2000, 10), 0); /* long ago */
}

/* Who has worked for long rests for a second, not for all that he owes. */
static void
nobody_rests_for_ever(void **state)
{
	struct pace pace = { .rest = 9, .credit_us = 1000 };

	(void)state;
	assert_int_equal(pace_work(&pace, 60000000, 60000000), PACE_OWED_MAX_US);
	assert_int_equal(pace_work(&pace, 60000010, 10), PACE_OWED_MAX_US);
	assert_int_equal(pace_work(&pace, 60000010 + PACE_OWED_MAX_US, 0), 0);
}

/* However it is asked, whoever rests when told to has his share in the long run, and no more. */
static void
the_share_is_kept(void **state)
{
	struct pace pace = { .rest = 9, .credit_us = 1000 };
	uint64_t now = 0, worked = 0, rest;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t work = i * 7919 % 97;

		now += work;
		worked += work;
		rest = pace_work(&pace, now, work);
		now += rest;
	}
	assert_in_range(now, worked * 10 - 2000, worked * 10 + 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_share_nobody_rests),
		cmocka_unit_test(who_has_worked_rests_so_many_times_as_long),
		cmocka_unit_test(a_little_may_be_owed),
		cmocka_unit_test(nobody_rests_for_ever),
		cmocka_unit_test(the_share_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
