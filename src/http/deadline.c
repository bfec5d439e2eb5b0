/*
 * Deadlines of many connections over one timer.
 */
#include "http/deadline.h"

#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Expiries for each turn, so that ten thousand idle connections that end at the same time don't stop the loop. */
#define EXPIRIES_PER_TURN 64

static void
arm(struct http_deadlines *deadlines, uint64_t at_us, uint64_t now_us)
{
	struct timeval wait = clock_timeval(at_us > now_us ? at_us - now_us : 0);

	deadlines->armed_us = event_add(&deadlines->timer, &wait) < 0 ? 0 : at_us;
}

static const struct http_deadline *
earlier(const struct http_deadline *a, const struct http_deadline *b)
{
	return !a || (b && b->at_us < a->at_us) ? b : a;
}

/* The one that comes first of all; NULL: there is none. */
static struct http_deadline *
first_deadline(const struct http_deadlines *deadlines)
{
	const struct http_deadline *first = NULL;

	for (unsigned i = 0; i < HTTP_DEADLINE_LISTS; i++) {
		first = earlier(first, TAILQ_FIRST(&deadlines->lists[i]));
		for (unsigned k = 0; deadlines->n_early > 0 && k < HTTP_DEADLINE_WHEEL; k++)
			first = earlier(first, TAILQ_FIRST(&deadlines->wheels[i][k]));
	}
	return (struct http_deadline *)(uintptr_t)first;
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
	for (unsigned i = 0; i < HTTP_DEADLINE_LISTS; i++) {
		TAILQ_INIT(&deadlines->lists[i]);
		for (unsigned k = 0; k < HTTP_DEADLINE_WHEEL; k++)
			TAILQ_INIT(&deadlines->wheels[i][k]);
	}
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
	TAILQ_REMOVE(deadline->in, deadline, link);
	deadlines->n_early -= deadline->early;
}

/* At the end of that list, where it is in order. */
static void
enlist(struct http_deadlines *deadlines, struct http_deadline *deadline, struct http_deadline_list *list,
	bool early, uint64_t at_us, uint64_t now_us)
{
	deadline->at_us = at_us;
	deadline->in = list;
	deadline->early = early;
	deadlines->n_early += early;
	TAILQ_INSERT_TAIL(list, deadline, link);
	if (deadlines->armed_us == 0 || at_us < deadlines->armed_us)
		arm(deadlines, at_us, now_us);
}

void
http_deadlines_set(struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list)
{
	uint64_t now_us, timeout_us = deadlines->timeout_us[list];

	http_deadlines_unset(deadlines, deadline);
	if (timeout_us == 0)
		return;
	now_us = clock_now_us();
	enlist(deadlines, deadline, &deadlines->lists[list], false, now_us + timeout_us, now_us);
}

void
http_deadlines_set_at(
	struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list, uint64_t at_us)
{
	uint64_t now_us = clock_now_us(), timeout_us = deadlines->timeout_us[list];
	uint64_t step_us = timeout_us / HTTP_DEADLINE_STEPS + 1, step;

	if (timeout_us == 0 || at_us >= now_us + timeout_us) {
		http_deadlines_set(deadlines, deadline, list);
		return;
	}
	http_deadlines_unset(deadlines, deadline);
	step = (at_us > now_us ? at_us : now_us) / step_us;
	enlist(deadlines, deadline, &deadlines->wheels[list][step % HTTP_DEADLINE_WHEEL], true,
		step * step_us, now_us);
}
