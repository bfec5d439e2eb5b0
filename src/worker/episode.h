/*
 * A trouble that comes and goes, perhaps a thousand times a second, but is to be told to the log
 * once, and once when it is over. It is over when it has not come back for a second.
 */
#ifndef WORKER_EPISODE_H
#define WORKER_EPISODE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/* The trouble is over; it had lasted this long. */
typedef void episode_fn(uint64_t lasted_us, void *arg);

struct episode {
	struct event *calm; /* pending: no trouble at present, and perhaps it is over */
	uint64_t begun_us;  /* 0: no episode */
	uint64_t last_us;   /* when the trouble was last seen going */
	episode_fn *on_over;
	void *arg;
};

/* 0, or -ENOMEM. */
int episode_init(struct episode *episode, struct event_base *base, episode_fn *on_over, void *arg);

/* All zero is fine. */
void episode_done(struct episode *episode);

/* The trouble is here. Is that news, or still the same episode? */
bool episode_begin(struct episode *episode);

/* It is gone for now. Nothing happens without an episode. */
void episode_pause(struct episode *episode);

#endif
