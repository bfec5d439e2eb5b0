/*
 * What all workers say.
 */
#include "master/talk.h"

#include "base/clock.h"
#include "master/loop.h"

/* event: all clients that waited when it was activated have had their turn, as events of a priority are served in their order */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct talk *talk = arg;

	(void)fd, (void)what;
	talk->heard_us = 0;
}

bool
talk_init(struct talk *talk, struct event_base *base)
{
	*talk = (struct talk){ .turn = event_new(base, -1, 0, on_turn, talk) };
	if (talk->turn && base)
		event_priority_set(talk->turn, LOOP_PRIORITY_CLIENTS);
	return talk->turn != NULL;
}

void
talk_done(struct talk *talk)
{
	if (talk->turn)
		event_free(talk->turn);
}

uint64_t
talk_begins(const struct talk *talk, struct event *event)
{
	event_priority_set(event, talk->heard_us < TALK_US ? LOOP_PRIORITY_DEFAULT : LOOP_PRIORITY_CLIENTS);
	return clock_work_us();
}

/*
 * The clock is that of the master's own work: by any other, one that has a processor for a tenth of the time would seem to rest, and do
 * nothing but listen.
 */
void
talk_heard(struct talk *talk, uint64_t began_us)
{
	talk->heard_us += clock_work_us() - began_us;
	if (talk->heard_us >= TALK_US)
		event_active(talk->turn, 0, 0);
}
