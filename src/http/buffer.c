/*
 * Bytes that come or go.
 */
#include "http/buffer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Moves what is held to the beginning of `data`, of `size` bytes, which becomes the buffer's memory; the old memory
 * is the caller's.
 */
static void
buffer_move(struct http_buffer *buffer, char *data, size_t size)
{
	size_t len = http_buffer_len(buffer);

	if (len > 0)
		memmove(data, buffer->data + buffer->at, len);
	*buffer = (struct http_buffer){ .data = data, .end = len, .size = size };
}

int
http_buffer_reserve(struct http_buffer *buffer, size_t n)
{
	size_t len = http_buffer_len(buffer), size = buffer->size;
	char *data, *old = buffer->data;

	if (size - buffer->end >= n)
		return 0;
	if (n > SIZE_MAX / 4 - len)
		return -ENOMEM;
	/*
	 * doubling what is held keeps the sum of all moves linear; moving to the front within the same memory must
	 * gain as much
	 */
	if (size >= len + n && size / 2 >= len) {
		buffer_move(buffer, buffer->data, size);
		return 0;
	}
	if (size < HTTP_BUFFER_FIRST)
		size = HTTP_BUFFER_FIRST;
	while (size < len + n || size / 2 < len)
		size *= 2;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	buffer_move(buffer, data, size);
	free(old);
	return 0;
}

int
http_buffer_append(struct http_buffer *buffer, const void *data, size_t n)
{
	int r = http_buffer_reserve(buffer, n);

	if (r < 0)
		return r;
	if (n > 0)
		memcpy(buffer->data + buffer->end, data, n);
	buffer->end += n;
	return 0;
}

void
http_buffer_consume(struct http_buffer *buffer, size_t n)
{
	buffer->at += n;
	if (buffer->at == buffer->end)
		buffer->at = buffer->end = 0;
}

int
http_buffer_borrow(struct http_buffer *buffer, struct http_buffer *spare, size_t n)
{
	char *old = buffer->data;

	if (buffer->size - buffer->end >= n)
		return 0;
	if (spare->size < http_buffer_len(buffer) + n)
		return http_buffer_reserve(buffer, n);
	buffer_move(buffer, spare->data, spare->size);
	*spare = (struct http_buffer){ .data = NULL };
	free(old);
	return 0;
}

void
http_buffer_settle(struct http_buffer *buffer, struct http_buffer *spare)
{
	bool fits =
		!spare->data && buffer->size >= HTTP_BUFFER_FIRST && buffer->size <= HTTP_BUFFER_SPARE_MAX;
	size_t len = http_buffer_len(buffer), size = buffer->size;
	char *data = NULL, *old = buffer->data;

	if (!old || len > size / 4 || (len > 0 && size < HTTP_BUFFER_FIRST))
		return;
	if (len > 0) {
		data = malloc(len);
		if (!data)
			return;
	}
	buffer_move(buffer, data, len);
	if (fits)
		*spare = (struct http_buffer){ .data = old, .size = size };
	else
		free(old);
}

void
http_buffer_free(struct http_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct http_buffer){ .data = NULL };
}
