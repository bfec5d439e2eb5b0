/*
 * The master's event loop.
 */
#include "master/loop.h"

#include <errno.h>
#include <sys/wait.h>

_Static_assert(LOOP_PRIORITY_DEFAULT == LOOP_PRIORITIES / 2, "what libevent gives to an event");

/* One event of a client, then a look at everything. */
static struct event_base *
base_new(const struct event_config *config)
{
	struct event_base *base = event_base_new_with_config(config);

	if (!base || event_base_priority_init(base, LOOP_PRIORITIES) == 0)
		return base;
	event_base_free(base);
	return NULL;
}

/*
 * Without libevent's cached time, which is that of the last look for events: a timer that is set late in a long turn, or in one that was
 * frozen in between, would be over before its time.
 */
struct event_base *
loop_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config &&
		event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NOLOCK |
						      EVENT_BASE_FLAG_NO_CACHE_TIME) == 0 &&
		event_config_set_max_dispatch_interval(config, NULL, 1, LOOP_PRIORITY_CLIENTS) == 0)
		base = base_new(config);
	if (config)
		event_config_free(config);
	return base;
}

struct event *
loop_on_end(struct event_base *base, int pidfd, event_callback_fn on_end, void *arg)
{
	return event_new(base, pidfd, EV_READ | EV_PERSIST | EV_ET, on_end, arg);
}

int
loop_reap(int pidfd, siginfo_t *ret)
{
	int r;

	*ret = (siginfo_t){ 0 };
	do
		r = waitid(P_PIDFD, (id_t)pidfd, ret, WEXITED | WNOHANG);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}
