/*
 * Bodies in chunks.
 *
 * Refused, though many let it through: a bare LF, or a CR that no LF follows; anything but CRLF behind
 * a chunk's data; white space around a size, control characters in extensions. Extensions and trailers are read over:
 * no field of a trailer is ever taken for one of the head. They are limited together with the sizes themselves, so
 * that nobody is kept busy with megabytes of framing around a small body.
 */
#include "http/chunked.h"

#include "http/head.h"

#include <errno.h>
#include <string.h>

/* Leading zeros are allowed, within reason; 15 digits can't overflow. */
#define SIZE_DIGITS_MAX 15

/* -1: none */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A size is complete. */
static int
begin_chunk(struct http_chunked *chunked, const struct http_limits *limits)
{
	if (chunked->size > limits->max_body - chunked->body)
		return 413;
	chunked->body += chunked->size;
	chunked->left = chunked->size;
	chunked->state = HTTP_CHUNKED_SIZE_LF;
	return 0;
}

static int
scan_size(struct http_chunked *chunked, char c, const struct http_limits *limits)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		chunked->size = chunked->size * 16 + (unsigned)digit;
		return ++chunked->digits > SIZE_DIGITS_MAX ? 400 : 0;
	}
	if (chunked->digits == 0)
		return 400;
	if (c == '\r')
		return begin_chunk(chunked, limits);
	chunked->state = HTTP_CHUNKED_EXTENSION;
	return c == ';' ? 0 : 400;
}

static int
scan_extension(struct http_chunked *chunked, char c, const struct http_limits *limits)
{
	unsigned char u = (unsigned char)c;

	if (c == '\r')
		return begin_chunk(chunked, limits);
	return c == '\t' || (u >= ' ' && u != 0x7f) ? 0 : 400;
}

/* One byte that isn't data. 0, or a status. */
static int
scan_framing(struct http_chunked *chunked, char c, const struct http_limits *limits)
{
	switch (chunked->state) {
	case HTTP_CHUNKED_SIZE:
		return scan_size(chunked, c, limits);
	case HTTP_CHUNKED_EXTENSION:
		return scan_extension(chunked, c, limits);
	case HTTP_CHUNKED_SIZE_LF:
		chunked->state = chunked->size > 0 ? HTTP_CHUNKED_DATA : HTTP_CHUNKED_TRAILER;
		return c == '\n' ? 0 : 400;
	case HTTP_CHUNKED_DATA_CR:
		chunked->state = HTTP_CHUNKED_DATA_LF;
		return c == '\r' ? 0 : 400;
	default: /* HTTP_CHUNKED_DATA_LF */
		chunked->state = HTTP_CHUNKED_SIZE;
		chunked->size = 0;
		chunked->digits = 0;
		return c == '\n' ? 0 : 400;
	}
}

static void
skip_data(struct http_chunked *chunked, size_t len)
{
	size_t n = chunked->left < len ? (size_t)chunked->left : len;

	chunked->left -= n;
	chunked->at += n;
	if (chunked->left == 0)
		chunked->state = HTTP_CHUNKED_DATA_CR;
}

/* Framing may be as large as the body, and small bodies may have some anyway. */
static uint64_t
max_overhead(const struct http_limits *limits)
{
	return (uint64_t)limits->max_body + limits->max_head;
}

/* One line of the trailer. 0: it was the last. */
static int
scan_trailer(struct http_chunked *chunked, const char *line, size_t len, const struct http_limits *limits)
{
	const char *lf = memchr(line, '\n', len);
	size_t n = lf ? (size_t)(lf + 1 - line) : len;

	if (chunked->overhead + n > max_overhead(limits))
		return 413;
	if (!lf)
		return -EAGAIN;
	chunked->overhead += n;
	chunked->at += n;
	if (n == 2 && line[0] == '\r')
		return 0;
	return http_head_check_field(line, n) == 0 ? -EAGAIN : 400;
}

int
http_chunked_scan(
	struct http_chunked *chunked, const char *data, size_t len, const struct http_limits *limits)
{
	size_t before;
	int r;

	while (chunked->at < len && chunked->state != HTTP_CHUNKED_TRAILER) {
		if (chunked->state == HTTP_CHUNKED_DATA) {
			skip_data(chunked, len - chunked->at);
			continue;
		}
		r = scan_framing(chunked, data[chunked->at++], limits);
		if (r == 0 && ++chunked->overhead > max_overhead(limits))
			r = 413;
		if (r != 0)
			return r;
	}
	r = -EAGAIN;
	while (r == -EAGAIN && chunked->state == HTTP_CHUNKED_TRAILER && chunked->at < len) {
		before = chunked->at;
		r = scan_trailer(chunked, data + before, len - before, limits);
		if (chunked->at == before)
			break; /* the line isn't complete */
	}
	return r;
}

size_t
http_chunked_decode(char *data)
{
	const char *from = data;
	char *to = data;
	size_t size;

	for (;;) {
		for (size = 0; hex_digit(*from) >= 0; from++)
			size = size * 16 + (unsigned)hex_digit(*from);
		while (*from != '\n') /* an extension, and CR */
			from++;
		from++;
		if (size == 0)
			return (size_t)(to - data);
		memmove(to, from, size);
		to += size;
		from += size + strlen("\r\n");
	}
}
