/*
 * Follows a roll on the terminal, while somebody else waits for its verdict: the stream of events, and the progress that is made of it.
 */
#ifndef CTL_FOLLOWING_H
#define CTL_FOLLOWING_H

#include "ctl/client.h"
#include "ctl/events.h"
#include "ctl/progress.h"

/* All zero: nothing is shown, and all functions do nothing. */
struct following {
	struct client *client;
	struct client_call *call; /* NULL: nothing is shown */
	struct events events;
	struct progress *progress;
	struct client_call *status; /* a question for the number of workers; NULL: not asked yet */
};

/*
 * Opens the stream of events, and waits until it is open: what happens from then on is not missed. When there is no stream nothing will be
 * shown, and that is no error.
 */
void following_init(struct following *following, struct client *client, const struct terminal *terminal);

/* To be called after each turn of the client: shows how far things are. */
void following_turned(struct following *following);

/* The verdict of this reload is there: waits a moment for events that are still on their way, and leaves the terminal in order. */
void following_end(struct following *following, uint64_t id);

#endif
