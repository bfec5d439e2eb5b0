/*
 * Parts of a file.
 */
#include "service/http/range.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The digits at the beginning of *text, taken off; a number that is too large is as large as can be. false: none. */
static bool
take_number(struct http_text *text, uint64_t *ret)
{
	uint64_t value = 0;
	bool found = false;

	while (text->len > 0 && isdigit((unsigned char)text->at[0])) {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
			__builtin_add_overflow(value, (uint64_t)(text->at[0] - '0'), &value))
			value = UINT64_MAX; /* and stays so, as another digit is too much again */
		text->at++, text->len--;
		found = true;
	}
	*ret = value;
	return found;
}

/* "first-", "first-last" or "-last ones". 0 with *ret; -ERANGE: outside of the file; -EINVAL: it is nothing such. */
static int
parse_one(struct http_text text, uint64_t size, struct range *ret)
{
	uint64_t first, last;
	bool has_first = take_number(&text, &first), has_last;

	if (text.len == 0 || text.at[0] != '-')
		return -EINVAL;
	text.at++, text.len--;
	has_last = take_number(&text, &last);
	if (text.len > 0 || (!has_first && !has_last) || (has_first && has_last && last < first))
		return -EINVAL;
	if (!has_first) {
		first = last < size ? size - last : 0;
		last = last > 0 ? size : 0;
	} else if (!has_last || last >= size) {
		last = size;
	} else {
		last++;
	}
	if (first >= size || last <= first)
		return -ERANGE;
	*ret = (struct range){ first, last - first };
	return 0;
}

static bool
overlaps(const struct range *range, size_t n, const struct range *new)
{
	for (size_t i = 0; i < n; i++)
		if (new->first < range[i].first + range[i].len && range[i].first < new->first + new->len)
			return true;
	return false;
}

int
range_parse(struct http_text field, uint64_t size, struct range ret[RANGES_MAX])
{
	static const struct http_text unit = { "bytes=", sizeof("bytes=") - 1 };
	struct http_text one;
	size_t n = 0, n_asked = 0;
	int r;

	if (field.len < unit.len || !http_text_equal_nocase((struct http_text){ field.at, unit.len }, unit))
		return 0;
	field.at += unit.len, field.len -= unit.len;
	while (http_text_next(&field, &one)) {
		struct range range;

		r = parse_one(one, size, &range);
		if (r == -EINVAL || ++n_asked > RANGES_MAX)
			return 0;
		if (r < 0)
			continue;
		if (overlaps(ret, n, &range))
			return 0;
		ret[n++] = range;
	}
	return n == 0 && n_asked > 0 ? -ERANGE : (int)n;
}

struct http_text
range_format(const struct range *range, uint64_t size, char dst[RANGE_TEXT_MAX])
{
	int n = range ? snprintf(dst, RANGE_TEXT_MAX, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
				range->first + range->len - 1, size)
	              : snprintf(dst, RANGE_TEXT_MAX, "bytes */%" PRIu64, size);

	return (struct http_text){ dst, (size_t)n };
}
