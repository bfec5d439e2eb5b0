/*
 * A short time in which handing over comes before all else.
 */
#include "worker/rush.h"

uint64_t
rush_left_us(struct rush *rush)
{
	uint64_t now = clock_now_us();

	if (rush->end_us == 0)
		rush->end_us = now + rush->length_us;
	return now < rush->end_us ? rush->end_us - now : 0;
}

void
rush_end(struct rush *rush)
{
	rush->end_us = clock_now_us();
}

void
rush_set_priority(struct rush *rush, struct event *event)
{
	int among_connections =
		event_base_get_npriorities(event_get_base(event)) / 2; /* libevent's default */

	event_priority_set(event, rush_left_us(rush) > 0 ? rush->priority : among_connections);
}
