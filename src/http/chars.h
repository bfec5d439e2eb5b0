/*
 * Which characters may stand where.
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stddef.h>

enum http_chars {
	HTTP_CHARS_TOKEN = 1, /* of a method, or the name of a field: tchar of RFC 9110, 5.6.2 */
	HTTP_CHARS_VALUE =
		2, /* of a field's value: all but control characters, of which a tab is none here */
	HTTP_CHARS_NAME =
		4, /* of a host's name or IPv4 address: reg-name of RFC 3986, 3.2.2, but for the comma, which lists have */
	HTTP_CHARS_TARGET =
		8, /* visible ASCII, but no '#': a fragment is none of the server's business, and may be cut off by others */
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
