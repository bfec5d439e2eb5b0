/*
 * What a relayed connection is about to do.
 */
#include "service/proxy/relay_state.h"

#define NEVER 0 /* RELAY_NEW is no state that anything leads to */

static const unsigned char next[RELAY_STATES][RELAY_INPUTS] = {
	[RELAY_NEW] = {
		[RELAY_BEGINS] = RELAY_CHOOSING,
		[RELAY_WANTS_GREETING] = RELAY_GREETING,
		[RELAY_FAILS] = RELAY_CLOSED,
	},
	[RELAY_GREETING] = {
		[RELAY_GREETED] = RELAY_CHOOSING,
		[RELAY_FAILS] = RELAY_CLOSED,
		[RELAY_EXPIRES] = RELAY_CLOSED,
	},
	[RELAY_CHOOSING] = {
		[RELAY_IS_DIALING] = RELAY_CONNECTING,
		[RELAY_IS_CONNECTED] = RELAY_RELAYING,
		[RELAY_IS_BUSY] = RELAY_WAITING,
		[RELAY_HAS_NONE] = RELAY_CLOSED,
		[RELAY_FAILS] = RELAY_CLOSED,
	},
	[RELAY_WAITING] = {
		[RELAY_MAY_CHOOSE] = RELAY_CHOOSING,
		[RELAY_FAILS] = RELAY_CLOSED,
		[RELAY_EXPIRES] = RELAY_CLOSED,
	},
	[RELAY_CONNECTING] = {
		[RELAY_IS_CONNECTED] = RELAY_RELAYING,
		[RELAY_MAY_CHOOSE] = RELAY_CHOOSING,
		[RELAY_FAILS] = RELAY_CLOSED,
	},
	[RELAY_RELAYING] = {
		[RELAY_ENDS] = RELAY_CLOSED,
		[RELAY_FAILS] = RELAY_CLOSED,
		[RELAY_EXPIRES] = RELAY_CLOSED,
	},
};

enum relay_state
relay_state_next(enum relay_state state, enum relay_input input)
{
	return next[state][input] == NEVER ? RELAY_STATES : (enum relay_state)next[state][input];
}

const char *
relay_state_name(enum relay_state state)
{
	static const char *const names[RELAY_STATES] = {
		[RELAY_NEW] = "new",
		[RELAY_GREETING] = "greeting",
		[RELAY_CHOOSING] = "choosing",
		[RELAY_WAITING] = "waiting",
		[RELAY_CONNECTING] = "connecting",
		[RELAY_RELAYING] = "relaying",
		[RELAY_CLOSED] = "closed",
	};

	return names[state];
}
