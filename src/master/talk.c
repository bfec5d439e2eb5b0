/*
 * What all workers say.
 */
#include "master/talk.h"

#include "base/clock.h"
#include "master/loop.h"

#include <stdbool.h>

/* So many times as long as workers are heard, others are; and so much may be owed: a start of many is no flood. */
#define TALK_REST      1
#define TALK_CREDIT_US (20 * US_PER_MS)

void
talk_init(struct talk *talk)
{
	*talk = (struct talk){ .pace = { .rest = TALK_REST, .credit_us = TALK_CREDIT_US } };
}

/*
 * The clock is that of the loop's own work. By any other, a master that has a processor for less than half of the time would
 * seem to have rested, and do nothing but listen to workers.
 */
void
talk_heard(struct talk *talk, struct event *event, uint64_t began_us)
{
	bool first = event_get_priority(event) == LOOP_PRIORITY_DEFAULT;
	uint64_t now_us = clock_work_us(),
		 owed_us = pace_work(&talk->pace, now_us, first ? now_us - began_us : 0);

	event_priority_set(event, owed_us > 0 ? LOOP_PRIORITY_CLIENTS : LOOP_PRIORITY_DEFAULT);
}
