/*
 * A relayed connection: a client, an upstream, and what is on its way between them.
 */
#ifndef SERVICE_PROXY_RELAY_H
#define SERVICE_PROXY_RELAY_H

#include "service/proxy/dial.h"
#include "service/proxy/proxy.h"

#include <event2/event_struct.h>

/* While no upstream takes a connection, it is tried again so often: there is no event for it. */
#define RELAY_RETRY_US (20 * US_PER_MS)

/* With so many sends to its upstream a connection is no short one, and small messages must not wait for each other. */
#define RELAY_PROMPT_SENDS 2

/* One of the two sockets. */
struct relay_end {
	struct event event; /* its descriptor, -1: none */
	short awaited;      /* what the event waits for; 0: nothing, it is not added */
};

struct relay {
	struct service_connection host; /* first: the host's part */
	struct proxy *proxy;
	enum relay_state state;    /* one writer: relay_input */
	struct upstream *upstream; /* CONNECTING, RELAYING; else NULL */
	struct relay_end client, server;
	struct flow up, down;                /* from the client, to the client */
	unsigned char sends;                 /* to the upstream, as far as RELAY_PROMPT_SENDS */
	struct later_entry keepalive, watch; /* what only connections need that last */
	struct dialing *dialing;             /* NULL: RELAYING */
	struct event *timer;                 /* NULL: none was needed yet */
	uint64_t deadline_us;                /* of the state, where it has one; clock_now_us */
	uint64_t active_us;                  /* when bytes were last read, if there is an idle_timeout */
};

/* One in this state, frozen, that has the client's descriptor and what dialing needs. NULL: no memory. */
struct relay *relay_new(struct proxy *proxy, int fd, enum relay_state state);

/* Closes nothing: what the descriptors are is the caller's business. */
void relay_free(struct relay *relay);

/* Begins, or goes on, once the loop comes to it. */
void relay_schedule(struct relay *relay);

/* Waits for nothing any more, until relay_thaw. */
void relay_freeze(struct relay *relay);
void relay_thaw(struct relay *relay);

/* Closes both sides, and tells the host. */
void relay_cut(struct relay *relay);

/* Takes an upstream as its own, with a descriptor. */
void relay_attach(struct relay *relay, struct upstream *upstream, int fd);

/* An input of the state table. On RELAY_CLOSED it is gone when this returns. */
void relay_input(struct relay *relay, enum relay_input input);

/* What is due for a relay after a while: later_fn functions. */
void relay_keep_alive(struct later_entry *entry);
void relay_watch(struct later_entry *entry);

/* All that wait may choose again. */
void relay_wake_waiting(struct proxy *proxy);

static inline int
relay_end_fd(const struct relay_end *end)
{
	return event_get_fd(&end->event);
}

#endif
