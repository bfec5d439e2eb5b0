/*
 * Deadlines of many connections over one timer.
 */
#include "http/deadline.h"

#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* Expiries for each turn, so that ten thousand idle connections that end at the same time don't stop the loop. */
#define EXPIRIES_PER_TURN 64

struct http_deadline_timer {
	struct event event;
	struct http_deadlines *deadlines;
	struct http_deadline *deadline;
};

static void
arm(struct http_deadlines *deadlines, uint64_t at_us, uint64_t now_us)
{
	struct timeval wait = clock_timeval(at_us > now_us ? at_us - now_us : 0);

	deadlines->armed_us = event_add(&deadlines->timer, &wait) < 0 ? 0 : at_us;
}

/* The one that comes first of all; NULL: there is none. */
static struct http_deadline *
first_deadline(const struct http_deadlines *deadlines)
{
	struct http_deadline *first = NULL, *deadline;

	for (unsigned i = 0; i < HTTP_DEADLINE_LISTS; i++) {
		deadline = TAILQ_FIRST(&deadlines->lists[i]);
		if (deadline && (!first || deadline->at_us < first->at_us))
			first = deadline;
	}
	return first;
}

/* event: the first deadline may have come */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct http_deadlines *deadlines = arg;
	uint64_t now_us = clock_now_us();
	struct http_deadline *first;

	(void)fd;
	(void)what;
	deadlines->armed_us = 0;
	for (int i = 0; i < EXPIRIES_PER_TURN; i++) {
		first = first_deadline(deadlines);
		if (!first || first->at_us > now_us)
			break;
		http_deadlines_unset(deadlines, first);
		deadlines->on_expired(first);
	}
	first = first_deadline(deadlines);
	if (first)
		arm(deadlines, first->at_us, now_us);
}

int
http_deadlines_init(struct http_deadlines *deadlines, struct event_base *base,
	void (*on_expired)(struct http_deadline *deadline))
{
	*deadlines = (struct http_deadlines){ .on_expired = on_expired };
	for (unsigned i = 0; i < HTTP_DEADLINE_LISTS; i++)
		TAILQ_INIT(&deadlines->lists[i]);
	return evtimer_assign(&deadlines->timer, base, on_timer, deadlines) < 0 ? -EINVAL : 0;
}

void
http_deadlines_done(struct http_deadlines *deadlines)
{
	if (event_initialized(&deadlines->timer))
		event_del(&deadlines->timer);
}

void
http_deadlines_unset(struct http_deadlines *deadlines, struct http_deadline *deadline)
{
	if (deadline->at_us == 0)
		return;
	deadline->at_us = 0;
	if (!deadline->timer) {
		TAILQ_REMOVE(&deadlines->lists[deadline->list], deadline, link);
		return;
	}
	event_del(&deadline->timer->event);
	free(deadline->timer);
	deadline->timer = NULL;
}

void
http_deadlines_set(struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list)
{
	uint64_t now_us;

	http_deadlines_unset(deadlines, deadline);
	if (deadlines->timeout_us[list] == 0)
		return;
	now_us = clock_now_us();
	deadline->at_us = now_us + deadlines->timeout_us[list];
	deadline->list = list;
	TAILQ_INSERT_TAIL(&deadlines->lists[list], deadline, link);
	if (deadlines->armed_us == 0 || deadline->at_us < deadlines->armed_us)
		arm(deadlines, deadline->at_us, now_us);
}

/* event: one that is out of order has come */
static void
on_own_timer(evutil_socket_t fd, short what, void *arg)
{
	struct http_deadline_timer *timer = arg;
	struct http_deadlines *deadlines = timer->deadlines;
	struct http_deadline *deadline = timer->deadline;

	(void)fd;
	(void)what;
	http_deadlines_unset(deadlines, deadline);
	deadlines->on_expired(deadline);
}

void
http_deadlines_set_at(
	struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list, uint64_t at_us)
{
	uint64_t now_us = clock_now_us(), left_us = at_us > now_us ? at_us - now_us : 0;
	struct timeval left = clock_timeval(left_us);
	struct http_deadline_timer *timer = NULL;

	http_deadlines_unset(deadlines, deadline);
	if (left_us < deadlines->timeout_us[list])
		timer = malloc(sizeof(*timer));
	if (timer) {
		timer->deadlines = deadlines;
		timer->deadline = deadline;
	}
	if (!timer ||
		evtimer_assign(&timer->event, event_get_base(&deadlines->timer), on_own_timer, timer) < 0 ||
		event_add(&timer->event, &left) < 0) {
		free(timer);
		http_deadlines_set(deadlines, deadline, list);
		return;
	}
	deadline->timer = timer;
	deadline->at_us = at_us;
	deadline->list = list;
}
