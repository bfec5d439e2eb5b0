/*
 * One way out.
 */
#include "worker/outbox.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

static void
set_timer(struct event *timer, uint64_t us)
{
	struct timeval tv = clock_timeval(us);

	event_add(timer, &tv);
}

/* ---- answers ---- */

static void
settle(struct outbox *o, struct service_connection *connection, bool adopted)
{
	TAILQ_REMOVE(&o->transit, connection, entry);
	o->n_transit--;
	o->handler->on_answer(connection, adopted, o->arg);
}

static int
take_answer(struct outbox *o, const struct handoff_answer *answer)
{
	struct service_connection *connection;

	/* they come in the order of the offers, so this finds it at once */
	TAILQ_FOREACH(connection, &o->transit, entry)
		if (connection->id == answer->id)
			break;
	if (!connection)
		return -EBADMSG;
	settle(o, connection, answer->adopted);
	return 0;
}

static int
take_answers(struct outbox *o, const unsigned char *data, size_t len)
{
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	int n = handoff_answers_read(answers, data, len), r = n < 0 ? n : 0;

	for (int i = 0; r == 0 && i < n; i++)
		r = take_answer(o, &answers[i]);
	if (r < 0)
		log_error("handoff: not an answer: %s", strerror(-r));
	return r;
}

/*
 * Reads what has come. 0: there may be more later; negative: never.
 *
 * When the other side dies with an offer of ours unread, the kernel says ECONNRESET before it gives out the answers that
 * were sent before. Taking that for the end would take back what is served there: so reading goes on to the end of file.
 */
static int
read_answers(struct outbox *o)
{
	unsigned char data[HANDOFF_MESSAGE_MAX];
	int resets = 0, r;

	for (;;) {
		size_t no_fds = 0;
		ssize_t len = socket_receive(o->fd, data, sizeof(data), NULL, &no_fds);

		if (len == -ECONNRESET && resets++ == 0)
			continue;
		if (len == -EINTR)
			continue;
		if (len == -EAGAIN)
			return 0;
		if (len <= 0)
			return len < 0 ? (int)len : -EPIPE;
		r = take_answers(o, data, (size_t)len);
		if (r < 0)
			return r;
	}
}

void
outbox_end(struct outbox *o)
{
	struct service_connection *connection;

	if (o->fd < 0)
		return;
	event_del(o->readable);
	event_del(o->writable);
	event_del(o->timeout);
	/* from here on the other side can say `adopted` no more; what it has said is read */
	shutdown(o->fd, SHUT_RDWR);
	(void)read_answers(o);
	fd_close(&o->fd);
	while ((connection = TAILQ_FIRST(&o->transit))) {
		/* its copies over there are closed when they are read, or their holder dies; maybe much later */
		connection->lent = true;
		settle(o, connection, false);
	}
	handoff_writer_done(&o->writer);
	o->handler->on_end(o, o->arg);
}

static void
await_answers(struct outbox *o)
{
	if (o->n_transit > 0)
		set_timer(o->timeout, OUTBOX_TIMEOUT_US);
	else
		event_del(o->timeout);
}

/* event: an answer, or the other side's end */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;

	(void)fd;
	(void)what;
	if (read_answers(o) < 0) {
		outbox_end(o);
		return;
	}
	await_answers(o);
	o->handler->on_room(o->arg);
}

/* event: the other side has left offers unanswered for too long */
static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;

	(void)fd;
	(void)what;
	log_warning("handoff: no answer within %.0f s: %zu connections are taken back",
		(double)OUTBOX_TIMEOUT_US / US_PER_SEC, o->n_transit);
	outbox_end(o);
}

/* ---- offers ---- */

bool
outbox_has_room(const struct outbox *o)
{
	return o->fd >= 0 && o->n_transit < OUTBOX_WINDOW && !handoff_writer_is_full(&o->writer);
}

int
outbox_offer(struct outbox *o, const struct service_ops *service, const struct service_identity *identity,
	struct service_connection *connection)
{
	struct handoff_writer *w = &o->writer;
	int r;

	connection->id = ++o->last_id;
	handoff_writer_begin(w, connection->id);
	handoff_put_bytes(w, HANDOFF_TAG_SERVICE, identity->type, strlen(identity->type));
	handoff_put_number(w, HANDOFF_TAG_SERVICE_VERSION, identity->version);
	handoff_put_number(w, HANDOFF_TAG_ACCEPTED, connection->accepted_us);
	handoff_put_number(w, HANDOFF_TAG_MOVES, connection->moves + 1);
	r = service->freeze(connection, w);
	if (r < 0) {
		handoff_writer_cancel(w);
		return r;
	}
	r = handoff_writer_end(w);
	if (r < 0) {
		log_debug("handoff: a connection cannot be described: %s", strerror(-r));
		service->thaw(connection);
		return r == -EBUSY ? -EIO : r;
	}
	TAILQ_INSERT_TAIL(&o->transit, connection, entry);
	o->n_transit++;
	o->given++;
	if (handoff_writer_is_full(w))
		outbox_flush(o);
	return 0;
}

void
outbox_flush(struct outbox *o)
{
	struct timeval retry = clock_timeval(OUTBOX_RETRY_US);
	int r;

	if (o->fd < 0 || o->writer.n_records == 0)
		return;
	r = handoff_writer_send(&o->writer, o->fd);
	if (!event_pending(o->timeout, EV_TIMEOUT, NULL))
		await_answers(o);
	if (r == -EAGAIN)
		event_add(o->writable, NULL);
	else if (r == -ETOOMANYREFS)
		event_add(o->writable, &retry);
	else if (r < 0)
		event_active(o->readable, EV_READ, 0); /* which reads up to the end */
}

/* event: there is room for offers, or a pause is over */
static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;

	(void)fd;
	(void)what;
	outbox_flush(o);
	o->handler->on_room(o->arg);
}

/* ---- life ---- */

struct outbox *
outbox_new(struct event_base *base, int priority, int fd, uint64_t share,
	const struct outbox_handler *handler, void *arg)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	*o = (struct outbox){ .handler = handler, .arg = arg, .fd = -1, .share = share };
	TAILQ_INIT(&o->transit);
	o->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, o);
	o->writable = event_new(base, fd, EV_WRITE, on_writable, o);
	o->timeout = evtimer_new(base, on_timeout, o);
	if (!o->readable || !o->writable || !o->timeout || event_priority_set(o->readable, priority) < 0 ||
		event_priority_set(o->writable, priority) < 0 ||
		event_priority_set(o->timeout, priority) < 0 || event_add(o->readable, NULL) < 0) {
		outbox_free(o);
		return NULL;
	}
	o->fd = fd;
	return o;
}

void
outbox_free(struct outbox *o)
{
	if (!o)
		return;
	if (o->readable)
		event_free(o->readable);
	if (o->writable)
		event_free(o->writable);
	if (o->timeout)
		event_free(o->timeout);
	free(o);
}
