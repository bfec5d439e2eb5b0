/*
 * All connections of a worker, and where they go when it drains: to another worker, as soon as one takes them, or to their end.
 *
 *	          told to drain                  freeze: now
 *	ACTIVE ────────────────────▶ LEAVING ───────────────▶ IN_TRANSIT ──adopted──▶ gone
 *	                               ▲  │ not now                │
 *	                       movable │  ▼                        │ refused
 *	                             QUIESCING                     ▼
 *	                               └──nobody there──────▶  RETIRED ──▶ ends here
 *
 * Those that are under way to a worker that dies are LEAVING again: another one may take them. LEAVING ones go nowhere before
 * every worker that is to take some has greeted, or failed to, so that each gets its share even of a few.
 *
 * A worker that comes later still gets those that are RETIRED. handover.c's `move_to` is the one writer of a connection's state.
 */
#ifndef WORKER_HANDOVER_H
#define WORKER_HANDOVER_H

#include "service/service.h"
#include "worker/inbox.h"
#include "worker/outbox.h"

#include <event2/event_struct.h>
#include <stdbool.h>

/*
 * So few connections go a few at a time, among the requests of those that are still here or already there: what a client may have to wait
 * for is the move of a few others. That takes longer the busier they are, and nobody waits long for an heir that is slow: after some time
 * the rest goes in a rush (rush.h), as more of them do at once.
 */
#define HANDOVER_FEW        256
#define HANDOVER_FEW_WINDOW 8
#define HANDOVER_FEW_US     (5 * US_PER_MS)

struct handover_handler {
	/*
	 * One connection more, which another worker offers. This comes before that one knows, so that there is no moment at which nobody
	 * counts it; and one of the next two follows.
	 */
	void (*on_taken)(void *arg);
	/* It is ours. */
	void (*on_adopted)(void *arg);
	/* It is not: the other worker could not be told. */
	void (*on_lost)(void *arg);
	/* One less: another worker has it. */
	void (*on_handed)(void *arg);
	/* There are connections that could go, and no way out, or none any more. NULL: nobody wants to know. */
	void (*on_stranded)(void *arg);
};

struct handover {
	struct event_base *base;
	struct rush rush; /* of the events that handing over takes */
	const struct service_ops *ops;
	void *service;
	struct service_identity identity;
	const struct handover_handler *handler;
	void *arg;
	struct service_connection_list
		list[SERVICE_CONNECTION_STATES]; /* but IN_TRANSIT: those are in outboxes */
	struct outbox_list outboxes;
	struct inbox_list inboxes;
	bool begun;
	size_t few;            /* HANDOVER_FEW */
	uint64_t few_us;       /* HANDOVER_FEW_US */
	struct event few_over; /* timer */
	size_t window; /* connections that may be under way to each heir; 0: few, and not all heirs have greeted */
};

/* `ops` and `service` as they were started. */
void handover_init(struct handover *handover, struct event_base *base, int priority,
	const struct service_ops *ops, void *service, const struct handover_handler *handler, void *arg);

/* Frees; there must be no connections. All zero is fine. */
void handover_done(struct handover *handover);

/* A connection that was accepted from a client. */
void handover_add(struct handover *handover, struct service_connection *connection);

/* One that has ended (service_host.ended). */
void handover_remove(struct handover *handover, struct service_connection *connection);

/* One that was busy is no more (service_host.movable). */
void handover_movable(struct handover *handover, struct service_connection *connection);

/* A way out, or in. The descriptor is taken. */
void handover_add_outbox(struct handover *handover, int fd, uint64_t share);
void handover_add_inbox(struct handover *handover, int fd);

/*
 * The worker drains, and has accepted its last: every connection leaves, now or later. Takes over no more from others. If there are more
 * than HANDOVER_FEW, it does nothing else as long as they leave quickly, for RUSH_US at most.
 */
void handover_begin(struct handover *handover);

/* Every connection that is still here is cut. */
void handover_cut(struct handover *handover);

#endif
