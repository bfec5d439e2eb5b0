/*
 * Cuts what comes out of a pipe into lines.
 */
#include "ipc/line_reader.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

void
line_reader_init(struct line_reader *reader)
{
	reader->len = 0;
}

/* A line may have any printable byte and what UTF-8 is made of: nothing that could break a log or a terminal. */
static bool
is_clean(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			return false;
	return true;
}

/* Keeps `len` bytes from `from` on as what is held: the unfinished line, or the bad one, to be shown. */
static void
keep(struct line_reader *reader, const char *from, size_t len)
{
	memmove(reader->data, from, len);
	reader->len = len;
}

/* Hands on the lines that are whole, and moves what is left to the front. */
static enum line_reader_result
take_lines(struct line_reader *reader, line_fn *on_line, void *arg)
{
	char *line = reader->data, *end = reader->data + reader->len, *newline;

	while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
		if (!is_clean(line, (size_t)(newline - line))) {
			keep(reader, line, (size_t)(newline - line));
			return LINE_READER_BAD;
		}
		*newline = '\0';
		if (on_line(line, arg) < 0)
			return LINE_READER_STOPPED;
		line = newline + 1;
	}
	keep(reader, line, (size_t)(end - line));
	return reader->len == sizeof(reader->data) || !is_clean(reader->data, reader->len)
	               ? LINE_READER_BAD
	               : LINE_READER_AGAIN;
}

enum line_reader_result
line_reader_feed(struct line_reader *reader, const void *data, size_t len, line_fn *on_line, void *arg)
{
	assert(len <= sizeof(reader->data) - reader->len);
	memcpy(reader->data + reader->len, data, len);
	reader->len += len;
	return take_lines(reader, on_line, arg);
}

enum line_reader_result
line_reader_read(struct line_reader *reader, int fd, line_fn *on_line, void *arg)
{
	ssize_t n = read(fd, reader->data + reader->len, sizeof(reader->data) - reader->len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? LINE_READER_AGAIN : LINE_READER_ERROR;
	if (n == 0)
		return LINE_READER_EOF;
	reader->len += (size_t)n;
	return take_lines(reader, on_line, arg);
}
