/*
 * Bodies in chunks (RFC 9112, section 7.1).
 *
 * The bytes stay as they came until the last one is there: so the state of a half-read body is the bytes themselves, which can be carried to
 * another process, of another version too.
 */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "http/limits.h"

#include <stddef.h>
#include <stdint.h>

enum http_chunked_state {
	HTTP_CHUNKED_SIZE,
	HTTP_CHUNKED_EXTENSION,
	HTTP_CHUNKED_SIZE_LF,
	HTTP_CHUNKED_DATA,
	HTTP_CHUNKED_DATA_CR,
	HTTP_CHUNKED_DATA_LF,
	HTTP_CHUNKED_TRAILER,
};

/* All zero at the beginning. */
struct http_chunked {
	enum http_chunked_state state;
	unsigned digits;   /* of the size that's being read */
	size_t at;         /* bytes looked at; of a trailer, complete lines only */
	uint64_t size;     /* of the current chunk */
	uint64_t left;     /* of it */
	uint64_t body;     /* bytes of all chunks that have been announced */
	uint64_t overhead; /* bytes that are not the body's: sizes, extensions, trailers */
};

/*
 * Goes on over `data`, which begins where the body does; `len` may grow from call to call, and what was there stays
 * the same. 0: the body is complete, and ends at chunked->at; -EAGAIN: more is needed; else the status to refuse the
 * request with.
 */
int http_chunked_scan(
	struct http_chunked *chunked, const char *data, size_t len, const struct http_limits *limits);

/* Moves the data of a complete body together, to its beginning. Returns how much it is. */
size_t http_chunked_decode(char *data);

#endif
