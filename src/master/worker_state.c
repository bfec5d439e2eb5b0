/*
 * The states of a worker, as one table.
 */
#include "master/worker_state.h"

/* clang-format off */
#define TO(state)     { .next = WORKER_##state }
#define FAILED(state) { .next = WORKER_##state, .failure = true }
#define VIOLATION     { .next = WORKER_KILLING, .failure = true, .violation = true }

static const struct worker_transition table[WORKER_STATES][WORKER_INPUTS] = {
	[WORKER_STARTING] = {
		[WORKER_SAYS_READY]   = TO(READY),
		[WORKER_SAYS_DRAINED] = VIOLATION,
		[WORKER_SAYS_FAILED]  = FAILED(STOPPING),
		[WORKER_TOLD_DRAIN]   = TO(STOPPING), /* it has no connections yet */
		[WORKER_TOLD_STOP]    = TO(STOPPING),
		[WORKER_DEADLINE]     = FAILED(KILLING),
		[WORKER_PIPE_LOST]    = FAILED(KILLING),
		[WORKER_REAPED]       = FAILED(EXITED),
	},
	[WORKER_READY] = {
		[WORKER_SAYS_READY]   = VIOLATION,
		[WORKER_SAYS_DRAINED] = VIOLATION,
		[WORKER_SAYS_FAILED]  = FAILED(STOPPING),
		[WORKER_TOLD_DRAIN]   = TO(DRAINING),
		[WORKER_TOLD_STOP]    = TO(STOPPING),
		[WORKER_DEADLINE]     = FAILED(KILLING), /* hang_timeout */
		[WORKER_PIPE_LOST]    = FAILED(KILLING),
		[WORKER_REAPED]       = FAILED(EXITED),
	},
	[WORKER_DRAINING] = {
		[WORKER_SAYS_READY]   = VIOLATION,
		[WORKER_SAYS_DRAINED] = TO(STOPPING),
		[WORKER_SAYS_FAILED]  = TO(STOPPING),
		[WORKER_TOLD_DRAIN]   = TO(DRAINING), /* a new deadline */
		[WORKER_TOLD_STOP]    = TO(STOPPING),
		[WORKER_DEADLINE]     = TO(STOPPING),
		[WORKER_PIPE_LOST]    = TO(KILLING),
		[WORKER_REAPED]       = TO(EXITED),
	},
	[WORKER_STOPPING] = {
		[WORKER_SAYS_READY]   = TO(STOPPING), /* was said before it could hear us */
		[WORKER_SAYS_DRAINED] = TO(STOPPING),
		[WORKER_SAYS_FAILED]  = TO(STOPPING),
		[WORKER_TOLD_DRAIN]   = TO(STOPPING),
		[WORKER_TOLD_STOP]    = TO(STOPPING),
		[WORKER_DEADLINE]     = TO(KILLING),
		[WORKER_PIPE_LOST]    = TO(STOPPING),
		[WORKER_REAPED]       = TO(EXITED),
	},
	[WORKER_KILLING] = {
		[WORKER_SAYS_READY]   = TO(KILLING),
		[WORKER_SAYS_DRAINED] = TO(KILLING),
		[WORKER_SAYS_FAILED]  = TO(KILLING),
		[WORKER_TOLD_DRAIN]   = TO(KILLING),
		[WORKER_TOLD_STOP]    = TO(KILLING),
		[WORKER_DEADLINE]     = TO(KILLING), /* said again: SIGKILL is not immediate in an uninterruptible sleep */
		[WORKER_PIPE_LOST]    = TO(KILLING),
		[WORKER_REAPED]       = TO(EXITED),
	},
	[WORKER_EXITED] = {
		[WORKER_SAYS_READY]   = TO(EXITED),
		[WORKER_SAYS_DRAINED] = TO(EXITED),
		[WORKER_SAYS_FAILED]  = TO(EXITED),
		[WORKER_TOLD_DRAIN]   = TO(EXITED),
		[WORKER_TOLD_STOP]    = TO(EXITED),
		[WORKER_DEADLINE]     = TO(EXITED),
		[WORKER_PIPE_LOST]    = TO(EXITED),
		[WORKER_REAPED]       = TO(EXITED),
	},
};
/* clang-format on */

const struct worker_transition *
worker_state_next(enum worker_state state, enum worker_input input)
{
	return &table[state][input];
}

const char *
worker_state_name(enum worker_state state)
{
	static const char *const names[WORKER_STATES] = {
		[WORKER_STARTING] = "starting",
		[WORKER_READY] = "ready",
		[WORKER_DRAINING] = "draining",
		[WORKER_STOPPING] = "stopping",
		[WORKER_KILLING] = "killing",
		[WORKER_EXITED] = "exited",
	};

	return names[state];
}
