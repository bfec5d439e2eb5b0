/*
 * Durations, to and from text.
 */
#include "config/duration.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define DIGITS          "0123456789"
#define FRACTION_DIGITS 6

static const struct {
	const char *name;
	uint64_t us;
} units[] = {
	/* largest first */
	{ "d", 24 * 3600 * US_PER_SEC },
	{ "h", 3600 * US_PER_SEC },
	{ "m", 60 * US_PER_SEC },
	{ "s", US_PER_SEC },
	{ "ms", US_PER_MS },
	{ "us", 1 },
};

static int
find_unit(const char *name, uint64_t *ret_us)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(units[i].name, name) == 0) {
			*ret_us = units[i].us;
			return 0;
		}
	return -EINVAL;
}

/* The digits behind the point as millionths. */
static int
parse_fraction(const char *digits, size_t len, uint64_t *ret)
{
	char padded[] = "000000";

	if (len == 0 || len > FRACTION_DIGITS)
		return -EINVAL;
	memcpy(padded, digits, len);
	return text_parse_u64(padded, ret);
}

int
duration_parse(const char *s, uint64_t *ret_us)
{
	const size_t len = strspn(s, DIGITS);
	cleanup_free char *whole_text = strndup(s, len);
	uint64_t whole, millionths = 0, unit, us;
	int r;

	if (!whole_text)
		return -ENOMEM;
	s += len;
	if (*s == '.') {
		size_t n = strspn(++s, DIGITS);

		if (parse_fraction(s, n, &millionths) < 0)
			return -EINVAL;
		s += n;
	}
	if (find_unit(s, &unit) < 0)
		return -EINVAL;
	r = text_parse_u64(whole_text, &whole);
	if (r < 0)
		return r;
	/* the second product is below 10^6 times a day: far from overflow */
	if (__builtin_mul_overflow(whole, unit, &us) ||
		__builtin_add_overflow(us, millionths * unit / 1000000, &us))
		return -ERANGE;
	*ret_us = us;
	return 0;
}

int
duration_from_seconds(double seconds, uint64_t *ret_us)
{
	const double us = seconds * (double)US_PER_SEC + 0.5; /* cut, it is rounded then */

	/* 2^63: what is below fits for sure; a NaN fails here too */
	if (!(seconds >= 0 && us < 0x1p63))
		return -ERANGE;
	*ret_us = (uint64_t)us;
	return 0;
}

const char *
duration_format(uint64_t us, char buf[static DURATION_TEXT_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (us % units[i].us != 0 || us == 0)
			continue;
		snprintf(buf, DURATION_TEXT_MAX, "%" PRIu64 "%s", us / units[i].us, units[i].name);
		return buf;
	}
	return "0s";
}
