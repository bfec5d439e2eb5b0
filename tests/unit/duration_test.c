/*
 * Durations, from and to text.
 */
#include "config/duration.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
parse_takes_a_number_with_a_unit(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t us;
	} rows[] = {
		{ "0s", 0, 0 },
		{ "100s", 0, 100 * US_PER_SEC },
		{ "250ms", 0, 250 * US_PER_MS },
		{ "1us", 0, 1 },
		{ "5m", 0, 300 * US_PER_SEC },
		{ "2h", 0, 7200 * US_PER_SEC },
		{ "365d", 0, UINT64_C(31536000) * US_PER_SEC },
		{ "0.5s", 0, 500 * US_PER_MS },
		{ "1.000001s", 0, US_PER_SEC + 1 },
		{ "1.5h", 0, 5400 * US_PER_SEC },
		{ "0.999999d", 0, UINT64_C(86399913600) },
		{ "0.9us", 0, 0 },
		{ "007s", 0, 7 * US_PER_SEC },
		{ "18446744073709551615us", 0, UINT64_MAX },
		{ "18446744073709551616us", -ERANGE, 0 },
		{ "18446744073709551615.9us", 0, UINT64_MAX },
		{ "18446744073709551615s", -ERANGE, 0 },
		{ "18446744073709.551616s", -ERANGE, 0 },
		{ "99999999999999999999999d", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "5", -EINVAL, 0 },
		{ "5 s", -EINVAL, 0 },
		{ " 5s", -EINVAL, 0 },
		{ "5s ", -EINVAL, 0 },
		{ "-5s", -EINVAL, 0 },
		{ "+5s", -EINVAL, 0 },
		{ "5S", -EINVAL, 0 },
		{ "5x", -EINVAL, 0 },
		{ "5mss", -EINVAL, 0 },
		{ "5.s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "5.5.5s", -EINVAL, 0 },
		{ "1.0000001s", -EINVAL, 0 },
		{ "1e3s", -EINVAL, 0 },
		{ "0x1s", -EINVAL, 0 },
		{ "1m30s", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t us = 12345;
		int r = duration_parse(rows[i].text, &us);

		if (r != rows[i].result || us != (r == 0 ? rows[i].us : 12345))
			fail_msg("\"%s\": %d, %llu", rows[i].text, r, (unsigned long long)us);
	}
}

static void
seconds_are_checked_and_rounded(void **state)
{
	static const struct {
		double seconds;
		int result;
		uint64_t us;
	} rows[] = {
		{ 0, 0, 0 },
		{ -0.0, 0, 0 },
		{ 0.1, 0, 100000 },
		{ 1.0000004, 0, 1000000 },
		{ 1.0000006, 0, 1000001 },
		{ 1e12, 0, UINT64_C(1000000000000000000) },
		{ 1e13, -ERANGE, 0 },
		{ 1e300, -ERANGE, 0 },
		{ -1e-9, -ERANGE, 0 },
		{ -1, -ERANGE, 0 },
		{ (double)INFINITY, -ERANGE, 0 },
		{ (double)-INFINITY, -ERANGE, 0 },
		{ (double)NAN, -ERANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t us = 12345;
		int r = duration_from_seconds(rows[i].seconds, &us);

		if (r != rows[i].result || us != (r == 0 ? rows[i].us : 12345))
			fail_msg("%g: %d, %llu", rows[i].seconds, r, (unsigned long long)us);
	}
}

static void
format_takes_the_largest_unit_that_fits(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{ 0, "0s" },
		{ 1, "1us" },
		{ 1500, "1500us" },
		{ 250 * US_PER_MS, "250ms" },
		{ 1500 * US_PER_MS, "1500ms" },
		{ 100 * US_PER_SEC, "100s" },
		{ 60 * US_PER_SEC, "1m" },
		{ 90 * US_PER_SEC, "90s" },
		{ 3600 * US_PER_SEC, "1h" },
		{ UINT64_C(365) * 86400 * US_PER_SEC, "365d" },
		{ UINT64_MAX, "18446744073709551615us" },
	};
	char buf[DURATION_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t again;

		assert_string_equal(duration_format(rows[i].us, buf), rows[i].text);
		assert_int_equal(duration_parse(rows[i].text, &again), 0);
		assert_true(again == rows[i].us);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_takes_a_number_with_a_unit),
		cmocka_unit_test(seconds_are_checked_and_rounded),
		cmocka_unit_test(format_takes_the_largest_unit_that_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
