/*
 * Dates of HTTP.
 */
#include "service/http/date.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>

#define DATE_TEXT_MAX 40 /* the longest form, with the longest name of a day, has 33 letters */

#define YEAR_10000 INT64_C(253402300800)

void
date_format(time_t when, char dst[DATE_SIZE])
{
	/* not by strftime, whose names are those of the locale */
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	if (when < 0)
		when = 0;
	if (when >= YEAR_10000)
		when = YEAR_10000 - 1;
	gmtime_r(&when, &tm);
	snprintf(dst, DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + tm.tm_wday * 3,
		(unsigned)tm.tm_mday % 100, months + tm.tm_mon * 3, (unsigned)(tm.tm_year + 1900) % 10000,
		(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

/* A year of two digits that seems to be more than 50 years ahead is the last one in the past that ends so. */
static void
fix_century(struct tm *tm)
{
	time_t now = time(NULL);
	struct tm today;

	gmtime_r(&now, &today);
	tm->tm_year = today.tm_year - today.tm_year % 100 + tm->tm_year % 100;
	if (tm->tm_year > today.tm_year + 50)
		tm->tm_year -= 100;
}

int
date_parse(struct http_text text, time_t *ret)
{
	static const struct {
		const char *form;
		bool two_digits; /* of the year */
	} forms[] = {
		{ "%a, %d %b %Y %H:%M:%S GMT", false },
		{ "%a, %d-%b-%y %H:%M:%S GMT", true },
		{ "%a %b %d %H:%M:%S %Y", false },
	};
	char copy[DATE_TEXT_MAX];

	if (text.len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { .tm_isdst = 0 };
		const char *end = strptime(copy, forms[i].form, &tm);

		if (!end || *end)
			continue;
		if (forms[i].two_digits)
			fix_century(&tm);
		*ret = timegm(&tm);
		return 0;
	}
	return -EINVAL;
}

struct http_text
date_line_get(struct date_line *line)
{
	struct timespec now;

	/* precise to some milliseconds, and the cheapest there is */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != line->now) {
		char date[DATE_SIZE];

		line->now = now.tv_sec;
		date_format(now.tv_sec, date);
		snprintf(line->text, sizeof(line->text), "Date: %s\r\n", date);
	}
	return (struct http_text){ line->text, strlen("Date: \r\n") + DATE_SIZE - 1 };
}
