/*
 * One who has asked for a reload, a scale or a restart by the control socket, and waits for the verdict.
 */
#ifndef CONTROL_WAITER_H
#define CONTROL_WAITER_H

#include "http/reply.h"
#include "master/master.h"

#include <jansson.h>
#include <sys/queue.h>

struct waiter;

LIST_HEAD(waiter_list, waiter);

/*
 * Asks, and answers the request on this connection when there is a verdict: 200 applied or unchanged, 422 rejected, 409 reverted, 504 when
 * `timeout_s` is over first, 202 with the id alone when "wait" is "no".
 * `wish` says what is asked for (kind, slot, workers); `options` is the body: {"wait", "timeout_s", "if_changed"}, or NULL.
 * NULL when it asks; else what is wrong with the options, and nothing was asked.
 */
const char *waiter_ask(struct waiter_list *list, struct master *master, struct http_connection *connection,
	const struct reload_request *wish, const json_t *options);

/* The daemon ends: forgets them all. */
void waiter_done(struct waiter_list *list);

#endif
