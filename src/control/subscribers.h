/*
 * Those who read GET /v1/events: each gets every event from now on, as a line of JSON. One who does not read is cut off.
 */
#ifndef CONTROL_SUBSCRIBERS_H
#define CONTROL_SUBSCRIBERS_H

#include "http/reply.h"

#include <stdbool.h>

#include <sys/queue.h>

/* Bytes that may wait for a subscriber. An event has a few hundred: so this is about a thousand of them. */
#define SUBSCRIBER_QUEUE_MAX (256 * 1024)

struct subscriber;

struct subscribers {
	LIST_HEAD(, subscriber) list;
	bool telling; /* what is logged on the way to subscribers is no event for them */
};

void subscribers_init(struct subscribers *subscribers);

/* Answers this request by the stream. */
void subscribers_add(struct subscribers *subscribers, struct http_connection *connection);

/* Tells nothing more, and ends each one's stream as it should be: the daemon ends, or another image takes its place. */
void subscribers_end(struct subscribers *subscribers);

/* Nobody is told any more. The connections are left to their server. */
void subscribers_done(struct subscribers *subscribers);

#endif
