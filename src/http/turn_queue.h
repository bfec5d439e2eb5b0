/*
 * Whose turn it is, where a server may not take all of the loop's time (http_limits.rest).
 *
 * While the server rests, who has something to do stands in a queue, and its descriptor is not looked at. After the rest
 * the first one has its turn, and so on until the next rest is due. What the process itself has to say to a client does not
 * wait: it is bounded by what the process does.
 */
#ifndef HTTP_TURN_QUEUE_H
#define HTTP_TURN_QUEUE_H

#include "base/pace.h"
#include "http/limits.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/queue.h>

/* All zero: does not wait. */
struct http_turn {
	TAILQ_ENTRY(http_turn) link;
	short due; /* the events that it waits with; 0: it does not */
};

typedef void http_turn_fn(struct http_turn *turn);

struct http_turn_queue {
	struct pace pace;
	TAILQ_HEAD(, http_turn) waiting;
	struct event rested; /* its timer; active: the next one may come */
	bool resting;
	uint64_t began_us; /* clock_work_us, of the turn under way */
	http_turn_fn *on_turn;
};

/* 0, or negative errno. */
int http_turn_queue_init(struct http_turn_queue *queue, struct event_base *base,
	const struct http_limits *limits, http_turn_fn *on_turn);

/* Nobody may wait any more. */
void http_turn_queue_done(struct http_turn_queue *queue);

/* Does who comes now have to wait? */
bool http_turn_queue_is_busy(const struct http_turn_queue *queue);

/* It waits, if it does not already; on_turn is called from the event loop. `due` is not 0. */
void http_turn_queue_enter(struct http_turn_queue *queue, struct http_turn *turn, short due);

/* It waits no more, if it did. Returns what for, or 0. */
short http_turn_queue_leave(struct http_turn_queue *queue, struct http_turn *turn);

/* Around each turn. */
void http_turn_queue_begin(struct http_turn_queue *queue);
void http_turn_queue_end(struct http_turn_queue *queue);

#endif
