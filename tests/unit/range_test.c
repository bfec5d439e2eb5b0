/*
 * The field "Range".
 */
#include "service/http/range.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SIXTEEN "0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30"

struct row {
	const char *field;
	uint64_t size;
	int n; /* or -ERANGE */
	struct range ranges[3];
};

static const struct row rows[] = {
	{ "bytes=0-0", 10, 1, { { 0, 1 } } },
	{ "bytes=0-9", 10, 1, { { 0, 10 } } },
	{ "bytes=3-", 10, 1, { { 3, 7 } } },
	{ "bytes=-3", 10, 1, { { 7, 3 } } },
	{ "BYTES=-3", 10, 1, { { 7, 3 } } },
	{ "bytes=9-", 10, 1, { { 9, 1 } } },
	/* beyond the end: cut, or out of it */
	{ "bytes=3-99", 10, 1, { { 3, 7 } } },
	{ "bytes=-10", 10, 1, { { 0, 10 } } },
	{ "bytes=-11", 10, 1, { { 0, 10 } } },
	{ "bytes=0-18446744073709551616", 10, 1, { { 0, 10 } } },
	{ "bytes=-99999999999999999999999999", 10, 1, { { 0, 10 } } },
	{ "bytes=10-", 10, -ERANGE, { { 0, 0 } } },
	{ "bytes=10-11", 10, -ERANGE, { { 0, 0 } } },
	{ "bytes=99999999999999999999999999-", 10, -ERANGE, { { 0, 0 } } },
	{ "bytes=-0", 10, -ERANGE, { { 0, 0 } } },
	{ "bytes=0-", 0, -ERANGE, { { 0, 0 } } },
	{ "bytes=-5", 0, -ERANGE, { { 0, 0 } } },
	{ "bytes=20-30,-0", 10, -ERANGE, { { 0, 0 } } },
	/* the largest file that there can be */
	{ "bytes=9223372036854775806-", INT64_MAX, 1, { { INT64_MAX - 1, 1 } } },
	/* several, in their order; those outside are left out */
	{ "bytes=0-1,4-5", 10, 2, { { 0, 2 }, { 4, 2 } } },
	{ "bytes=4-5 , 0-1", 10, 2, { { 4, 2 }, { 0, 2 } } },
	{ "bytes=,0-1,,\t4-5,", 10, 2, { { 0, 2 }, { 4, 2 } } },
	{ "bytes=0-0,1-1,-1", 10, 3, { { 0, 1 }, { 1, 1 }, { 9, 1 } } },
	{ "bytes=20-30,4-5", 10, 1, { { 4, 2 } } },
	/* the same bytes twice */
	{ "bytes=0-1,1-2", 10, 0, { { 0, 0 } } },
	{ "bytes=0-,0-", 10, 0, { { 0, 0 } } },
	{ "bytes=4-5,0-9", 10, 0, { { 0, 0 } } },
	{ "bytes=-1,9-", 10, 0, { { 0, 0 } } },
	/* not to be understood */
	{ "bytes=", 10, 0, { { 0, 0 } } },
	{ "bytes=,", 10, 0, { { 0, 0 } } },
	{ "bytes=-", 10, 0, { { 0, 0 } } },
	{ "bytes=5-4", 10, 0, { { 0, 0 } } },
	{ "bytes=a-b", 10, 0, { { 0, 0 } } },
	{ "bytes=0x1-2", 10, 0, { { 0, 0 } } },
	{ "bytes=0 - 1", 10, 0, { { 0, 0 } } },
	{ "bytes=0-1x", 10, 0, { { 0, 0 } } },
	{ "bytes=+0-1", 10, 0, { { 0, 0 } } },
	{ "bytes=--1", 10, 0, { { 0, 0 } } },
	{ "bytes=0-1-2", 10, 0, { { 0, 0 } } },
	{ "bytes=0-1,x", 10, 0, { { 0, 0 } } },
	{ "bytes 0-1", 10, 0, { { 0, 0 } } },
	{ "lines=0-1", 10, 0, { { 0, 0 } } },
	{ "0-1", 10, 0, { { 0, 0 } } },
	{ "", 10, 0, { { 0, 0 } } },
	/* as many as there may be, and one more, be it outside of the file */
	{ "bytes=" SIXTEEN, 100, 16, { { 0, 1 }, { 2, 1 }, { 4, 1 } } },
	{ "bytes=" SIXTEEN ",32-32", 100, 0, { { 0, 0 } } },
	{ "bytes=" SIXTEEN ",200-", 100, 0, { { 0, 0 } } },
};

static void
ranges_are_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct range ranges[RANGES_MAX];
		int n = range_parse((struct http_text){ row->field, strlen(row->field) }, row->size, ranges);

		if (n != row->n)
			fail_msg("%s: %d", row->field, n);
		for (int j = 0; j < n && j < (int)ARRAY_LEN(row->ranges); j++) {
			assert_int_equal(ranges[j].first, row->ranges[j].first);
			assert_int_equal(ranges[j].len, row->ranges[j].len);
		}
	}
}

static void
ranges_are_written(void **state)
{
	struct range range = { 5, 10 }, huge = { INT64_MAX - 1, 1 };
	char text[RANGE_TEXT_MAX];

	(void)state;
	assert_true(http_text_equal(range_format(&range, 100, text), HTTP_TEXT("bytes 5-14/100")));
	assert_true(http_text_equal(range_format(NULL, 100, text), HTTP_TEXT("bytes */100")));
	assert_true(http_text_equal(range_format(&huge, INT64_MAX, text),
		HTTP_TEXT("bytes 9223372036854775806-9223372036854775806/9223372036854775807")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_parsed),
		cmocka_unit_test(ranges_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
