/*
 * Episodes of trouble.
 */
#include "worker/episode.h"

#include "base/clock.h"

#include <errno.h>

#define CALM_US US_PER_SEC

/* event: a second without trouble */
static void
on_calm(evutil_socket_t fd, short what, void *arg)
{
	struct episode *episode = arg;
	uint64_t lasted_us = episode->last_us - episode->begun_us;

	(void)fd;
	(void)what;
	episode->begun_us = 0;
	episode->on_over(lasted_us, episode->arg);
}

int
episode_init(struct episode *episode, struct event_base *base, episode_fn *on_over, void *arg)
{
	*episode = (struct episode){ .on_over = on_over, .arg = arg };
	episode->calm = evtimer_new(base, on_calm, episode);
	return episode->calm ? 0 : -ENOMEM;
}

void
episode_done(struct episode *episode)
{
	if (episode->calm)
		event_free(episode->calm);
	episode->calm = NULL;
}

bool
episode_begin(struct episode *episode)
{
	bool news = episode->begun_us == 0;

	event_del(episode->calm);
	if (news)
		episode->begun_us = clock_now_us();
	return news;
}

void
episode_pause(struct episode *episode)
{
	struct timeval calm = clock_timeval(CALM_US);

	if (episode->begun_us == 0 || event_pending(episode->calm, EV_TIMEOUT, NULL))
		return;
	episode->last_us = clock_now_us();
	event_add(episode->calm, &calm);
}
