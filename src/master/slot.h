/*
 * A slot: one place in the pool, its workers and its patience with them. What it does next is slot_rule's to
 * say; this does it.
 */
#ifndef MASTER_SLOT_H
#define MASTER_SLOT_H

#include "master/slot_rule.h"
#include "master/worker.h"

struct slot;

/* What a slot needs from its pool. The callbacks must not change slots. */
struct slot_host {
	struct worker_host workers;
	struct listener_list *listeners;
	/*
	 * A worker of the slot was lost against our will; `what` names it and says how, gone after the call.
	 * `stale`: it was to be replaced anyway.
	 */
	void (*on_loss)(const struct slot *slot, const struct generation *generation, bool stale,
		const char *what, void *arg);
	/*
	 * It is about to be told to drain: whoever chooses where new connections go must leave it out from
	 * now on, and say where those go that it has.
	 */
	void (*on_leaving)(struct worker *worker, void *arg);
	/* It has gone; its numbers can be read for the last time. */
	void (*on_exit)(struct worker *worker, void *arg);
	void *arg;
};

struct slot {
	const struct slot_host *host;
	unsigned index;
	struct generation *goal; /* NULL: none */
	struct worker *incumbent;
	struct worker *successor;
	unsigned crashes;  /* in a row, none of them stable in between */
	bool lost;         /* the last worker was lost, and none has become READY since */
	bool left_queue;   /* in a roll, a worker that was to be replaced died before its time; the pool's */
	uint64_t restarts; /* workers started in place of a lost one */
	uint64_t spawn_at_us;   /* backoff: not before; 0: at once */
	struct event *on_timer; /* wakes the pool at spawn_at_us, or when a worker is seasoned */
};

/* NULL when there is no memory. */
struct slot *slot_new(const struct slot_host *host, unsigned index);

/* Sets what the slot should run, NULL for nothing. A new goal is a new try: the backoff ends. */
void slot_set_goal(struct slot *slot, struct generation *goal);

/* Lets its workers be replaced by others of the same generation; or, when that has failed, lets them stay. */
void slot_set_stale(struct slot *slot, bool stale);

/*
 * Is its goal reached, with nothing that is still to be told? Then there is nothing to collect, and nothing to wait for but roll.settle.
 * Nearly all slots are so at nearly every step of a roll: to see that quickly is what makes a step cheap.
 */
static inline bool
slot_is_at_rest(const struct slot *slot)
{
	const struct worker *w = slot->incumbent;

	return w && !slot->successor && !slot->lost && w->state == WORKER_READY &&
	       worker_is_of(w, slot->goal) && !w->failed && !w->leaving_soon;
}

/*
 * Takes out workers that have gone, and counts losses. To be called before slot_reconcile. True when
 * something was found.
 */
bool slot_collect(struct slot *slot);

/* Takes one step towards the goal; `reason` is logged with it. False when there is none to take now. */
bool slot_reconcile(struct slot *slot, const char *reason);

/* No worker is left. */
bool slot_is_empty(const struct slot *slot);

/* Its goal is reached: its one worker is READY and of it, or there is no goal and no worker. */
bool slot_is_settled(const struct slot *slot);

/* No worker is there but of the goal generation, none that is being replaced by another of it. */
bool slot_is_alone(const struct slot *slot);

/* Its READY worker of that generation (NULL: of any) that stays, the successor before the incumbent; or NULL. */
struct worker *slot_ready_worker(const struct slot *slot, const struct generation *generation);

/* Has a worker of that generation been READY for roll.settle? */
bool slot_is_ready(const struct slot *slot, const struct generation *generation);

/* Frees an empty slot; NULL is fine. */
void slot_free(struct slot *slot);

#endif
