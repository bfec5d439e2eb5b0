/*
 * Bytes that come or go: appended at the end, taken from the beginning.
 *
 * One piece of memory serves all connections in turn: who has nothing to keep borrows the spare, and gives it back
 * when the turn is over. So an idle connection holds no buffer, and a request that comes in one piece needs no
 * malloc.
 */
#ifndef HTTP_BUFFER_H
#define HTTP_BUFFER_H

#include <stddef.h>

/*
 * What a buffer without memory gets first, and what the spare should have: a read of this size is cheap, and takes
 * most requests.
 */
#define HTTP_BUFFER_FIRST ((size_t)16 * 1024)
/* More than this is not kept as a spare. */
#define HTTP_BUFFER_SPARE_MAX ((size_t)64 * 1024)

/* All zero: empty, without memory. */
struct http_buffer {
	char *data;
	size_t at, end; /* at <= end <= size; data[at … end) is held; nothing held: both are 0 */
	size_t size;
};

static inline size_t
http_buffer_len(const struct http_buffer *buffer)
{
	return buffer->end - buffer->at;
}

/* The first byte held. */
static inline char *
http_buffer_bytes(const struct http_buffer *buffer)
{
	return buffer->data ? buffer->data + buffer->at : NULL;
}

/* Makes room for `n` more bytes behind data[end]; what is held may move. 0, or -ENOMEM with nothing changed. */
int http_buffer_reserve(struct http_buffer *buffer, size_t n);

/* Appends. 0, or -ENOMEM with nothing changed. */
int http_buffer_append(struct http_buffer *buffer, const void *data, size_t n);

/* Forgets the first `n` bytes held. */
void http_buffer_consume(struct http_buffer *buffer, size_t n);

/* The same as http_buffer_reserve, in the spare's memory where that is large enough. */
int http_buffer_borrow(struct http_buffer *buffer, struct http_buffer *spare, size_t n);

/*
 * Ends a turn: large memory becomes the spare if there is none, and the little that is held moves to memory of its
 * own size. Never fails: without memory for that, all stays as it is.
 */
void http_buffer_settle(struct http_buffer *buffer, struct http_buffer *spare);

/* Frees the memory; the buffer is empty. */
void http_buffer_free(struct http_buffer *buffer);

#endif
