/*
 * Small work on strings.
 */
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ESCAPED_MAX 5 /* "\xHH" and its NUL */

/* One byte as it is to be shown; how long that is. */
static size_t
escape_byte(char out[ESCAPED_MAX], unsigned char c)
{
	static const struct {
		unsigned char byte;
		char letter;
	} named[] = { { '\n', 'n' }, { '\r', 'r' }, { '\t', 't' }, { '\\', '\\' } };

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (c == named[i].byte)
			return (size_t)snprintf(out, ESCAPED_MAX, "\\%c", named[i].letter);
	if (c >= ' ' && c < 127)
		return (size_t)snprintf(out, ESCAPED_MAX, "%c", c);
	return (size_t)snprintf(out, ESCAPED_MAX, "\\x%02x", c);
}

void
text_escape(char *dst, size_t size, const void *src, size_t len)
{
	const unsigned char *p = src;
	char one[ESCAPED_MAX];
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		size_t n = escape_byte(one, p[i]);

		/* the last byte may use the room kept for the mark */
		if (used + n + (i + 1 < len ? sizeof("...") : 1) > size) {
			memcpy(dst + used, "...", sizeof("..."));
			return;
		}
		memcpy(dst + used, one, n);
		used += n;
	}
	dst[used] = '\0';
}

int
text_parse_u64(const char *s, uint64_t *ret)
{
	uint64_t value = 0;

	if (*s == '\0')
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
			__builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

size_t
text_distance(const char *a, const char *b)
{
	enum { MAX = 64 };
	size_t la = strlen(a), lb = strlen(b), row[3][MAX];

	if (la >= MAX || lb >= MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *now = row[i % 3], *up = row[(i + 2) % 3], *upper = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				upper[j - 2] + 1 < best)
				best = upper[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[la % 3][lb];
}

bool
text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

char *
text_format(const char *fmt, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}
