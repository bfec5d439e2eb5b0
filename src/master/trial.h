/*
 * A trial: the program that is to take the master's place runs as a child, and says whether it can take the state over. So a bad one
 * is found while the good one still runs.
 */
#ifndef MASTER_TRIAL_H
#define MASTER_TRIAL_H

#include "master/checker.h"
#include "master/heritage.h"

#define TRIAL_OPTION "--check-state"
/* What a program says that can. Nothing else is believed, be the exit status what it may. */
#define TRIAL_ANSWER "gracefuld: this state can be taken over"

/*
 * Starts `program` with `argv` behind the option, and the state, of which only that is open which a trial reads. `problems` must be
 * empty, and stay until on_done or checker_cancel; trial_is_passed reads them then. NULL with errno set.
 */
struct checker *trial_start(struct event_base *base, const char *program, char *const *argv,
	const struct heritage *heritage, int state_fd, struct problems *problems, checker_fn *on_done,
	void *arg);

bool trial_is_passed(const struct problems *problems);

#endif
