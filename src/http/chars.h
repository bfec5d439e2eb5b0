/*
 * Which characters may stand where.
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stddef.h>

enum http_chars {
	/* of a method, or the name of a field: tchar of RFC 9110, 5.6.2 */
	HTTP_CHARS_TOKEN = 1,
	/* of a field's value: all but control characters; a tab may be in it */
	HTTP_CHARS_VALUE = 2,
	/* of a host's name or IPv4 address: reg-name of RFC 3986, 3.2.2, but for the comma, which lists have */
	HTTP_CHARS_NAME = 4,
	/* of a target: visible ASCII, but no '#': a fragment is none of the server's business, and may be cut off by others */
	HTTP_CHARS_TARGET = 8,
};

/* A set of those for each character. */
extern const unsigned char http_chars[256];

/* How many characters at the beginning are of that kind. */
static inline size_t
http_chars_span(const char *at, size_t len, enum http_chars kind)
{
	size_t n = 0;

	while (n < len && (http_chars[(unsigned char)at[n]] & kind))
		n++;
	return n;
}

#endif
