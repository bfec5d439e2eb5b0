/*
 * What is due after a while.
 */
#include "service/proxy/later.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

/* Many may have come at once, from another worker. Each round of the loop has time for some. */
#define BATCH      64
#define BETWEEN_US US_PER_MS

static void
wait_for(struct later *later, uint64_t us)
{
	struct timeval wait = clock_timeval(us);

	event_add(later->timer, &wait);
}

/* event: the period is over, or the next batch is due */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct later *later = arg;
	struct later_list *old = &later->young[!later->now];
	struct later_entry *entry;

	(void)fd;
	(void)what;
	for (int i = 0; i < BATCH && (entry = LIST_FIRST(old)); i++) {
		later_end(entry);
		later->fn(entry);
	}
	if (!LIST_EMPTY(old)) {
		wait_for(later, BETWEEN_US);
		return;
	}
	later->now = !later->now;
	if (!LIST_EMPTY(&later->young[0]) || !LIST_EMPTY(&later->young[1]))
		wait_for(later, later->period_us);
}

int
later_init(struct later *later, struct event_base *base, uint64_t period_us, later_fn *fn)
{
	*later = (struct later){ .period_us = period_us, .fn = fn };
	LIST_INIT(&later->young[0]);
	LIST_INIT(&later->young[1]);
	later->timer = evtimer_new(base, on_timer, later);
	return later->timer ? 0 : -ENOMEM;
}

void
later_done(struct later *later)
{
	if (later->timer)
		event_free(later->timer);
	later->timer = NULL;
}

void
later_begin(struct later *later, struct later_entry *entry)
{
	if (entry->entry.le_prev)
		return;
	LIST_INSERT_HEAD(&later->young[later->now], entry, entry);
	if (!event_pending(later->timer, EV_TIMEOUT, NULL))
		wait_for(later, later->period_us);
}

void
later_end(struct later_entry *entry)
{
	if (!entry->entry.le_prev)
		return;
	LIST_REMOVE(entry, entry);
	memset(entry, 0, sizeof(*entry));
}
