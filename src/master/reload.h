/*
 * A reload: the operator's wish, as a transaction with one verdict for everybody who asked.
 *
 *	request → candidate (read, check) → prepare (bind) → roll → verdict
 *
 * Any failure before the commit leaves or restores what was. Requests that come while one is under way wait; those for a reload of the
 * file are then served together by one, which begins after the last of them was made, so that none is swallowed. A change of
 * the number of workers and the restart of a slot go the same way, in the order in which they were asked for.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include "master/candidate.h"
#include "master/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum verdict {
	VERDICT_NONE, /* there was no reload yet */
	VERDICT_APPLIED,
	VERDICT_UNCHANGED, /* if_changed, and it hasn't */
	VERDICT_REJECTED,  /* nothing was touched */
	VERDICT_REVERTED,  /* the old generation serves again */
};

/* What became of a reload. */
struct outcome {
	uint64_t id; /* of the reload, from 1 */
	enum verdict verdict;
	uint64_t generation;              /* that serves now */
	char error[512];                  /* the first problem, or who was lost and how; "" when applied */
	uint64_t started_us, duration_us; /* clock_now_us */
	uint64_t started_wall_us;         /* clock_wall_us */
	uint64_t finished, handed, cut;
	struct problems changes;  /* "workers: 2 -> 4" */
	struct problems problems; /* why it was rejected */
};

enum reload_kind {
	RELOAD_FILE,    /* read the file again */
	RELOAD_SCALE,   /* what runs, with another number of workers */
	RELOAD_RESTART, /* the worker of one slot */
};

/* One who asks. Owned by the caller; it must stay until it has its verdict or is withdrawn. */
struct reload_request {
	TAILQ_ENTRY(reload_request) entry;
	enum reload_kind kind;
	const char *origin; /* "SIGHUP"; a constant, for the log */
	bool if_changed;    /* FILE: no roll when no option has changed */
	bool until_ready;   /* the verdict is wanted at the commit; else when the old workers have gone */
	int delta;          /* SCALE: by so many workers; 0: to `workers` */
	unsigned workers;
	unsigned slot; /* RESTART */
	uint64_t id;   /* of the reload that serves it; 0: not begun yet */
	/* Called once. The request belongs to nobody any more and may be freed or made again. May be NULL. */
	void (*on_verdict)(struct reload_request *request, const struct outcome *outcome);
	/* Called when the reload that serves it begins; id is set. May be NULL. */
	void (*on_begin)(struct reload_request *request);
	void *arg;
};

TAILQ_HEAD(reload_request_list, reload_request);

struct reload {
	struct event_base *base;
	struct pool *pool;
	const char *program;
	const char *path;
	void (*on_begin)(struct reload *reload, void *arg);
	/* The generation is about to be rolled to: what is not the pool's. False, with the reasons in `problems`. */
	bool (*on_prepare)(const struct generation *generation, struct problems *problems, void *arg);
	/* It came to nothing, after on_prepare had said yes. */
	void (*on_discard)(void *arg);
	void (*on_end)(struct reload *reload, void *arg); /* last has the outcome */
	void *arg;

	struct reload_request_list waiting; /* for their turn */
	struct reload_request_list
		served; /* by the one under way; empty: none is, or all have been answered */
	bool closed;    /* the daemon stops: nothing more is begun */
	bool under_way;
	enum reload_kind kind; /* of the one under way */
	bool must_roll;        /* somebody wants the one under way to roll even if no option has changed */
	uint64_t id;           /* of the last that began */
	struct candidate candidate;
	struct outcome last; /* verdict and numbers of the one before, until the one under way has its own */
	struct outcome next; /* what is known of the one under way */
	uint64_t verdicts[VERDICT_REVERTED + 1]; /* how many there were of each */
};

void reload_init(struct reload *reload);

/* Frees what it holds; requests are forgotten. */
void reload_done(struct reload *reload);

/* Asks. Once the daemon stops, the answer comes before this returns. */
void reload_ask(struct reload *reload, struct reload_request *request);

/*
 * The file may have changed while a roll is under way, and somebody who waits wants it: what of it needs no roll applies at once, to
 * drains under way too. If the file is bad, that is left for the reload to say.
 */
void reload_apply_live(struct reload *reload);

/* Takes a request back that has no verdict yet: the reload goes on without its asker. */
void reload_withdraw(struct reload *reload, struct reload_request *request);

/* To be called when the pool may have become free: serves who waits. */
void reload_resume(struct reload *reload);

/* The roll of the reload under way has been committed; has ended. */
void reload_on_commit(struct reload *reload);
void reload_on_roll_end(struct reload *reload, enum roll_result result);

/* The daemon stops: what is under way ends without effect, everybody is told. To be followed by pool_stop. */
void reload_cancel(struct reload *reload);

/* Nobody waits, nothing is under way, and the daemon does not stop. */
bool reload_is_idle(const struct reload *reload);

/* For the master's heritage, of an idle one. False when it can't be loaded. */
json_t *reload_save(struct heritage *heritage, const struct reload *reload);
bool reload_load(struct heritage *heritage, const json_t *json, struct reload *reload);

/* "applied", "unchanged", "rejected", "reverted"; "none" */
const char *verdict_name(enum verdict verdict);

#endif
