/*
 * The pool: all slots, the listeners that they share, and the roll that brings them from one generation to
 * the next.
 *
 * Everything that happens to a worker or a timer only wakes the pool; it then looks at goals and facts and
 * takes steps until there is none left (pool_step). So there is one place where things are decided, and
 * nothing is freed while it is in use.
 */
#ifndef MASTER_POOL_H
#define MASTER_POOL_H

#include "master/generation.h"
#include "master/listener.h"
#include "master/output.h"
#include "master/roll_rule.h"
#include "master/slot.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/* How a roll ended. */
enum roll_result {
	ROLL_APPLIED,  /* the target serves */
	ROLL_REVERTED, /* a worker of the target was lost (or the daemon stops): the old generation serves */
	ROLL_GAVE_UP,  /* the first roll: nothing came up */
};

struct roll {
	enum roll_state state;
	struct generation *target; /* NULL when IDLE */
	unsigned n_before;         /* how many workers the pool had; 0: none, it is the first roll */
	int only_slot;             /* the only one that takes part; -1: all */
	bool brief;                /* ends at the commit: nobody waits for those who drain */
	bool committed;
	bool lost;                      /* a worker of the target was, before the commit */
	char why[384];                  /* which and how */
	uint64_t finished, handed, cut; /* connections of the workers that left */
};

struct pool;

struct pool_host {
	struct event_base *base;
	const char *program; /* of built-in services */
	unsigned open_files; /* of a worker, where limits.open_files says nothing; 0: as the master's */
	const struct listen_fds *passed; /* systemd's sockets */
	/* The target has become the running generation. */
	void (*on_commit)(struct pool *pool, void *arg);
	/* The roll has ended; pool->roll has its numbers for the last time. A new one may be begun at once. */
	void (*on_roll_end)(struct pool *pool, enum roll_result result, void *arg);
	/* Something may look different from outside. */
	void (*on_change)(struct pool *pool, void *arg);
	/* After pool_stop: the last worker has gone. */
	void (*on_empty)(struct pool *pool, void *arg);
	void *arg;
};

struct pool {
	struct pool_host host;
	struct slot_host slot_host;
	struct slot **slot; /* slot[i]->index == i */
	unsigned n_slots;   /* those that are there; retired ones too until they are empty */
	struct listener_list listeners;
	struct generation *running; /* the last that was committed; NULL before the first */
	struct generation *live;    /* whose live options apply: of the running one, or of a roll's target */
	uint64_t last_number;       /* of a generation */
	struct roll roll;
	uint64_t gone[COUNTER_COUNT]; /* what the counters of workers that have gone add up to */
	struct upstream_records upstreams;
	uint64_t *accepted; /* … COUNTER_ACCEPTED by slot, for all slots there ever were */
	unsigned n_accepted;
	uint64_t exits[WORKER_ENDS]; /* of workers, by their end */
	uint64_t losses;             /* connections that died with their worker */
	struct talk talk;            /* what all workers say */
	struct output_host outputs;  /* of hosted programs */
	struct event *on_wake;
	bool stopping;
};

/* How many workers are in which state. */
struct pool_count {
	unsigned ready, starting, leaving;
	uint64_t connections;
};

/* NULL when there is no memory. */
struct pool *pool_new(const struct pool_host *host);

/*
 * Opens what the generation listens on beside what is open already, and gives it its number. Nothing that
 * serves is touched. False when that fails, with all reasons in `problems`; then everything is as before.
 */
bool pool_prepare(struct pool *pool, struct generation *generation, struct problems *problems);

/* Lets the live options of that generation apply to what runs, until the roll under way ends. */
void pool_set_live(struct pool *pool, struct generation *generation);

/* Begins the roll to a prepared generation. There must be none under way. */
void pool_roll(struct pool *pool, struct generation *target);

/*
 * Replaces the worker of one slot, which is there, by another of the running generation, as a roll of that slot alone. With `brief` it
 * ends when the new worker serves, while the old one may drain for long.
 */
void pool_restart(struct pool *pool, unsigned slot, bool brief);

/* Drains all workers; the addresses are closed at once. A roll under way ends as reverted. */
void pool_stop(struct pool *pool);

/* Stops all workers now. After pool_stop. */
void pool_stop_now(struct pool *pool);

/* What a counter adds up to, over the workers there are and those that have gone: never less than it was. */
uint64_t pool_total(const struct pool *pool, enum counter counter);

/* The same of COUNTER_ACCEPTED for one slot, below n_accepted. */
uint64_t pool_accepted(const struct pool *pool, unsigned slot);

struct pool_count pool_count(const struct pool *pool);

/* Takes what is known of one upstream. */
typedef void pool_upstream_fn(const struct upstream_sum *sum, void *arg);

/* Calls for each upstream that workers have told of, those that are gone from the configuration too. */
void pool_each_upstream(const struct pool *pool, pool_upstream_fn *fn, void *arg);

/* Lets an upstream get no new connections any more, or again; also through reloads. 0; -ENOENT: no worker has told of it. */
int pool_drain_upstream(struct pool *pool, const char *name, bool is_drained);

/* Frees a pool without workers; closes all listeners. */
void pool_free(struct pool *pool);

#endif
