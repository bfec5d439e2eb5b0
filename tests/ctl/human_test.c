/*
 * Durations for people.
 */
#include "ctl/human.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define MS(n)   ((n)*US_PER_MS)
#define SEC(n)  ((n)*US_PER_SEC)
#define HOUR(n) SEC((n)*3600)

static void
durations_have_two_units_at_most(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{ 0, "0ms" },
		{ 999, "0ms" },
		{ MS(41), "41ms" },
		{ SEC(1) - 1, "999ms" },
		{ SEC(1), "1.0s" },
		{ MS(3290), "3.2s" },
		{ SEC(10) - 1, "9.9s" },
		{ SEC(10), "10s" },
		{ SEC(60) - 1, "59s" },
		{ SEC(60), "1m00s" },
		{ SEC(192), "3m12s" },
		{ HOUR(1) - 1, "59m59s" },
		{ HOUR(1), "1h00m" },
		{ HOUR(5) + SEC(185), "5h03m" },
		{ HOUR(24), "1d0h" },
		{ HOUR(24 * 12 + 4), "12d4h" },
		{ UINT64_MAX, "213503982d8h" },
	};
	char text[HUMAN_DURATION_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(human_duration(rows[i].us, text), rows[i].text);
}

static void
age_is_of_a_time_in_utc(void **state)
{
	const time_t then = time(NULL) - 100;
	char text[64];
	struct tm tm;
	uint64_t us;

	(void)state;
	gmtime_r(&then, &tm);
	strftime(text, sizeof(text), "%FT%TZ", &tm);
	assert_int_equal(human_age(text, &us), 0);
	assert_in_range(us, SEC(100), SEC(110));
	strftime(text, sizeof(text), "%FT%T.999Z", &tm);
	assert_int_equal(human_age(text, &us), 0);
	assert_in_range(us, SEC(100), SEC(110));
	assert_int_equal(human_age("9999-12-31T23:59:59Z", &us), 0);
	assert_int_equal(us, 0);
}

static void
age_of_nonsense_is_unknown(void **state)
{
	static const char *const rows[] = { "", "now", "2026-01-01", "2026-13-01T00:00:00Z",
		"2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00" };
	uint64_t us = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(human_age(rows[i], &us), -EINVAL);
	assert_int_equal(us, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_two_units_at_most),
		cmocka_unit_test(age_is_of_a_time_in_utc),
		cmocka_unit_test(age_of_nonsense_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
