/*
 * All connections of a worker, and where they go.
 */
#include "worker/handover.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

/* ---- states ---- */

/* The one writer of the state. */
static void
move_to(struct handover *h, struct service_connection *c, enum service_connection_state state)
{
	if (c->state != SERVICE_CONNECTION_IN_TRANSIT)
		TAILQ_REMOVE(&h->list[c->state], c, entry);
	c->state = state;
	if (state != SERVICE_CONNECTION_IN_TRANSIT)
		TAILQ_INSERT_TAIL(&h->list[state], c, entry);
}

/* It stays here, and should come to its end. */
static void
retire(struct handover *h, struct service_connection *c)
{
	move_to(h, c, SERVICE_CONNECTION_RETIRED);
	if (h->ops->retire)
		h->ops->retire(c);
}

/* Those that were there when the call began; one may end, others may not. */
static void
retire_all(struct handover *h, enum service_connection_state state)
{
	struct service_connection *c;

	while ((c = TAILQ_FIRST(&h->list[state])))
		retire(h, c);
}

static void
move_all(struct handover *h, enum service_connection_state from, enum service_connection_state to)
{
	struct service_connection *c;

	while ((c = TAILQ_FIRST(&h->list[from])))
		move_to(h, c, to);
}

/* ---- out ---- */

/* Has it given less of its share than the other has? */
static bool
is_behind(const struct outbox *a, const struct outbox *b)
{
	return a->given * b->share < b->given * a->share;
}

/* Where the next connection should go; NULL: nowhere, for now. One that is quicker than others gets no more than its share. */
static struct outbox *
choose_outbox(struct handover *h)
{
	struct outbox *o, *best = NULL;

	TAILQ_FOREACH(o, &h->outboxes, entry)
		if (outbox_has_room(o) && (!best || is_behind(o, best)))
			best = o;
	return best && best->n_transit < h->window ? best : NULL;
}

/* Offers one. False when there is no room for any. */
static bool
offer(struct handover *h, struct service_connection *c)
{
	struct outbox *o = choose_outbox(h);
	int r;

	if (!o)
		return false;
	move_to(h, c, SERVICE_CONNECTION_IN_TRANSIT);
	r = outbox_offer(o, h->ops, &h->identity, c);
	if (r == -EBUSY)
		move_to(h, c, SERVICE_CONNECTION_QUIESCING);
	else if (r == -EMFILE)
		move_to(h, c, SERVICE_CONNECTION_LEAVING);
	else if (r < 0)
		retire(h, c);
	return r != -EMFILE;
}

static bool
all_have_greeted(const struct handover *h)
{
	struct outbox *o;

	TAILQ_FOREACH(o, &h->outboxes, entry)
		if (!o->greeted)
			return false;
	return true;
}

static void
say_stranded(const struct handover *h)
{
	if (h->identity.version > 0 && h->handler->on_stranded)
		h->handler->on_stranded(h->arg);
}

/* Nobody is there to offer them to: they stay, unless another way out comes. */
static void
stay(struct handover *h)
{
	bool any = !TAILQ_EMPTY(&h->list[SERVICE_CONNECTION_LEAVING]) ||
	           !TAILQ_EMPTY(&h->list[SERVICE_CONNECTION_QUIESCING]);

	retire_all(h, SERVICE_CONNECTION_LEAVING);
	retire_all(h, SERVICE_CONNECTION_QUIESCING);
	if (any)
		say_stranded(h);
}

static void
hurry(struct handover *h)
{
	h->window = OUTBOX_WINDOW;
	h->rush.end_us = 0; /* it begins now; there may have been one, as an heir */
}

/* All heirs are there, and few connections. */
static void
go_gently(struct handover *h)
{
	struct timeval tv = clock_timeval(h->few_us);

	h->window = HANDOVER_FEW_WINDOW;
	rush_end(&h->rush);
	if (event_add(&h->few_over, &tv) < 0)
		hurry(h);
}

/* Offers as many as there is room for. */
static void
pump(struct handover *h)
{
	struct service_connection *c;
	struct outbox *o;

	if (!h->begun)
		return;
	if (TAILQ_EMPTY(&h->outboxes)) {
		stay(h);
		return;
	}
	if (!all_have_greeted(h))
		return;
	if (h->window == 0)
		go_gently(h);
	while ((c = TAILQ_FIRST(&h->list[SERVICE_CONNECTION_LEAVING])) && offer(h, c))
		;
	TAILQ_FOREACH(o, &h->outboxes, entry)
		outbox_flush(o);
}

/* of outbox_handler */
static void
on_answer(struct service_connection *c, enum outbox_answer answer, void *arg)
{
	struct handover *h = arg;

	if (answer == OUTBOX_ADOPTED) {
		h->ops->forget(c);
		h->handler->on_handed(h->arg);
		return;
	}
	h->ops->thaw(c);
	if (answer == OUTBOX_REFUSED)
		retire(h, c);
	else
		move_to(h, c, SERVICE_CONNECTION_LEAVING); /* on_outbox_end sees where it goes from there */
}

/* of outbox_handler */
static void
on_room(void *arg)
{
	pump(arg);
}

/* of outbox_handler */
static void
on_outbox_end(struct outbox *o, void *arg)
{
	struct handover *h = arg;

	TAILQ_REMOVE(&h->outboxes, o, entry);
	outbox_free(o);
	pump(h);
}

void
handover_add_outbox(struct handover *h, int fd, uint64_t share)
{
	static const struct outbox_handler handler = {
		.on_answer = on_answer, .on_room = on_room, .on_end = on_outbox_end
	};
	struct outbox *o = NULL;

	if (h->identity.version > 0)
		o = outbox_new(h->base, &h->rush, fd, share, &handler, h);
	if (!o) {
		fd_close(&fd);
		if (h->begun && TAILQ_EMPTY(&h->outboxes) &&
			!TAILQ_EMPTY(&h->list[SERVICE_CONNECTION_RETIRED]))
			say_stranded(h);
		return;
	}
	TAILQ_INSERT_TAIL(&h->outboxes, o, entry);
	/* the drain goes on already: those that were to end here may go after all */
	if (h->begun)
		move_all(h, SERVICE_CONNECTION_RETIRED, SERVICE_CONNECTION_LEAVING);
	pump(h);
}

/* ---- in ---- */

/* The host's fields of a record, in their order; then the service's are left. */
static int
read_host_fields(const struct service_identity *identity, struct handoff_record *record,
	struct service_connection *ret)
{
	struct handoff_field field;
	uint64_t version;

	if (handoff_next(record, &field) <= 0 || field.tag != HANDOFF_TAG_SERVICE ||
		field.len != strlen(identity->type) || memcmp(field.data, identity->type, field.len) != 0)
		return -EPROTOTYPE;
	if (handoff_next(record, &field) <= 0 || field.tag != HANDOFF_TAG_SERVICE_VERSION ||
		handoff_field_number(&field, &version) < 0 || version != identity->version)
		return -EPROTONOSUPPORT;
	if (handoff_next(record, &field) <= 0 || field.tag != HANDOFF_TAG_ACCEPTED ||
		handoff_field_number(&field, &ret->accepted_us) < 0)
		return -EBADMSG;
	if (handoff_next(record, &field) <= 0 || field.tag != HANDOFF_TAG_MOVES ||
		handoff_field_number(&field, &ret->moves) < 0)
		return -EBADMSG;
	return 0;
}

/* of inbox_handler */
static int
adopt(struct handoff_record *record, struct service_connection **ret, void *arg)
{
	struct handover *h = arg;
	/* who gave it has a copy for a while: when it reads that it was adopted, or is ended itself */
	struct service_connection host = { .state = SERVICE_CONNECTION_ACTIVE, .lent = true };
	int r;

	if (h->identity.version == 0)
		return -ENOTSUP;
	r = read_host_fields(&h->identity, record, &host);
	if (r == 0)
		r = h->ops->adopt(h->service, record, ret);
	if (r < 0)
		return r;
	**ret = host;
	h->handler->on_taken(h->arg);
	return 0;
}

/* of inbox_handler */
static void
on_adopted(struct service_connection *c, void *arg)
{
	struct handover *h = arg;

	TAILQ_INSERT_TAIL(&h->list[c->state], c, entry);
	h->handler->on_adopted(h->arg);
	h->ops->thaw(c);
}

/* of inbox_handler */
static void
on_lost(struct service_connection *c, void *arg)
{
	struct handover *h = arg;

	h->ops->forget(c);
	h->handler->on_lost(h->arg);
}

/* of inbox_handler */
static void
on_inbox_end(struct inbox *inbox, void *arg)
{
	struct handover *h = arg;

	TAILQ_REMOVE(&h->inboxes, inbox, entry);
	inbox_free(inbox);
}

void
handover_add_inbox(struct handover *h, int fd)
{
	static const struct inbox_handler handler = {
		.adopt = adopt, .on_adopted = on_adopted, .on_lost = on_lost, .on_end = on_inbox_end
	};
	struct inbox *inbox = h->begun ? NULL : inbox_new(h->base, &h->rush, fd, &handler, h);

	if (inbox)
		TAILQ_INSERT_TAIL(&h->inboxes, inbox, entry);
	else
		fd_close(&fd);
}

static void
close_inboxes(struct handover *h)
{
	struct inbox *inbox;

	while ((inbox = TAILQ_FIRST(&h->inboxes)))
		on_inbox_end(inbox, h);
}

/* ---- what the worker tells ---- */

enum { HEIRS_WATCHED = 32 }; /* more than there are */

static void
end_outboxes(struct handover *h)
{
	struct outbox *o;

	while ((o = TAILQ_FIRST(&h->outboxes)))
		outbox_end(o);
}

void
handover_done(struct handover *h)
{
	if (!h->ops)
		return;
	end_outboxes(h);
	event_del(&h->few_over); /* which the end of one may have set, for those that were left */
	close_inboxes(h);
	for (size_t i = 0; i < SERVICE_CONNECTION_STATES; i++)
		assert(TAILQ_EMPTY(&h->list[i]));
}

void
handover_add(struct handover *h, struct service_connection *c)
{
	*c = (struct service_connection){ .state = SERVICE_CONNECTION_ACTIVE, .accepted_us = clock_now_us() };
	TAILQ_INSERT_TAIL(&h->list[c->state], c, entry);
}

void
handover_remove(struct handover *h, struct service_connection *c)
{
	TAILQ_REMOVE(&h->list[c->state], c, entry);
}

void
handover_movable(struct handover *h, struct service_connection *c)
{
	if (c->state != SERVICE_CONNECTION_QUIESCING)
		return;
	move_to(h, c, SERVICE_CONNECTION_LEAVING);
	pump(h);
}

/* Those of whom something is to come, as far as there is room. */
static size_t
list_expected(struct handover *h, struct outbox *ret[static HEIRS_WATCHED], struct pollfd *fds)
{
	struct outbox *o;
	size_t n = 0;

	TAILQ_FOREACH(o, &h->outboxes, entry)
		if (n < HEIRS_WATCHED && outbox_expects(o)) {
			fds[n] = (struct pollfd){ .fd = o->fd, .events = POLLIN };
			ret[n++] = o;
		}
	return n;
}

/* Waits, not in the loop, where connections would have their turn in between, for each answer and offers more. */
static void
rush_out(struct handover *h)
{
	struct outbox *outbox[HEIRS_WATCHED];
	struct pollfd fds[HEIRS_WATCHED];
	struct timespec left;
	uint64_t left_us;
	size_t n, i;

	while ((left_us = rush_left_us(&h->rush)) > 0 && (n = list_expected(h, outbox, fds)) > 0) {
		left = clock_timespec(left_us);
		if (ppoll(fds, n, &left, NULL) <= 0)
			return;
		for (i = 0; i < n - 1 && fds[i].revents == 0; i++)
			;
		outbox_read(outbox[i]); /* which may end it */
	}
}

/* event: the few that have gone so far have taken long enough, or their heirs have */
static void
on_few_over(evutil_socket_t fd, short what, void *arg)
{
	struct handover *h = arg;

	(void)fd;
	(void)what;
	hurry(h);
	pump(h);
	rush_out(h);
}

void
handover_init(struct handover *h, struct event_base *base, int priority, const struct service_ops *ops,
	void *service, const struct handover_handler *handler, void *arg)
{
	*h = (struct handover){
		.base = base,
		.rush = { .priority = priority, .length_us = RUSH_US },
		.few = HANDOVER_FEW,
		.few_us = HANDOVER_FEW_US,
		.ops = ops,
		.service = service,
		.identity = service_identify(ops, service),
		.handler = handler,
		.arg = arg,
	};
	for (size_t i = 0; i < SERVICE_CONNECTION_STATES; i++)
		TAILQ_INIT(&h->list[i]);
	TAILQ_INIT(&h->outboxes);
	TAILQ_INIT(&h->inboxes);
	evtimer_assign(&h->few_over, base, on_few_over, h);
	event_priority_set(&h->few_over, priority);
}

static bool
more_than_few_leave(const struct handover *h)
{
	const struct service_connection *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &h->list[SERVICE_CONNECTION_LEAVING], entry)
		if (++n > h->few)
			return true;
	return false;
}

void
handover_begin(struct handover *h)
{
	h->begun = true;
	/* what is offered to this worker now is better off with one that stays */
	close_inboxes(h);
	move_all(h, SERVICE_CONNECTION_ACTIVE, SERVICE_CONNECTION_LEAVING);
	if (more_than_few_leave(h))
		hurry(h);
	pump(h);
	if (h->window == OUTBOX_WINDOW)
		rush_out(h);
}

void
handover_cut(struct handover *h)
{
	struct service_connection *c;

	h->begun = true;
	close_inboxes(h);
	end_outboxes(h);
	for (size_t i = 0; i < SERVICE_CONNECTION_STATES; i++)
		while ((c = TAILQ_FIRST(&h->list[i])))
			h->ops->cut(c);
}
