/*
 * What a slot does next, as one function from facts to a step. Pure: no process, no clock.
 *
 * A slot has a goal (the generation that it should run, or none) and at most two workers: the incumbent,
 * which serves it, and a successor, which is to replace it. After every event the goal and the facts are
 * compared and one step is taken; so a lost event can delay a slot but never wedge it.
 */
#ifndef MASTER_SLOT_RULE_H
#define MASTER_SLOT_RULE_H

#include "master/worker_state.h"

#include <stdbool.h>

/* One of the two places. */
struct slot_place {
	bool taken;
	enum worker_state state; /* never EXITED: such a worker has been removed */
	bool of_goal;            /* of the goal generation; false when the goal is none */
	bool seasoned;           /* READY for as long as roll.settle asks */
};

struct slot_facts {
	bool has_goal;
	bool may_spawn; /* no backoff is running */
	struct slot_place incumbent;
	struct slot_place successor;
};

enum slot_step {
	SLOT_WAIT,            /* nothing to do until the next event */
	SLOT_SPAWN,           /* start a worker of the goal generation, as the successor */
	SLOT_PROMOTE,         /* the successor becomes the incumbent */
	SLOT_DRAIN_INCUMBENT, /* tell it to drain; a worker that is not READY yet stops */
	SLOT_DRAIN_SUCCESSOR, /* the same: it may have accepted connections already, so it's never just
				 stopped */
};

enum slot_step slot_rule(const struct slot_facts *facts);

#endif
