/*
 * Cuts what comes out of a pipe into lines, whatever the writer does: bytes one by one, many lines at once,
 * no newline for a megabyte, a last line without one, control characters, NUL. Holds at most MESSAGE_MAX
 * bytes.
 */
#ifndef IPC_LINE_READER_H
#define IPC_LINE_READER_H

#include "ipc/message.h"

#include <stddef.h>

struct line_reader {
	size_t len; /* bytes held: always an unfinished line between two calls */
	char data[MESSAGE_MAX];
};

/* A whole line, NUL instead of its newline, which may be written to. Returns 0 to go on, negative to stop. */
typedef int line_fn(char *line, void *arg);

enum line_reader_result {
	LINE_READER_AGAIN,   /* all was read that was there */
	LINE_READER_EOF,     /* the writer has closed */
	LINE_READER_BAD,     /* over-long line, or a byte that no line may have; it is in data, len */
	LINE_READER_STOPPED, /* on_line said so */
	LINE_READER_ERROR,   /* read failed: errno */
};

void line_reader_init(struct line_reader *reader);

/*
 * Reads once from a non-blocking descriptor what fits, at most MESSAGE_MAX bytes, and hands on the whole
 * lines. To be called again on the next event, so one flooding worker can't hold up a loop. After BAD,
 * STOPPED and ERROR the reader is at its end.
 */
enum line_reader_result line_reader_read(struct line_reader *reader, int fd, line_fn *on_line, void *arg);

/*
 * The part that needs no descriptor: takes these bytes (at most the room that is left). AGAIN, BAD or
 * STOPPED.
 */
enum line_reader_result line_reader_feed(
	struct line_reader *reader, const void *data, size_t len, line_fn *on_line, void *arg);

#endif
