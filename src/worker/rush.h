/*
 * A short time in which handing over comes before all else. A thousand busy connections are better served when they are all over
 * there than on the way; but ten thousand idle ones take long, and nobody is to wait for them: so afterwards a handoff has its turn
 * among the connections, one packet at a time.
 */
#ifndef WORKER_RUSH_H
#define WORKER_RUSH_H

#include "base/clock.h"

#include <event2/event.h>
#include <stdint.h>

/* What the longest wait of a client grows by, on either side. */
#define RUSH_US (14 * US_PER_MS)

struct rush {
	int priority; /* of its events, at first */
	uint64_t length_us;
	uint64_t end_us; /* clock_now_us; 0: it has not begun */
};

/* How much is left of it. The first call begins it. */
uint64_t rush_left_us(struct rush *rush);

/* It is over, if it has begun or not. */
void rush_end(struct rush *rush);

/* Gives the event, which must not be active, the priority that it should have now. */
void rush_set_priority(struct rush *rush, struct event *event);

#endif
