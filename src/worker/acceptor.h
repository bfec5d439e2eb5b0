/*
 * The accepting end of all listening sockets of a worker: bounded work for each wake-up, and pauses
 * instead of spinning when there is no room for another connection.
 */
#ifndef WORKER_ACCEPTOR_H
#define WORKER_ACCEPTOR_H

#include "worker/inheritance.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct acceptor;

struct acceptor_handler {
	/*
	 * A connected, non-blocking, close-on-exec descriptor. 0: taken; or negative errno, and it
	 * is closed again.
	 */
	int (*on_connection)(int fd, void *arg);
	/* The last listening socket is no good any more: no connection will ever come again. */
	void (*on_deaf)(void *arg);
};

/*
 * For the listening sockets of `inheritance`, which are taken out of it. Accepts nothing yet. NULL:
 * no memory.
 */
struct acceptor *acceptor_new(struct event_base *base, struct inheritance *inheritance,
	const struct acceptor_handler *handler, void *arg);

/* Closes the listening sockets. NULL is fine. */
void acceptor_free(struct acceptor *acceptor);

/* Accepts from now on. */
void acceptor_start(struct acceptor *acceptor);

/* While it is full nothing is accepted: connections wait in the queues of the listening sockets. */
void acceptor_set_full(struct acceptor *acceptor, bool full);

/*
 * Accepts what waits in the queues, full or not, and closes the listening sockets. A client whose
 * connection is in the queue believes that it is connected; it would be reset when the last holder
 * of the socket closes it.
 */
void acceptor_drain(struct acceptor *acceptor);

/* Closes the listening sockets, whatever waits in their queues. */
void acceptor_close(struct acceptor *acceptor);

#endif
