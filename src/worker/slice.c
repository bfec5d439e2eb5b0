/*
 * Sharing the loop between two priorities.
 */
#include "worker/slice.h"

#include "base/clock.h"

#include <errno.h>
#include <stddef.h>

/* event: the lower priority has its turn; what is ready there is served before this one's descriptor is asked for again */
static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct sliced *sliced = arg;

	(void)fd;
	(void)what;
	sliced->slice->end_us = 0;
	event_add(sliced->readable, NULL);
}

int
sliced_init(struct sliced *sliced, struct slice *slice, struct event_base *base, int priority, int fd,
	event_callback_fn fn, void *arg)
{
	*sliced = (struct sliced){ .slice = slice };
	sliced->readable = event_new(base, fd, EV_READ | EV_PERSIST, fn, arg);
	sliced->rested = event_new(base, -1, 0, on_rested, sliced);
	if (sliced->readable && sliced->rested && event_priority_set(sliced->readable, priority) == 0 &&
		event_add(sliced->readable, NULL) == 0)
		return 0;
	sliced_done(sliced);
	return -ENOMEM;
}

void
sliced_worked(struct sliced *sliced)
{
	struct slice *slice = sliced->slice;
	uint64_t now = clock_now_us();

	if (slice->end_us == 0)
		slice->end_us = now + slice->length_us;
	if (now < slice->end_us)
		return;
	event_del(sliced->readable);
	event_active(sliced->rested, EV_TIMEOUT, 0);
}

void
sliced_stop(struct sliced *sliced)
{
	event_del(sliced->readable);
	event_del(sliced->rested);
}

void
sliced_done(struct sliced *sliced)
{
	if (sliced->readable)
		event_free(sliced->readable);
	if (sliced->rested)
		event_free(sliced->rested);
	*sliced = (struct sliced){ 0 };
}
