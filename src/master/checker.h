/*
 * Asks the worker program whether it likes a configuration: `gracefuld-worker --check` knows the services,
 * the master does not. A process of its own, waited for on the event loop and with a deadline.
 */
#ifndef MASTER_CHECKER_H
#define MASTER_CHECKER_H

#include "config/problem.h"
#include "master/generation.h"

#include <event2/event.h>

#define CHECKER_TIMEOUT_US (10 * US_PER_SEC) /* a check reads some kilobytes: more than this is a hang */

struct checker;

/*
 * The check is over; what it found has been added to the problems. The checker frees itself when its process
 * has gone.
 */
typedef void checker_fn(void *arg);

/*
 * Starts the check of a generation that is being prepared; both it and `problems` must stay until on_done or
 * checker_cancel. NULL when that fails, errno set.
 */
struct checker *checker_start(struct event_base *base, const char *program,
	const struct generation *generation, struct problems *problems, checker_fn *on_done, void *arg);

/* A child that checks something: what it says is on the pipe, which doesn't block. */
struct checker_process {
	int pidfd, output_fd;
};

/* The same for any child; takes its descriptors, and the child. Each line that it says is a problem. */
struct checker *checker_watch(struct event_base *base, const char *program, struct checker_process process,
	struct problems *problems, checker_fn *on_done, void *arg);

/* Before on_done: kills it, waits for its end, frees it; on_done is not called. NULL is fine. */
void checker_cancel(struct checker *checker);

#endif
