/*
 * What can be asked and ordered: one table of paths, with who may.
 */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include "control/subscribers.h"
#include "control/waiter.h"
#include "http/reply.h"

/* What commands work with. */
struct commands {
	struct master *master;
	struct waiter_list waiters;
	struct subscribers subscribers;
};

/* Answers one request, or sees to it that it will be answered. `who` is logged when it tries to change what it may not. */
void commands_serve(struct commands *commands, struct http_connection *connection,
	const struct http_request *request, bool may_change, const char *who);

#endif
