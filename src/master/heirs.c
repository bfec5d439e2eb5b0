/*
 * Heirs.
 */
#include "master/heirs.h"

#include "master/pool.h"

/* Is it among the first HEIRS_MAX, counted from `from` on, around a circle of n? */
static bool
is_near(unsigned from, unsigned it, unsigned n)
{
	return (it + n - from % n) % n < HEIRS_MAX;
}

unsigned
heirs_share(unsigned slot, unsigned heir, unsigned n_old, unsigned n_new)
{
	if (heir >= n_new)
		return 0;
	if (slot >= n_new) /* retires: the others share what it has */
		return is_near(slot, heir, n_new);
	if (n_old >= n_new || n_old == 0)
		return heir == slot;
	/*
	 * Of its own it keeps n_old / n_new. A new slot gets as much from `givers` old ones, of each
	 * n_old / (n_new × givers): so it keeps `givers` times what it gives to one.
	 */
	if (heir == slot)
		return n_old < HEIRS_MAX ? n_old : HEIRS_MAX;
	return heir >= n_old && is_near(heir, slot, n_old);
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

void
heirs_appoint_late(struct pool *pool)
{
	for (unsigned i = 0; may_hand_over(pool) && i < pool->n_slots; i++) {
		struct slot *slot = pool->slot[i];
		struct worker *leaving = slot->incumbent;
		struct worker *heir = slot->goal ? slot_ready_worker(slot, NULL) : NULL;

		if (leaving && heir && leaving->state == WORKER_DRAINING && leaving->heir != heir->pid &&
			can_join(leaving, heir))
			worker_bequeath(leaving, heir, 1);
	}
}
