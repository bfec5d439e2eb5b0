/*
 * What a slot does next. The order of the rules is part of them: the first that fits is taken.
 */
#include "master/slot_rule.h"

static bool
is_staying(const struct slot_place *place)
{
	return place->taken && !worker_state_is_leaving(place->state);
}

/* No goal: everybody goes. */
static enum slot_step
empty_slot(const struct slot_facts *f)
{
	if (is_staying(&f->successor))
		return SLOT_DRAIN_SUCCESSOR;
	if (is_staying(&f->incumbent))
		return SLOT_DRAIN_INCUMBENT;
	return SLOT_WAIT;
}

enum slot_step
slot_rule(const struct slot_facts *f)
{
	const struct slot_place *incumbent = &f->incumbent, *successor = &f->successor;

	if (successor->taken && !incumbent->taken)
		return SLOT_PROMOTE;
	if (!f->has_goal)
		return empty_slot(f);
	if (!successor->taken) {
		if (is_staying(incumbent) && incumbent->of_goal)
			return SLOT_WAIT;
		/* nobody, one who leaves, or one of another generation: a replacement */
		return f->may_spawn ? SLOT_SPAWN : SLOT_WAIT;
	}
	if (!is_staying(successor))
		return SLOT_WAIT;
	if (is_staying(incumbent) && incumbent->of_goal)
		return SLOT_DRAIN_SUCCESSOR; /* the goal went back to what runs */
	if (!successor->of_goal) {
		/* of a former goal: one that serves is kept until the incumbent has gone, then replaced */
		if (successor->state == WORKER_READY && worker_state_is_leaving(incumbent->state))
			return SLOT_WAIT;
		return SLOT_DRAIN_SUCCESSOR;
	}
	if (is_staying(incumbent) && successor->state == WORKER_READY && successor->seasoned)
		return SLOT_DRAIN_INCUMBENT;
	return SLOT_WAIT;
}
