/*
 * The worker's end of its handoff channel: a SOCK_SEQPACKET on which the master passes it outboxes, by which its
 * connections can go to another worker, and inboxes, by which those of another one come.
 */
#ifndef WORKER_CHANNEL_H
#define WORKER_CHANNEL_H

#include <event2/event.h>
#include <stdint.h>

struct channel;

struct channel_handler {
	/* The descriptor is the handler's from then on. `share`: see ipc/message.h. */
	void (*on_outbox)(int fd, uint64_t share, void *arg);
	void (*on_inbox)(int fd, void *arg);
};

/* Listens on `fd`, which stays the caller's, at the highest priority. NULL: no memory. */
struct channel *channel_new(
	struct event_base *base, int fd, const struct channel_handler *handler, void *arg);

/*
 * Takes what is there, without waiting for the event loop. The master passes outboxes before it says `drain`, but on another
 * descriptor; who has heard the one must look for the other.
 */
void channel_read(struct channel *channel);

/* NULL is fine. */
void channel_free(struct channel *channel);

#endif
