/*
 * What a roll does next.
 */
#include "master/roll_rule.h"

/* How far the wanted slots are. */
struct count {
	size_t wanted, ready, lost, busy;
	size_t next; /* the first that has not got its goal; n when all have */
};

static struct count
count_slots(const struct roll_facts *f)
{
	struct count c = { .next = f->n };

	for (size_t i = 0; i < f->n; i++) {
		const struct roll_slot *slot = &f->slot[i];

		if (!slot->wanted)
			continue;
		c.wanted++;
		c.ready += slot->ready;
		c.lost += slot->lost && !slot->ready;
		c.busy += slot->on_target && !slot->settled;
		if (!slot->on_target && c.next == f->n)
			c.next = i;
	}
	return c;
}

static enum roll_step
before_commit(const struct roll_facts *f, size_t *ret_slot)
{
	struct count c = count_slots(f);

	if (f->lost)
		return f->first ? ROLL_STEP_GIVE_UP : ROLL_STEP_REVERT;
	if (c.ready == c.wanted)
		return ROLL_STEP_COMMIT;
	if (c.next < f->n && c.busy < f->parallel) {
		*ret_slot = c.next;
		return ROLL_STEP_ADVANCE;
	}
	if (f->first && c.ready + c.lost == c.wanted)
		return c.ready > 0 ? ROLL_STEP_COMMIT : ROLL_STEP_GIVE_UP;
	return ROLL_STEP_WAIT;
}

/* Nobody of another generation is left. A worker that crashes from now on is the slot's own business. */
static bool
is_over(const struct roll_facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->slot[i].alone)
			return false;
	return true;
}

/* … and on the way back the old generation serves again, or has shown that it can't. */
static bool
is_restored(const struct roll_facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->slot[i].settled && !f->slot[i].lost)
			return false;
	return is_over(f);
}

enum roll_step
roll_rule(const struct roll_facts *f, size_t *ret_slot)
{
	switch (f->state) {
	case ROLL_FORWARD:
		if (!f->committed)
			return before_commit(f, ret_slot);
		return is_over(f) ? ROLL_STEP_END : ROLL_STEP_WAIT;
	case ROLL_REVERT:
		return is_restored(f) ? ROLL_STEP_END : ROLL_STEP_WAIT;
	default:
		return ROLL_STEP_WAIT;
	}
}
