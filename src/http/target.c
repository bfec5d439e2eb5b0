/*
 * What is inside of a request's target.
 */
#include "http/target.h"

#include <errno.h>

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The character at *text, encoded or not, taken off; or -1. NUL is refused: what follows would be hidden from those
 * who see a C string.
 */
static int
next_char(struct http_text *text, bool plus_is_space)
{
	char c = text->at[0];
	int high, low;

	text->at++, text->len--;
	if (c == '+' && plus_is_space)
		return ' ';
	if (c != '%')
		return c != '\0' ? (unsigned char)c : -1;
	if (text->len < 2)
		return -1;
	high = hex_value(text->at[0]);
	low = hex_value(text->at[1]);
	text->at += 2, text->len -= 2;
	if (high < 0 || low < 0 || (high == 0 && low == 0))
		return -1;
	return high * 16 + low;
}

static ssize_t
decode(struct http_text text, bool plus_is_space, char *dst, size_t size)
{
	size_t n = 0;
	int c;

	while (text.len > 0) {
		c = next_char(&text, plus_is_space);
		if (c < 0)
			return -EINVAL;
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		dst[n++] = (char)c;
	}
	if (n >= size)
		return -ENAMETOOLONG;
	dst[n] = '\0';
	return (ssize_t)n;
}

ssize_t
http_target_decode(struct http_text path, char *dst, size_t size)
{
	return decode(path, false, dst, size);
}

/* Does `text`, decoded, say `name`? */
static bool
says(struct http_text text, const char *name)
{
	while (text.len > 0 && *name)
		if (next_char(&text, true) != (unsigned char)*name++)
			return false;
	return text.len == 0 && !*name;
}

/* Takes what is before the next `separator`, or all, off *text. */
static struct http_text
cut(struct http_text *text, char separator)
{
	const char *mark = memchr(text->at, separator, text->len);
	struct http_text head = { text->at, mark ? (size_t)(mark - text->at) : text->len };
	size_t taken = head.len + (mark != NULL);

	text->at += taken;
	text->len -= taken;
	return head;
}

ssize_t
http_target_query(struct http_text query, const char *name, char *dst, size_t size)
{
	while (query.len > 0) {
		struct http_text value = cut(&query, '&');
		struct http_text key = cut(&value, '=');

		if (key.len > 0 && says(key, name))
			return decode(value, true, dst, size);
	}
	return -ENOENT;
}
