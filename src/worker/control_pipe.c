/*
 * Lines from the master. Who sends something else is no master that could be followed, so that is
 * taken as the end of it.
 */
#include "worker/control_pipe.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/line_reader.h"
#include "ipc/message.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct control_pipe {
	struct event *readable;
	struct line_reader reader;
	const struct control_handler *handler;
	void *arg;
	bool unknown_said; /* an unknown message has been logged */
};

static void
log_bad_line(const char *line, size_t len, const char *reason)
{
	char shown[256];

	text_escape(shown, sizeof(shown), line, len);
	log_error("not a message on the control pipe (%s): %s", reason, shown);
}

static void
take_message(struct control_pipe *pipe, const struct message *message)
{
	switch (message->type) {
	case MESSAGE_DRAIN:
		pipe->handler->on_drain(message->drain_us, pipe->arg);
		break;
	case MESSAGE_STOP:
		pipe->handler->on_stop(pipe->arg);
		break;
	case MESSAGE_DRAIN_UPSTREAM:
	case MESSAGE_ENABLE_UPSTREAM:
		if (pipe->handler->on_upstream)
			pipe->handler->on_upstream(
				message->text, message->type == MESSAGE_DRAIN_UPSTREAM, pipe->arg);
		break;
	case MESSAGE_RECALL_UPSTREAM:
		if (pipe->handler->on_health)
			pipe->handler->on_health(message->text, &message->health, pipe->arg);
		break;
	case MESSAGE_RESOLVE_UPSTREAM:
		if (pipe->handler->on_addresses)
			pipe->handler->on_addresses(message->text, message->addresses, pipe->arg);
		break;
	default:
		if (!pipe->unknown_said)
			log_notice("an unknown message on the control pipe is ignored: %s", message->text);
		pipe->unknown_said = true;
		break;
	}
}

/* A line_fn */
static int
on_line(char *line, void *arg)
{
	char shown[256]; /* parsing cuts the line apart */
	struct control_pipe *pipe = arg;
	struct message message;
	const char *error;
	int r;

	text_escape(shown, sizeof(shown), line, strlen(line));
	r = message_parse(line, MESSAGE_TO_WORKER, &message, &error);
	if (r < 0)
		log_error("not a message on the control pipe (%s): %s", error, shown);
	else
		take_message(pipe, &message);
	return r;
}

void
control_pipe_read(struct control_pipe *pipe)
{
	if (!event_pending(pipe->readable, EV_READ, NULL)) /* it has ended */
		return;
	switch (line_reader_read(&pipe->reader, event_get_fd(pipe->readable), on_line, pipe)) {
	case LINE_READER_AGAIN:
		return;
	case LINE_READER_BAD:
		log_bad_line(pipe->reader.data, pipe->reader.len, "too long, or a control character");
		break;
	case LINE_READER_ERROR:
		log_error("cannot read the control pipe: %s", strerror(errno));
		break;
	case LINE_READER_EOF:
	case LINE_READER_STOPPED: /* by on_line, which has said why */
		break;
	}
	event_del(pipe->readable);
	pipe->handler->on_end(pipe->arg);
}

/* event: the pipe has something, or its end */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	control_pipe_read(arg);
}

struct control_pipe *
control_pipe_new(struct event_base *base, int fd, const struct control_handler *handler, void *arg)
{
	struct control_pipe *pipe = calloc(1, sizeof(*pipe));

	if (!pipe)
		return NULL;
	pipe->handler = handler;
	pipe->arg = arg;
	line_reader_init(&pipe->reader);
	pipe->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, pipe);
	if (!pipe->readable || event_priority_set(pipe->readable, 0) < 0 ||
		event_add(pipe->readable, NULL) < 0) {
		control_pipe_free(pipe);
		return NULL;
	}
	return pipe;
}

void
control_pipe_free(struct control_pipe *pipe)
{
	if (!pipe)
		return;
	if (pipe->readable)
		event_free(pipe->readable);
	free(pipe);
}
