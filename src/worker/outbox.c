/*
 * One way out.
 */
#include "worker/outbox.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

/* Messages that are read before others have their turn; an honest heir rarely has more than a few for us. */
#define ANSWERS_AT_A_TIME 64

/* How often what was sent is read to its end before it is given up: there may be no memory for a moment, but it has to be read. */
enum { END_ATTEMPTS = 1000 };

static void
set_timer(struct event *timer, uint64_t us)
{
	struct timeval tv = clock_timeval(us);

	event_add(timer, &tv);
}

/* ---- answers ---- */

static void
settle(struct outbox *o, struct service_connection *connection, enum outbox_answer answer)
{
	TAILQ_REMOVE(&o->transit, connection, entry);
	o->n_transit--;
	o->handler->on_answer(connection, answer, o->arg);
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
	settle(o, connection, answer->adopted ? OUTBOX_ADOPTED : OUTBOX_REFUSED);
	return 0;
}

static int
take_answers(struct outbox *o, const unsigned char *data, size_t len)
{
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	int n = handoff_answers_read(answers, data, len), r = n < 0 ? n : 0;

	o->greeted = o->greeted || r == 0;
	for (int i = 0; r == 0 && i < n; i++)
		r = take_answer(o, &answers[i]);
	if (r < 0)
		log_error("handoff: not an answer: %s", strerror(-r));
	return r;
}

/*
 * Reads what has come, up to `max` messages. 0: there may be more; negative: never.
 *
 * When the other side dies with an offer of ours unread, the kernel says ECONNRESET before it gives out the answers that
 * were sent before. Taking that for the end would take back what is served there: so reading goes on to the end of file.
 */
static int
read_answers(struct outbox *o, unsigned max)
{
	unsigned char data[HANDOFF_MESSAGE_MAX];
	int resets = 0, r;

	while (max-- > 0) {
		size_t no_fds = 0;
		ssize_t len = socket_receive(o->fd, data, sizeof(data), NULL, &no_fds);

		if (len == -ECONNRESET && resets++ == 0)
			continue;
		if (len == -EINTR)
			continue;
		if (socket_may_retry(len))
			return 0;
		if (len <= 0)
			return len < 0 ? (int)len : -EPIPE;
		r = take_answers(o, data, (size_t)len);
		if (r < 0)
			return r;
	}
	return 0;
}

void
outbox_end(struct outbox *o)
{
	struct service_connection *connection;

	if (o->fd < 0)
		return;
	event_del(o->readable);
	event_del(o->writable);
	event_del(o->retry);
	event_del(o->timeout);
	/* from here on the other side can say `adopted` no more; what it has said is read */
	shutdown(o->fd, SHUT_RDWR);
	for (int i = 0; i < END_ATTEMPTS && read_answers(o, UINT_MAX) == 0; i++)
		;
	fd_close(&o->fd);
	while ((connection = TAILQ_FIRST(&o->transit))) {
		/* its copies over there are closed when they are read, or their holder dies; maybe much later */
		connection->lent = true;
		settle(o, connection, OUTBOX_RETURNED);
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

bool
outbox_expects(const struct outbox *o)
{
	return o->fd >= 0 && (o->n_transit > 0 || !o->greeted);
}

void
outbox_read(struct outbox *o)
{
	size_t before = o->n_transit;

	if (read_answers(o, ANSWERS_AT_A_TIME) < 0) {
		outbox_end(o);
		return;
	}
	/* what answers for nothing earns no patience */
	if (o->n_transit < before || before == 0)
		await_answers(o);
	o->handler->on_room(o->arg);
}

/* event: an answer, or the other side's end */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;

	(void)fd;
	(void)what;
	rush_set_priority(o->rush, o->readable);
	outbox_read(o);
}

/*
 * event: the other side has left offers unanswered for too long. Or it was we who stood still, and its answers wait: they are read first,
 * as this event may come before theirs.
 */
static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;
	size_t before = o->n_transit;
	bool greeted = o->greeted;

	(void)fd;
	(void)what;
	if (read_answers(o, ANSWERS_AT_A_TIME) == 0 && (o->n_transit < before || o->greeted != greeted)) {
		await_answers(o);
		o->handler->on_room(o->arg);
		return;
	}
	log_warning("handoff: no %s within %.0f s: %zu connections are taken back",
		o->greeted ? "answer" : "greeting", (double)OUTBOX_TIMEOUT_US / US_PER_SEC, o->n_transit);
	outbox_end(o);
}

/* ---- offers ---- */

bool
outbox_has_room(const struct outbox *o)
{
	return o->fd >= 0 && o->greeted && o->n_transit < OUTBOX_WINDOW &&
	       !handoff_writer_is_full(&o->writer);
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
		outbox_flush(o); /* what is sent frees descriptors */
		return r == -EBUSY || (r == -EMFILE && o->n_transit == 0) ? -EIO : r;
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
	else if (socket_may_retry(r))
		event_add(o->retry, &retry);
	else if (r < 0)
		event_active(o->readable, EV_READ, 0); /* which reads up to the end */
}

/* event: there is room for offers, or (retry) a pause is over */
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

enum { OUTBOX_EVENTS = 4 };

static void
list_events(const struct outbox *o, struct event *ret[static OUTBOX_EVENTS])
{
	ret[0] = o->readable;
	ret[1] = o->writable;
	ret[2] = o->retry;
	ret[3] = o->timeout;
}

/* -1, too, when there was no memory for one. */
static int
set_priority(const struct outbox *o, int priority)
{
	struct event *events[OUTBOX_EVENTS];

	list_events(o, events);
	for (size_t i = 0; i < OUTBOX_EVENTS; i++)
		if (!events[i] || event_priority_set(events[i], priority) < 0)
			return -1;
	return 0;
}

struct outbox *
outbox_new(struct event_base *base, struct rush *rush, int fd, uint64_t share,
	const struct outbox_handler *handler, void *arg)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	*o = (struct outbox){ .handler = handler, .arg = arg, .fd = -1, .rush = rush, .share = share };
	TAILQ_INIT(&o->transit);
	o->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, o);
	o->writable = event_new(base, fd, EV_WRITE, on_writable, o);
	o->retry = evtimer_new(base, on_writable, o);
	o->timeout = evtimer_new(base, on_timeout, o);
	if (set_priority(o, rush->priority) < 0 || event_add(o->readable, NULL) < 0) {
		outbox_free(o);
		return NULL;
	}
	set_timer(o->timeout, OUTBOX_TIMEOUT_US);
	o->fd = fd;
	return o;
}

void
outbox_free(struct outbox *o)
{
	struct event *events[OUTBOX_EVENTS];

	if (!o)
		return;
	list_events(o, events);
	for (size_t i = 0; i < OUTBOX_EVENTS; i++)
		if (events[i])
			event_free(events[i]);
	free(o);
}
