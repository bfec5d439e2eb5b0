/*
 * Sharing the loop between two priorities. An event of a higher one that is always ready would keep all below from their turn:
 * libevent looks at those only when nothing above is active. So events of the higher one share a slice of time; once it is used
 * up each of them rests until what is ready below has been served.
 */
#ifndef WORKER_SLICE_H
#define WORKER_SLICE_H

#include <event2/event.h>
#include <stdint.h>

struct slice {
	uint64_t length_us;
	uint64_t end_us; /* of the one that runs, clock_now_us; 0: the next to work begins one */
};

/* A descriptor that is read within a slice. */
struct sliced {
	struct slice *slice;
	struct event *readable;
	struct event *
		rested; /* active while it rests; of the lower priority, so it comes when that has its turn */
};

/*
 * Listens to `fd`, which stays the caller's, from now on: `fn` with `arg` at `priority`, which is above libevent's default.
 * `slice` has to outlive it. 0, or -ENOMEM.
 */
int sliced_init(struct sliced *sliced, struct slice *slice, struct event_base *base, int priority, int fd,
	event_callback_fn fn, void *arg);

/* To be called each time that `fn` has done a piece of work. */
void sliced_worked(struct sliced *sliced);

/* Listens no more. */
void sliced_stop(struct sliced *sliced);

/* All zeros are fine. */
void sliced_done(struct sliced *sliced);

#endif
