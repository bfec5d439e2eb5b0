/*
 * Whose turn it is.
 */
#include "http/turn_queue.h"

#include "base/clock.h"

#include <errno.h>

/* event: the rest is over, or the one before has had its turn */
static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct http_turn_queue *queue = arg;
	struct http_turn *first = TAILQ_FIRST(&queue->waiting);

	(void)fd, (void)what;
	queue->resting = false;
	if (first)
		queue->on_turn(first);
}

int
http_turn_queue_init(struct http_turn_queue *queue, struct event_base *base, const struct http_limits *limits,
	http_turn_fn *on_turn)
{
	*queue = (struct http_turn_queue){
		.pace = { .rest = limits->rest, .credit_us = limits->rest_credit_us },
		.on_turn = on_turn,
	};
	TAILQ_INIT(&queue->waiting);
	if (evtimer_assign(&queue->rested, base, on_rested, queue) < 0)
		return -EINVAL;
	if (limits->priority >= 0 && event_priority_set(&queue->rested, limits->priority) < 0)
		return -EINVAL;
	return 0;
}

void
http_turn_queue_done(struct http_turn_queue *queue)
{
	if (event_initialized(&queue->rested))
		event_del(&queue->rested);
}

bool
http_turn_queue_is_busy(const struct http_turn_queue *queue)
{
	return queue->resting || !TAILQ_EMPTY(&queue->waiting);
}

void
http_turn_queue_enter(struct http_turn_queue *queue, struct http_turn *turn, short due)
{
	if (!turn->due)
		TAILQ_INSERT_TAIL(&queue->waiting, turn, link);
	turn->due |= due;
}

short
http_turn_queue_leave(struct http_turn_queue *queue, struct http_turn *turn)
{
	short due = turn->due;

	if (due)
		TAILQ_REMOVE(&queue->waiting, turn, link);
	turn->due = 0;
	return due;
}

void
http_turn_queue_begin(struct http_turn_queue *queue)
{
	if (queue->pace.rest > 0)
		queue->began_us = clock_work_us();
}

/*
 * Invariant: while anybody waits, the timer is set or active. A turn ends here whether it had to wait or not, and nobody
 * comes to wait but while the server rests or others wait. A turn of what does not wait adds to what is owed, but puts off no rest
 * that has begun: else streams that have much to say would keep those out who wait.
 */
void
http_turn_queue_end(struct http_turn_queue *queue)
{
	struct timeval wait;
	uint64_t rest_us;

	if (queue->pace.rest == 0)
		return;
	rest_us = pace_work(&queue->pace, clock_now_us(), clock_work_us() - queue->began_us);
	if (rest_us > 0 && !queue->resting) {
		wait = clock_timeval(rest_us);
		queue->resting = event_add(&queue->rested, &wait) == 0;
	}
	if (!queue->resting && !TAILQ_EMPTY(&queue->waiting))
		event_active(&queue->rested, EV_TIMEOUT, 0);
}
