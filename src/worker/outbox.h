/*
 * One way out: a socket to a worker that takes over connections. Offers go out, answers come back, and until a connection is
 * answered for it stays here, frozen.
 *
 *	offered ──adopted──────────▶ gone
 *	        ──refused──────────▶ not wanted there
 *	        ──the outbox ends──▶ taken back
 *
 * Nothing is offered before the other side has greeted: a program that knows nothing of all this, or that hangs, costs no client
 * anything.
 *
 * No connection is ever served twice: the other side serves only after it has sent `adopted`, and here nothing is taken back
 * before all that it has sent was read, and it can send no more (outbox_end).
 */
#ifndef WORKER_OUTBOX_H
#define WORKER_OUTBOX_H

#include "base/clock.h"
#include "ipc/handoff.h"
#include "service/service.h"
#include "worker/rush.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Connections that may be under way at a time. Their descriptors count against the user's RLIMIT_NOFILE while nobody has
 * received them; and all of them stand still until they are answered for.
 */
#define OUTBOX_WINDOW 256

/* How long the other worker may take to greet, and leave offers unanswered. It does so from its event loop, within milliseconds. */
#define OUTBOX_TIMEOUT_US (2 * US_PER_SEC)

/* How soon it is tried again when too many descriptors of this user are on their way (ETOOMANYREFS). */
#define OUTBOX_RETRY_US (2 * US_PER_MS)

TAILQ_HEAD(service_connection_list, service_connection);

enum outbox_answer {
	OUTBOX_ADOPTED,
	OUTBOX_REFUSED,
	OUTBOX_RETURNED, /* there was no answer, and will be none */
};

struct outbox;

/* None of these may end the outbox. */
struct outbox_handler {
	/* Unless it is adopted, it is still frozen. It is in no list any more. */
	void (*on_answer)(struct service_connection *connection, enum outbox_answer answer, void *arg);
	/* It was greeted, or there is room again. */
	void (*on_room)(void *arg);
	/* It has ended; everything under way has been answered for before. To be freed by whoever has it, now or later. */
	void (*on_end)(struct outbox *outbox, void *arg);
};

struct outbox {
	TAILQ_ENTRY(outbox) entry; /* its owner's */
	const struct outbox_handler *handler;
	void *arg;
	int fd; /* -1: it has ended */
	struct event *readable, *writable, *retry, *timeout;
	struct rush *rush;
	bool greeted;
	struct handoff_writer writer; /* offers that are not sent yet */
	struct service_connection_list transit;
	size_t n_transit;
	uint64_t last_id;
	uint64_t share, given; /* connections given, taken-back ones too */
};

TAILQ_HEAD(outbox_list, outbox);

/* Takes `fd` on success. Its events are of `rush`, which has to outlive it. NULL: no memory. */
struct outbox *outbox_new(struct event_base *base, struct rush *rush, int fd, uint64_t share,
	const struct outbox_handler *handler, void *arg);

/* One that has ended. NULL is fine. */
void outbox_free(struct outbox *outbox);

/* Can another connection be offered now? Not before it was greeted. */
bool outbox_has_room(const struct outbox *outbox);

/*
 * Freezes the connection and offers it; until it is answered for it is in the outbox's list. There must be room. 0; -EMFILE: there are
 * descriptors for it when others have been answered for; or what service_ops.freeze has said: then it goes on as it did.
 */
int outbox_offer(struct outbox *outbox, const struct service_ops *service,
	const struct service_identity *identity, struct service_connection *connection);

/* Is there an answer to come, or the greeting? */
bool outbox_expects(const struct outbox *outbox);

/* Reads what has come. May end it. */
void outbox_read(struct outbox *outbox);

/* Sends the offers that were collected. Errors show as the outbox's end, from the event loop. */
void outbox_flush(struct outbox *outbox);

/* Ends it: what is not answered for is taken back. Calls on_answer and on_end. Nothing happens if it has ended. */
void outbox_end(struct outbox *outbox);

#endif
