/*
 * Recycling: workers that have reached an age, a number of requests or a size are replaced, one at a time, each by a roll of its
 * slot alone.
 */
#ifndef MASTER_RECYCLE_H
#define MASTER_RECYCLE_H

#include "master/wish.h"

struct recycle {
	struct pool *pool;
	struct reload *reload;
	struct wish wish;
	struct event *on_time;
	pid_t last_pid;         /* that was to be replaced last; when it's still there, that has failed */
	uint64_t not_before_us; /* … and is tried again then */
	unsigned next_slot;     /* where to look first */
};

/* Makes it ready; it looks at nothing yet. 0 or -ENOMEM. */
int recycle_init(struct recycle *recycle, struct event_base *base, struct pool *pool, struct reload *reload);

/* A configuration was committed: looks once a second, and after each replacement, from now on if it asks for that, else not at all. */
void recycle_apply(struct recycle *recycle, const struct config *config);

/* A reload has ended. If a worker was replaced, there may be more of them that are due, and no reason to wait. */
void recycle_go_on(struct recycle *recycle);

void recycle_done(struct recycle *recycle);

/*
 * What a limit comes to for one worker: less by up to `jitter` percent, as its `dice` (0 to 255) has it. At least 1.
 */
uint64_t recycle_limit(uint64_t limit, unsigned jitter, unsigned dice);

#endif
