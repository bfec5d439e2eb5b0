/*
 * Lines to the master. A line is at most PIPE_BUF bytes, so a write takes all of it or nothing, and
 * what is kept are whole lines.
 */
#include "worker/status_pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct line {
	STAILQ_ENTRY(line) next;
	size_t len;
	char data[];
};

struct status_pipe {
	int fd;
	struct event *writable; /* pending while lines are kept */
	STAILQ_HEAD(line_queue, line)
	kept; /* a handful at most: each of these messages is sent once in a worker's life */
	void (*on_empty)(void *arg); /* NULL: nobody waits */
	void *arg;
};

/* True when the line is gone, whether to the master or, when there is none any more, nowhere. */
static bool
write_line(const struct status_pipe *pipe, const char *line, size_t len)
{
	return write(pipe->fd, line, len) >= 0 || (errno != EAGAIN && errno != EINTR);
}

static void
send_or_drop(struct status_pipe *pipe, const char *line, size_t len)
{
	if (STAILQ_EMPTY(&pipe->kept))
		write_line(pipe, line, len);
}

static void
send_or_keep(struct status_pipe *pipe, const char *data, size_t len)
{
	struct line *line;

	if (STAILQ_EMPTY(&pipe->kept) && write_line(pipe, data, len))
		return;
	line = malloc(sizeof(*line) + len);
	if (!line)
		return; /* then the master's deadline for this message has to do */
	line->len = len;
	memcpy(line->data, data, len);
	STAILQ_INSERT_TAIL(&pipe->kept, line, next);
	event_add(pipe->writable, NULL);
}

static void
drop_first(struct status_pipe *pipe)
{
	struct line *line = STAILQ_FIRST(&pipe->kept);

	STAILQ_REMOVE_HEAD(&pipe->kept, next);
	free(line);
}

/* event: the pipe has room for PIPE_BUF bytes, which is when it becomes writable, or no reader */
static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct status_pipe *pipe = arg;
	struct line *line;

	(void)fd;
	(void)what;
	while ((line = STAILQ_FIRST(&pipe->kept)) && write_line(pipe, line->data, line->len))
		drop_first(pipe);
	if (line)
		return;
	event_del(pipe->writable);
	if (pipe->on_empty)
		pipe->on_empty(pipe->arg);
}

struct status_pipe *
status_pipe_new(struct event_base *base, int fd)
{
	struct status_pipe *pipe = calloc(1, sizeof(*pipe));

	if (!pipe)
		return NULL;
	pipe->fd = fd;
	STAILQ_INIT(&pipe->kept);
	pipe->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, pipe);
	if (!pipe->writable || event_priority_set(pipe->writable, 0) < 0) {
		status_pipe_free(pipe);
		return NULL;
	}
	return pipe;
}

void
status_pipe_free(struct status_pipe *pipe)
{
	if (!pipe)
		return;
	if (pipe->writable)
		event_free(pipe->writable);
	while (!STAILQ_EMPTY(&pipe->kept))
		drop_first(pipe);
	free(pipe);
}

void
status_pipe_hello(struct status_pipe *pipe, const char *name, const char *version)
{
	char line[MESSAGE_MAX];

	send_or_keep(pipe, line, message_format_hello(line, name, version));
}

void
status_pipe_ready(struct status_pipe *pipe)
{
	char line[MESSAGE_MAX];

	send_or_keep(pipe, line, message_format_word(line, MESSAGE_READY));
}

void
status_pipe_alive(struct status_pipe *pipe)
{
	char line[MESSAGE_MAX];

	send_or_drop(pipe, line, message_format_word(line, MESSAGE_ALIVE));
}

void
status_pipe_failed(struct status_pipe *pipe, const char *text)
{
	char line[MESSAGE_MAX];

	send_or_keep(pipe, line, message_format_text(line, MESSAGE_FAILED, text));
}

void
status_pipe_resolved(struct status_pipe *pipe, size_t number, const char *addresses)
{
	char line[MESSAGE_MAX];

	send_or_keep(pipe, line, message_format_resolved(line, number, addresses));
}

void
status_pipe_upstream(struct status_pipe *pipe, size_t number, const char *name)
{
	char line[MESSAGE_MAX];

	send_or_keep(pipe, line, message_format_upstream(line, number, name));
}

void
status_pipe_stranded(struct status_pipe *pipe)
{
	char line[MESSAGE_MAX];

	send_or_keep(pipe, line, message_format_word(line, MESSAGE_STRANDED));
}

void
status_pipe_drained(struct status_pipe *pipe, uint64_t finished, uint64_t handed, uint64_t cut)
{
	char line[MESSAGE_MAX];

	send_or_keep(pipe, line, message_format_drained(line, finished, handed, cut));
}

void
status_pipe_when_empty(struct status_pipe *pipe, void (*fn)(void *arg), void *arg)
{
	if (STAILQ_EMPTY(&pipe->kept)) {
		fn(arg);
		return;
	}
	pipe->on_empty = fn;
	pipe->arg = arg;
}
