/*
 * The worker's end of its handoff channel.
 */
#include "worker/channel.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/text.h"
#include "ipc/message.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

/*
 * Descriptors that are kept for what is passed: a worker with as many connections as it may have could not be given the way
 * out for them.
 */
enum { SPARES = 2 };

struct channel {
	int spare[SPARES]; /* -1: given up */
	struct event *readable;
	const struct channel_handler *handler;
	void *arg;
};

/* A packet is one line with one descriptor. What is not understood is ignored: nothing is lost but a handoff. */
static void
take_packet(struct channel *channel, char *line, size_t len, int *fd)
{
	char shown[256];
	struct message message;
	const char *error = "no line";
	int r = -EBADMSG;

	text_escape(shown, sizeof(shown), line, len);
	if (len > 0 && line[len - 1] == '\n') {
		line[len - 1] = '\0';
		r = message_parse(line, MESSAGE_WITH_FD, &message, &error);
	}
	if (r < 0)
		log_error("not a message on the handoff channel (%s): %s", error, shown);
	else if (*fd < 0)
		log_error("a message on the handoff channel without its descriptor: %s", shown);
	else if (message.type == MESSAGE_OUTBOX)
		channel->handler->on_outbox(take_fd(fd), message.share, channel->arg);
	else if (message.type == MESSAGE_INBOX)
		channel->handler->on_inbox(take_fd(fd), channel->arg);
}

static void
give_up_spares(struct channel *channel)
{
	for (size_t i = 0; i < SPARES; i++)
		fd_close(&channel->spare[i]);
}

/* As far as there are any; else the next time. */
static void
keep_spares(struct channel *channel)
{
	for (size_t i = 0; i < SPARES; i++)
		if (channel->spare[i] < 0)
			channel->spare[i] = eventfd(0, EFD_CLOEXEC);
}

static void
read_packets(struct channel *channel)
{
	int fd = event_get_fd(channel->readable);
	char line[MESSAGE_MAX];

	for (;;) {
		cleanup_fd int passed = -1;
		size_t n = 1;
		ssize_t len = socket_receive(fd, line, sizeof(line), &passed, &n);

		if (socket_may_retry(len))
			return;
		if (len == -EMFILE || len == -EMSGSIZE) {
			log_warning("a packet on the handoff channel is lost: %s", strerror((int)-len));
			continue;
		}
		if (len <= 0) {
			event_del(channel->readable); /* the master has gone; its pipe tells that */
			return;
		}
		take_packet(channel, line, (size_t)len, &passed);
	}
}

void
channel_read(struct channel *channel)
{
	give_up_spares(channel);
	read_packets(channel);
	keep_spares(channel);
}

/* event: the channel has something, or its end */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	channel_read(arg);
}

struct channel *
channel_new(struct event_base *base, int fd, const struct channel_handler *handler, void *arg)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	for (size_t i = 0; i < SPARES; i++)
		channel->spare[i] = -1;
	keep_spares(channel);
	channel->handler = handler;
	channel->arg = arg;
	channel->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel);
	if (!channel->readable || event_priority_set(channel->readable, 0) < 0 ||
		event_add(channel->readable, NULL) < 0) {
		channel_free(channel);
		return NULL;
	}
	return channel;
}

void
channel_free(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->readable)
		event_free(channel->readable);
	give_up_spares(channel);
	free(channel);
}
