/*
 * What a roll does next, as one function from facts to a step. Pure: no process, no clock.
 *
 * A roll brings every slot from the running generation to a target, a few at a time. It commits at the moment
 * when every slot of the target has a READY worker of it, while the last incumbents still serve: from then on
 * the old configuration and its addresses are not needed any more, and nothing that a client does can meet a
 * gap. A worker of the target that is lost before turns the roll back.
 *
 * The first roll, at the start of the daemon, has nothing to go back to: it commits when every slot has come
 * up or failed once, and gives up when none came up.
 */
#ifndef MASTER_ROLL_RULE_H
#define MASTER_ROLL_RULE_H

#include <stdbool.h>
#include <stddef.h>

enum roll_state {
	ROLL_IDLE,
	ROLL_FORWARD,
	ROLL_REVERT,
};

/* A slot, as the roll sees it. */
struct roll_slot {
	bool wanted;    /* the target has this slot */
	bool on_target; /* its goal is the target */
	bool ready;     /* it has a READY worker of the target, READY for as long as roll.settle asks */
	bool settled;   /* its goal is reached, whatever that is; for a slot without goal: empty */
	bool alone;     /* no worker is left but those of its goal */
	bool lost;      /* its last worker was lost and no other has become READY since */
};

struct roll_facts {
	enum roll_state state;
	bool first; /* there is no generation to go back to */
	bool committed;
	bool lost; /* a worker of the target was lost before the commit; of the first roll: there can't even be slots */
	unsigned parallel;
	size_t n;
	const struct roll_slot *slot; /* in the order in which the roll takes them */
};

enum roll_step {
	ROLL_STEP_WAIT,    /* nothing to do until the next event */
	ROLL_STEP_ADVANCE, /* give *ret_slot the target as its goal */
	ROLL_STEP_COMMIT,
	ROLL_STEP_REVERT,
	ROLL_STEP_GIVE_UP, /* the first roll: no worker came up */
	ROLL_STEP_END,
};

/* The step; *ret_slot is set with ADVANCE: the place in facts->slot. */
enum roll_step roll_rule(const struct roll_facts *facts, size_t *ret_slot);

#endif
