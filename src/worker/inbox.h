/*
 * One way in: a socket to a worker that drains and offers its connections. Each offer is answered: what could be made sense of
 * is adopted, all else refused. A connection is served from the moment on that `adopted` was sent, and if that can't
 * be sent, never. It begins with a greeting: the other side freezes nothing for somebody who may not be there.
 */
#ifndef WORKER_INBOX_H
#define WORKER_INBOX_H

#include "service/service.h"
#include "worker/rush.h"

#include <event2/event.h>

/* In a rush (rush.h), how long the next offer is waited for after one that was full: 64 connections are described in half of a millisecond. */
#define INBOX_PATIENCE_US (2 * US_PER_MS)

struct inbox;

struct inbox_handler {
	/* Adopts: as service_ops.adopt, but the host's fields have not been read yet. */
	int (*adopt)(struct handoff_record *record, struct service_connection **ret, void *arg);
	/* The other side knows: it is ours, and can begin. */
	void (*on_adopted)(struct service_connection *connection, void *arg);
	/* The other side can't be told: it is not ours. */
	void (*on_lost)(struct service_connection *connection, void *arg);
	/* The other side has no more, or broke the protocol. To be freed by whoever has it, now or later. */
	void (*on_end)(struct inbox *inbox, void *arg);
};

struct inbox {
	TAILQ_ENTRY(inbox) entry; /* its owner's */
	const struct inbox_handler *handler;
	void *arg;
	int fd;
	struct event *readable;
	struct rush *rush;
};

TAILQ_HEAD(inbox_list, inbox);

/* Takes `fd` on success, and greets. `rush`, which has to outlive it, begins with the first offer. NULL: no memory. */
struct inbox *inbox_new(
	struct event_base *base, struct rush *rush, int fd, const struct inbox_handler *handler, void *arg);

/* Closes it: what is offered and not answered stays with the other side. NULL is fine. */
void inbox_free(struct inbox *inbox);

#endif
