/*
 * The states of a worker, as one table: what each input does in each state. Pure: no process, no clock.
 *
 *	STARTING ──ready──▶ READY ──told drain──▶ DRAINING ──drained, deadline──▶ STOPPING ──deadline──▶
 *KILLING ──▶ EXITED
 *
 * A state never moves up this line; it may skip states. Every state leads to EXITED when the process is reaped.
 */
#ifndef MASTER_WORKER_STATE_H
#define MASTER_WORKER_STATE_H

#include <stdbool.h>

enum worker_state {
	WORKER_STARTING, /* started, has not said ready */
	WORKER_READY,    /* accepts connections */
	WORKER_DRAINING, /* accepts none, finishes those it has */
	WORKER_STOPPING, /* was told to leave now */
	WORKER_KILLING,  /* SIGKILL is on its way */
	WORKER_EXITED,   /* reaped */
	WORKER_STATES
};

enum worker_input {
	WORKER_SAYS_READY,
	WORKER_SAYS_DRAINED,
	WORKER_SAYS_FAILED,
	WORKER_TOLD_DRAIN,
	WORKER_TOLD_STOP,
	WORKER_DEADLINE,  /* the state's time is over */
	WORKER_PIPE_LOST, /* its pipe is closed, or a line was malformed */
	WORKER_REAPED,    /* its process has gone */
	WORKER_INPUTS
};

struct worker_transition {
	enum worker_state next;
	bool violation; /* the input must not come in this state: a protocol error */
	bool failure;   /* the worker is lost against our will: counts for backoff and reverts a roll */
};

/* The cell of the table. */
const struct worker_transition *worker_state_next(enum worker_state state, enum worker_input input);

/* "starting", "ready", … as in logs and reports. */
const char *worker_state_name(enum worker_state state);

/* Is it on its way out (DRAINING and below)? */
static inline bool
worker_state_is_leaving(enum worker_state state)
{
	return state >= WORKER_DRAINING;
}

#endif
