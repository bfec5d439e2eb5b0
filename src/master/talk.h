/*
 * What all workers say to the master. Who talks without pause would keep the clients of the control socket from being heard, who come
 * behind all else: so after a while those have a turn, each of them, and the talkers stand in their line.
 */
#ifndef MASTER_TALK_H
#define MASTER_TALK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/* Such talk as may go on between two turns of the clients: microseconds of the master's work. */
#define TALK_US 1000

struct talk {
	uint64_t heard_us;  /* since the clients had their turn */
	struct event *turn; /* behind the clients that wait */
};

/* No base: in a trial, in which nobody is heard. False: no memory. */
bool talk_init(struct talk *talk, struct event_base *base);
void talk_done(struct talk *talk);

/* An event begins in which something is heard; it must not be active. Returns when, for talk_heard. */
uint64_t talk_begins(const struct talk *talk, struct event *event);

/* It has been heard, and what came of it. */
void talk_heard(struct talk *talk, uint64_t began_us);

#endif
