/*
 * What the daemon itself asks of its reload, for a signal or of its own accord. Nobody waits for the verdict; of each kind, one
 * waits for its turn at most, since it will see what a second one would be about.
 */
#ifndef MASTER_WISH_H
#define MASTER_WISH_H

#include "master/reload.h"

struct wish {
	struct reload *reload;
	struct reload_request request;
	bool waits; /* has not begun */
};

/* Asks, if it does not wait already. `what` says for what: its kind, origin, delta, slot. */
void wish_ask(struct wish *wish, struct reload *reload, const struct reload_request *what);

#endif
