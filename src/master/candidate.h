/*
 * A candidate: a configuration file on its way to become a generation. Loading and checking touch nothing
 * that serves.
 *
 *	read, parse, check the options → find the account → ask the worker program about the service → done
 */
#ifndef MASTER_CANDIDATE_H
#define MASTER_CANDIDATE_H

#include "config/problem.h"
#include "master/checker.h"
#include "master/generation.h"

struct candidate {
	struct problems problems;      /* empty: it is good */
	struct generation *generation; /* NULL when it's not; whoever wants it takes it out */
	bool denied;                   /* it failed for want of system resources, not for what it says */
	const char *warning;           /* about the account; constant, or NULL */
	struct checker *checker;       /* while it is being asked */
	void (*on_done)(struct candidate *candidate, void *arg);
	void *arg;
};

/*
 * Starts on a file. on_done is called once, maybe before this returns, unless candidate_done comes first.
 * The candidate must stay where it is until then.
 */
void candidate_start(struct candidate *candidate, struct event_base *base, const char *program,
	const char *path, void (*on_done)(struct candidate *candidate, void *arg), void *arg);

/* The same from what runs, with another number of workers. */
void candidate_start_scaled(struct candidate *candidate, struct event_base *base, const char *program,
	const struct config *running, unsigned workers,
	void (*on_done)(struct candidate *candidate, void *arg), void *arg);

/* Frees what is left in it, and ends a check under way. */
void candidate_done(struct candidate *candidate);

#endif
