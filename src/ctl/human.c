/*
 * Durations for people, and how old something is.
 */
#include "ctl/human.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MINUTE (60 * US_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

const char *
human_duration(uint64_t us, char buf[static HUMAN_DURATION_MAX])
{
	if (us < US_PER_SEC)
		snprintf(buf, HUMAN_DURATION_MAX, "%" PRIu64 "ms", us / US_PER_MS);
	else if (us < 10 * US_PER_SEC)
		snprintf(buf, HUMAN_DURATION_MAX, "%" PRIu64 ".%" PRIu64 "s", us / US_PER_SEC,
			us % US_PER_SEC / (US_PER_SEC / 10));
	else if (us < MINUTE)
		snprintf(buf, HUMAN_DURATION_MAX, "%" PRIu64 "s", us / US_PER_SEC);
	else if (us < HOUR)
		snprintf(buf, HUMAN_DURATION_MAX, "%" PRIu64 "m%02" PRIu64 "s", us / MINUTE,
			us % MINUTE / US_PER_SEC);
	else if (us < DAY)
		snprintf(
			buf, HUMAN_DURATION_MAX, "%" PRIu64 "h%02" PRIu64 "m", us / HOUR, us % HOUR / MINUTE);
	else
		snprintf(buf, HUMAN_DURATION_MAX, "%" PRIu64 "d%" PRIu64 "h", us / DAY, us % DAY / HOUR);
	return buf;
}

int
human_age(const char *text, uint64_t *ret_us)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t then, now = time(NULL);

	if (!rest || (*rest != 'Z' && *rest != '.'))
		return -EINVAL;
	then = timegm(&tm);
	*ret_us = then < now ? (uint64_t)(now - then) * US_PER_SEC : 0;
	return 0;
}
