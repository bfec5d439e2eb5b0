/*
 * The state of a worker, for the files worker_*.c. Each of them knows those before it only:
 *
 *	worker_orders   what it is told
 *	worker          its state, and what is done as it enters one
 *	worker_words    what it says
 *	worker_watch    its events: words, end, time
 *	worker_start, worker_heritage
 *	                how one comes to be; how one is taken over
 */
#ifndef MASTER_WORKER_STEP_H
#define MASTER_WORKER_STEP_H

#include "master/worker.h"

/* One without a process and without events yet; worker_free frees it. NULL: no memory. */
struct worker *worker_new(const struct worker_host *host, struct generation *generation);

/* Something has happened to it, which may put it into another state; what that is, is worker_state.c's to say. */
void worker_step(struct worker *worker, enum worker_input input, const char *reason);

/* It is lost: remembers how and why, of several causes the first, since what follows is only its consequence. */
void worker_lose(struct worker *worker, enum worker_end end, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets a timer; 0: none. */
void worker_arm(struct event *timer, uint64_t us);

/* Its state ends in so long; 0: never. */
void worker_arm_deadline(struct worker *worker, uint64_t us);

/* How long it may stay in the state it is in; 0: for ever. */
uint64_t worker_timeout(const struct worker *worker);

/* Is there nothing but its exit status any more? */
bool worker_has_ended(const struct worker *worker);

#endif
