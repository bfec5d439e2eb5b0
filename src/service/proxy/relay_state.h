/*
 * What a relayed connection is about to do, as a table: state and input give the next state. Pure.
 */
#ifndef SERVICE_PROXY_RELAY_STATE_H
#define SERVICE_PROXY_RELAY_STATE_H

enum relay_state {
	RELAY_NEW,        /* was accepted; has not had its turn yet */
	RELAY_GREETING,   /* the client has yet to say who it is, by the PROXY protocol */
	RELAY_CHOOSING,   /* no longer than a call */
	RELAY_WAITING,    /* for an upstream: its name is not resolved yet, or its queue is full */
	RELAY_CONNECTING, /* to an upstream */
	RELAY_RELAYING,
	RELAY_CLOSED,
	RELAY_STATES
};

enum relay_input {
	RELAY_BEGINS,
	RELAY_WANTS_GREETING, /* instead of RELAY_BEGINS */
	RELAY_GREETED,
	RELAY_IS_DIALING,
	RELAY_IS_CONNECTED,
	RELAY_IS_BUSY,    /* no upstream takes it now, but one may soon */
	RELAY_HAS_NONE,   /* no upstream takes it */
	RELAY_MAY_CHOOSE, /* again: what was waited for may have come, or the upstream has refused */
	RELAY_ENDS,       /* both sides have finished */
	RELAY_FAILS,      /* one side has failed, or we have */
	RELAY_EXPIRES,    /* the deadline of its state; while connecting, that is a refusal */
	RELAY_INPUTS
};

/* RELAY_STATES: this can't be. */
enum relay_state relay_state_next(enum relay_state state, enum relay_input input);

const char *relay_state_name(enum relay_state state);

#endif
