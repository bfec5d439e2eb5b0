/*
 * What a limit of recycling comes to for one worker.
 */
#include "base/cleanup.h"
#include "master/recycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct row {
	uint64_t limit;
	unsigned jitter, dice;
	uint64_t is;
} rows[] = {
	{ 1000, 20, 0, 1000 },
	{ 1000, 20, 255, 800 },
	{ 1000, 0, 255, 1000 },
	{ 1000, 100, 255, 1 }, /* never none at all */
	{ 10, 20, 255, 8 },    /* small ones, too */
	{ 10, 50, 128, 8 },
	{ 99, 100, 128, 50 },
	{ 1, 100, 255, 1 },
	{ 4, 20, 255, 4 }, /* less than one is nothing */
	{ UINT64_C(1) << 50, 100, 255, 1 },
	{ UINT64_C(1) << 50, 50, 255, UINT64_C(1) << 49 },
};

static void
limit_is_that_of_the_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(recycle_limit(rows[i].limit, rows[i].jitter, rows[i].dice), rows[i].is);
}

/* More luck is never less time, and the jitter is never more than was said. */
static void
dice_spread_the_whole_of_the_jitter(void **state)
{
	static const uint64_t limits[] = { 1, 7, 50, 99, 100, 101, 12345, UINT64_C(1) << 50 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		uint64_t last = limits[i];

		for (unsigned dice = 0; dice <= 255; dice++) {
			uint64_t now = recycle_limit(limits[i], 30, dice);

			assert_true(now <= last && now * 10 >= limits[i] * 7);
			last = now;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_is_that_of_the_row),
		cmocka_unit_test(dice_spread_the_whole_of_the_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
