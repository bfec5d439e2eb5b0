/*
 * Conditional requests, and the dates in them.
 */
#include "service/http/condition.h"

#include "service/http/date.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER  "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER    "Sun, 06 Nov 1994 08:49:38 GMT"
#define WHEN     784111777

/* Requests of up to two fields, "Name: value". */
static void
make_request(struct http_request *request, const char *const fields[2])
{
	*request = (struct http_request){ .verb = HTTP_VERB_GET };
	for (int i = 0; i < 2 && fields[i]; i++) {
		const char *colon = strchr(fields[i], ':');
		struct http_field *field = &request->fields[request->n_fields++];

		field->name = (struct http_text){ fields[i], (size_t)(colon - fields[i]) };
		field->value = (struct http_text){ colon + 2, strlen(colon + 2) };
	}
}

struct row {
	const char *fields[2];
	enum condition strong, weak; /* of a version with such a tag */
};

#define ALWAYS(condition) CONDITION_##condition, CONDITION_##condition

static const struct row rows[] = {
	{ { NULL }, ALWAYS(MET) },
	{ { "If-None-Match: \"a\"" }, ALWAYS(NOT_MODIFIED) },
	{ { "if-none-match: \"a\"" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-None-Match: W/\"a\"" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-None-Match: \"b\"" }, ALWAYS(MET) },
	{ { "If-None-Match: a" }, ALWAYS(MET) },
	{ { "If-None-Match: w/\"a\"" }, ALWAYS(MET) },
	{ { "If-None-Match: *" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-None-Match: \"b\", \"c,d\" , \"a\"" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-None-Match: \"b\"", "If-None-Match: \"a\"" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-None-Match: " }, ALWAYS(MET) },
	/* the tag counts, not the date */
	{ { "If-None-Match: \"b\"", "If-Modified-Since: " LATER }, ALWAYS(MET) },
	{ { "If-Modified-Since: " MODIFIED }, ALWAYS(NOT_MODIFIED) },
	{ { "If-Modified-Since: " LATER }, ALWAYS(NOT_MODIFIED) },
	{ { "If-Modified-Since: " EARLIER }, ALWAYS(MET) },
	{ { "If-Modified-Since: yesterday" }, ALWAYS(MET) },
	{ { "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-Modified-Since: Sun Nov  6 08:49:37 1994" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-Match: \"a\"" }, CONDITION_MET, CONDITION_FAILED },
	{ { "If-Match: W/\"a\"" }, ALWAYS(FAILED) },
	{ { "If-Match: \"b\"" }, ALWAYS(FAILED) },
	{ { "If-Match: \"b\", \"a\"" }, CONDITION_MET, CONDITION_FAILED },
	{ { "If-Match: *" }, ALWAYS(MET) },
	{ { "If-Match: \"b\"", "If-None-Match: \"a\"" }, ALWAYS(FAILED) },
	{ { "If-Match: *", "If-None-Match: \"a\"" }, ALWAYS(NOT_MODIFIED) },
	{ { "If-Match: *", "If-Unmodified-Since: " EARLIER }, ALWAYS(MET) },
	{ { "If-Unmodified-Since: " MODIFIED }, ALWAYS(MET) },
	{ { "If-Unmodified-Since: " LATER }, ALWAYS(MET) },
	{ { "If-Unmodified-Since: " EARLIER }, ALWAYS(FAILED) },
	{ { "If-Unmodified-Since: never" }, ALWAYS(MET) },
};

static const struct version version_a = { .tag = { "\"a\"", 3 }, .modified = WHEN };
static const struct version version_weak = { .tag = { "\"a\"", 3 }, .modified = WHEN, .is_weak = true };

static void
conditions_are_checked(void **state)
{
	struct http_request request;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_request(&request, rows[i].fields);
		if (condition_check(&request, &version_a) != rows[i].strong ||
			condition_check(&request, &version_weak) != rows[i].weak)
			fail_msg("%s", rows[i].fields[0]);
	}
}

static void
a_range_is_of_the_version_that_is_meant(void **state)
{
	static const struct {
		const char *fields[2];
		bool strong, weak;
	} ranges[] = {
		{ { NULL }, true, true },
		{ { "If-Range: \"a\"" }, true, false },
		{ { "If-Range: W/\"a\"" }, false, false },
		{ { "If-Range: \"b\"" }, false, false },
		{ { "If-Range: *" }, false, false },
		{ { "If-Range: " MODIFIED }, true, false },
		{ { "If-Range: " LATER }, false, false },
		{ { "If-Range: " EARLIER }, false, false },
		{ { "If-Range: " }, false, false },
	};
	struct http_request request;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		make_request(&request, ranges[i].fields);
		assert_int_equal(condition_allows_range(&request, &version_a), ranges[i].strong);
		assert_int_equal(condition_allows_range(&request, &version_weak), ranges[i].weak);
	}
}

static void
dates_are_read_as_they_are_written(void **state)
{
	static const time_t times[] = { 0, 1, WHEN, 951782400 /* a 29th of February */, 4102444799,
		253402300799 };
	char text[DATE_SIZE];
	time_t back;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		date_format(times[i], text);
		assert_int_equal(strlen(text), DATE_SIZE - 1);
		assert_int_equal(date_parse((struct http_text){ text, strlen(text) }, &back), 0);
		assert_int_equal(back, times[i]);
	}
	date_format(WHEN, text);
	assert_string_equal(text, MODIFIED);
	date_format(-1, text);
	assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
	date_format(INT64_MAX, text);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void
years_of_two_digits_are_not_far_ahead(void **state)
{
	char text[64];
	struct tm tm;
	time_t now = time(NULL), when;

	(void)state;
	gmtime_r(&now, &tm);
	for (int ahead = -49; ahead <= 50; ahead++) {
		int year = tm.tm_year + 1900 + ahead;

		snprintf(text, sizeof(text), "Sunday, 06-Nov-%02d 08:49:37 GMT", year % 100);
		assert_int_equal(date_parse((struct http_text){ text, strlen(text) }, &when), 0);
		gmtime_r(&when, &tm);
		assert_int_equal(tm.tm_year + 1900, year);
		gmtime_r(&now, &tm);
	}
}

static void
what_is_no_date_is_refused(void **state)
{
	static const char *const texts[] = { "", "0", "now", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 08:49:37 GMT+1",
		"Sun, 32 Nov 1994 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
		"Sunday, the sixth of November in the year 1994, in the morning" };
	time_t when;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (date_parse((struct http_text){ texts[i], strlen(texts[i]) }, &when) != -EINVAL)
			fail_msg("%s", texts[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_are_checked),
		cmocka_unit_test(a_range_is_of_the_version_that_is_meant),
		cmocka_unit_test(dates_are_read_as_they_are_written),
		cmocka_unit_test(years_of_two_digits_are_not_far_ahead),
		cmocka_unit_test(what_is_no_date_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
