/*
 * Sizes, to and from text.
 */
#include "config/bytes.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static const struct {
	const char *name;
	uint64_t bytes;
} units[] = {
	/* largest first */
	{ "TiB", UINT64_C(1) << 40 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "B", 1 },
};

int
bytes_parse(const char *s, uint64_t *ret)
{
	const size_t len = strspn(s, "0123456789");
	cleanup_free char *number = strndup(s, len);
	uint64_t n;
	int r;

	if (!number)
		return -ENOMEM;
	r = text_parse_u64(number, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(s + len, units[i].name) == 0)
			return __builtin_mul_overflow(n, units[i].bytes, ret) ? -ERANGE : 0;
	return -EINVAL;
}

const char *
bytes_format(uint64_t bytes, char buf[static BYTES_TEXT_MAX])
{
	size_t i = 0;

	while (i < ARRAY_LEN(units) - 1 && (bytes == 0 || bytes % units[i].bytes != 0))
		i++;
	snprintf(buf, BYTES_TEXT_MAX, "%" PRIu64 "%s", bytes / units[i].bytes, units[i].name);
	return buf;
}
