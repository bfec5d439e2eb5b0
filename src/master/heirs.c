/*
 * Heirs.
 */
#include "master/heirs.h"

#include "master/pool.h"

#include <assert.h>

/* Is it among the first HEIRS_MAX, counted from `from` on, around a circle of n? */
static bool
is_near(unsigned from, unsigned it, unsigned n)
{
	assert(n > 0);
	return (it + n - from % n) % n < HEIRS_MAX;
}

/* Number `it` of `n` that stand around a circle: where it is on another one, of `m`. */
static unsigned
across(unsigned it, unsigned n, unsigned m)
{
	return n > 0 ? (unsigned)((uint64_t)it * m / n) : 0;
}

/* A slot that goes: those that stay share what it has. */
static unsigned
share_of_leaver(unsigned slot, unsigned heir, unsigned n_old, unsigned n_new)
{
	return is_near(across(slot - n_new, n_old > n_new ? n_old - n_new : 0, n_new), heir, n_new);
}

/*
 * A slot of a pool that grows by n_more. Of its own it should keep n_old / n_new. Where each new slot has its pick among old ones,
 * it gets as much from `givers` of them, of each n_old / (n_new × givers): so a giver keeps `givers` times what it gives to one. Where each
 * old slot has its pick among new ones, it gives n_more / (n_new × heirs) to each; but if they are so few that each would get more than it
 * keeps itself, all get the same.
 */
static unsigned
share_of_grower(unsigned slot, unsigned heir, unsigned n_old, unsigned n_more)
{
	unsigned givers = n_old < HEIRS_MAX ? n_old : HEIRS_MAX;
	unsigned heirs = n_more < HEIRS_MAX ? n_more : HEIRS_MAX;

	if (n_more <= n_old) {
		if (heir == slot)
			return givers;
		return heir >= n_old && is_near(across(heir - n_old, n_more, n_old), slot, n_old);
	}
	if (heir == slot)
		return n_old * heirs > n_more ? n_old * heirs : n_more;
	return heir >= n_old && is_near(across(slot, n_old, n_more), heir - n_old, n_more) ? n_more : 0;
}

unsigned
heirs_share(unsigned slot, unsigned heir, unsigned n_old, unsigned n_new)
{
	if (heir >= n_new)
		return 0;
	if (slot >= n_new)
		return share_of_leaver(slot, heir, n_old, n_new);
	if (n_old >= n_new || slot >= n_old)
		return heir == slot;
	return share_of_grower(slot, heir, n_old, n_new - n_old);
}

/* How the pool changes its size just now. A slot alone that is rolled leaves the others alone. */
static void
look_at_size(const struct pool *pool, unsigned *ret_old, unsigned *ret_new)
{
	const struct roll *roll = &pool->roll;
	unsigned now = pool->running ? pool->running->config->workers : 0;

	*ret_old = *ret_new = now;
	if (roll->state == ROLL_FORWARD && roll->only_slot < 0) {
		*ret_old = roll->n_before;
		*ret_new = roll->target->config->workers;
	}
}

/* A hosted program keeps its connections, and takes none. */
static bool
can_join(const struct worker *worker, const struct worker *heir)
{
	return !worker->generation->exec && !heir->generation->exec;
}

static bool
may_hand_over(const struct pool *pool)
{
	return pool->slot_host.workers.live && pool->slot_host.workers.live->roll.handoff;
}

void
heirs_appoint(struct pool *pool, struct worker *worker)
{
	unsigned n_old, n_new;

	if (!may_hand_over(pool))
		return;
	look_at_size(pool, &n_old, &n_new);
	for (unsigned i = 0; i < pool->n_slots && i < n_new; i++) {
		unsigned share = heirs_share(worker->slot, i, n_old, n_new);
		struct worker *heir = share > 0 ? slot_ready_worker(pool->slot[i], NULL) : NULL;

		if (heir && heir != worker && pool->slot[i]->goal && can_join(worker, heir))
			worker_bequeath(worker, heir, share);
	}
}

/* It had no way out, or has lost it: to want of memory or descriptors, here or there, or with an heir. */
static void
appoint_again(struct pool *pool, struct worker *worker)
{
	if (!worker || !worker->stranded)
		return;
	worker->stranded = false;
	if (worker->state != WORKER_DRAINING || worker->rescues == HEIRS_RESCUES_MAX)
		return;
	worker->rescues++;
	heirs_appoint(pool, worker);
}

void
heirs_appoint_late(struct pool *pool)
{
	for (unsigned i = 0; i < pool->n_slots; i++) {
		appoint_again(pool, pool->slot[i]->incumbent);
		appoint_again(pool, pool->slot[i]->successor);
	}
	for (unsigned i = 0; may_hand_over(pool) && i < pool->n_slots; i++) {
		struct slot *slot = pool->slot[i];
		struct worker *leaving = slot->incumbent;
		struct worker *heir = slot->goal ? slot_ready_worker(slot, NULL) : NULL;

		if (leaving && heir && leaving->state == WORKER_DRAINING && leaving->heir != heir->pid &&
			can_join(leaving, heir))
			worker_bequeath(leaving, heir, 1);
	}
}
