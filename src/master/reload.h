/*
 * A reload: the operator's wish, as a transaction with one verdict.
 *
 *	request → candidate (read, check) → prepare (bind) → roll → verdict
 *
 * Any failure before the commit leaves or restores what was. A request that comes while one is under way is
 *remembered, the newest instead of an older one, and runs when that has its verdict.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include "master/candidate.h"
#include "master/pool.h"

#include <stdbool.h>
#include <stdint.h>

enum verdict {
	VERDICT_NONE, /* there was no reload yet */
	VERDICT_APPLIED,
	VERDICT_REJECTED, /* nothing was touched */
	VERDICT_REVERTED, /* the old generation serves again */
};

/* What became of a reload. */
struct outcome {
	uint64_t id; /* of the reload, from 1 */
	enum verdict verdict;
	uint64_t generation; /* that serves now */
	char error[512];     /* the first problem, or who was lost and how; "" when applied */
	uint64_t duration_us;
	uint64_t finished, handed, cut;
};

struct reload {
	struct event_base *base;
	struct pool *pool;
	const char *program;
	const char *path;
	void (*on_begin)(struct reload *reload, void *arg);
	void (*on_end)(struct reload *reload, void *arg); /* last has the outcome */
	void *arg;

	bool under_way;
	bool wanted;        /* another one when this one has ended; */
	const char *origin; /* … asked for by whom */
	uint64_t id;        /* of the last that began */
	uint64_t started_us;
	struct candidate candidate;
	struct outcome last;
};

/* Asks for one; `origin` ("SIGHUP") is a constant. */
void reload_request(struct reload *reload, const char *origin);

/* To be called when the pool has become free: runs what was remembered. */
void reload_resume(struct reload *reload);

/* The roll of the reload under way has ended. */
void reload_on_roll_end(struct reload *reload, enum roll_result result);

/* The daemon stops: what is under way ends without effect, what was remembered is forgotten. */
void reload_cancel(struct reload *reload);

/* "applied", "rejected", "reverted"; "none" */
const char *verdict_name(enum verdict verdict);

#endif
