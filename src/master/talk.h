/*
 * What all workers say to the master: it has half of the loop, and what is beyond that is heard as one of the clients of the
 * control socket. Else workers that talk without pause would keep those from being heard, who come behind all else.
 */
#ifndef MASTER_TALK_H
#define MASTER_TALK_H

#include "base/pace.h"

#include <event2/event.h>
#include <stdint.h>

struct talk {
	struct pace pace;
};

void talk_init(struct talk *talk);

/*
 * To be called by an event in which something was heard: the event, which must not be active; when it began (clock_work_us).
 */
void talk_heard(struct talk *talk, struct event *event, uint64_t began_us);

#endif
