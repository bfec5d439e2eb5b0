/*
 * One way in.
 */
#include "worker/inbox.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* One offer, and what became of it. */
struct batch {
	struct handoff_offer offer;
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	struct service_connection *adopted[HANDOFF_RECORDS_MAX]; /* NULL: refused */
};

static void
adopt_all(struct inbox *inbox, struct batch *batch)
{
	for (size_t i = 0; i < batch->offer.n; i++) {
		struct handoff_record *record = &batch->offer.record[i];
		int r = inbox->handler->adopt(record, &batch->adopted[i], inbox->arg);

		if (r < 0) {
			batch->adopted[i] = NULL;
			log_debug("handoff: a connection is refused: %s", strerror(-r));
		}
		batch->answers[i] = (struct handoff_answer){ .id = record->id, .adopted = r == 0 };
	}
}

/*
 * Answers, and only then begins. The socket has room: there is no more than a window of answers in it, which is a few kB.
 */
static int
answer_all(struct inbox *inbox, struct batch *batch)
{
	unsigned char data[HANDOFF_MESSAGE_MAX];
	size_t len = handoff_answers_write(data, batch->answers, batch->offer.n);
	int r = socket_send(inbox->fd, data, len, NULL, 0);

	for (size_t i = 0; i < batch->offer.n; i++) {
		struct service_connection *connection = batch->adopted[i];

		if (connection && r == 0)
			inbox->handler->on_adopted(connection, inbox->arg);
		else if (connection)
			inbox->handler->on_lost(connection, inbox->arg);
	}
	return r;
}

/* Takes one packet. 1: it was full; 0: it was not, or there was none; negative errno: the inbox is at its end. */
static int
take_offer(struct inbox *inbox)
{
	unsigned char data[HANDOFF_MESSAGE_MAX];
	int fds[SOCKET_FDS_MAX], r;
	size_t n_fds = SOCKET_FDS_MAX;
	ssize_t len = socket_receive(inbox->fd, data, sizeof(data), fds, &n_fds);
	struct batch batch;
	bool full;

	if (socket_may_retry(len))
		return 0;
	if (len <= 0)
		return len < 0 ? (int)len : -EPIPE;
	r = handoff_offer_read(&batch.offer, data, (size_t)len, fds, n_fds);
	if (r < 0)
		return r;
	adopt_all(inbox, &batch);
	r = answer_all(inbox, &batch);
	full = batch.offer.full;
	handoff_offer_done(&batch.offer);
	return r == 0 && full ? 1 : r;
}

/*
 * Waits a little, in the rush, for another packet or the end. Not longer than it takes to make an offer: there may be none, though the last one
 * was full, and what was adopted, or another inbox, has its turn only then.
 */
static bool
next_comes(const struct inbox *inbox)
{
	struct pollfd next = { .fd = inbox->fd, .events = POLLIN };
	uint64_t left_us = rush_left_us(inbox->rush);
	struct timespec patience = clock_timespec(left_us < INBOX_PATIENCE_US ? left_us : INBOX_PATIENCE_US);

	return left_us > 0 && ppoll(&next, 1, &patience, NULL) > 0;
}

/*
 * event: an offer, or the end. One at a time, as those that were adopted want their turn. But in the rush a full one is most likely followed by
 * another; and whoever makes that may have been put behind us on the same processor, where it would wait for as long as there is something
 * to serve.
 */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct inbox *inbox = arg;
	int r;

	(void)fd;
	(void)what;
	do
		r = take_offer(inbox);
	while (r > 0 && next_comes(inbox));
	if (r >= 0) {
		rush_set_priority(inbox->rush, inbox->readable);
		return;
	}
	if (r != -EPIPE && r != -ECONNRESET)
		log_warning("handoff: no further connections are taken over: %s", strerror(-r));
	inbox->handler->on_end(inbox, inbox->arg);
}

/* False: it could not be said, and the other side would wait for it in vain. (What else goes wrong is seen when something is read.) */
static bool
greet(int fd)
{
	unsigned char data[HANDOFF_MESSAGE_MAX];

	return !socket_may_retry(socket_send(fd, data, handoff_answers_write(data, NULL, 0), NULL, 0));
}

struct inbox *
inbox_new(struct event_base *base, struct rush *rush, int fd, const struct inbox_handler *handler, void *arg)
{
	struct inbox *inbox = calloc(1, sizeof(*inbox));

	if (!inbox)
		return NULL;
	*inbox = (struct inbox){ .handler = handler, .arg = arg, .fd = -1, .rush = rush };
	inbox->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, inbox);
	if (!inbox->readable || event_priority_set(inbox->readable, rush->priority) < 0 ||
		event_add(inbox->readable, NULL) < 0 || !greet(fd)) {
		inbox_free(inbox);
		return NULL;
	}
	inbox->fd = fd;
	return inbox;
}

void
inbox_free(struct inbox *inbox)
{
	if (!inbox)
		return;
	if (inbox->readable)
		event_free(inbox->readable);
	fd_close(&inbox->fd);
	free(inbox);
}
