/*
 * Recycling of workers.
 */
#include "master/recycle.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RECYCLE_INTERVAL_US US_PER_SEC
#define RECYCLE_RETRY_US    (60 * US_PER_SEC)
#define DICE_MAX            255

uint64_t
recycle_limit(uint64_t limit, unsigned jitter, unsigned dice)
{
	/* in two parts: limits reach 2^50, and the product would not fit */
	uint64_t share = (uint64_t)jitter * dice, whole = 100 * DICE_MAX;
	uint64_t less = limit / whole * share + limit % whole * share / whole;

	return limit > less ? limit - less : 1;
}

/* Resident bytes of a process, by /proc/PID/statm; 0: unknown. */
static uint64_t
resident(pid_t pid)
{
	char path[48], text[128];
	cleanup_fd int fd = -1;
	unsigned long size, pages;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%lu %lu", &size, &pages) != 2)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool
is_due(struct worker *w, const struct config *live)
{
	unsigned jitter = live->recycle.jitter;
	uint64_t age = clock_now_us() - w->started_us;

	/* whatever the limits are, a worker has its time */
	if (age < RECYCLE_INTERVAL_US)
		return false;
	if (live->recycle.age_us > 0 && age >= recycle_limit(live->recycle.age_us, jitter, w->dice))
		return true;
	if (live->recycle.requests > 0 &&
		worker_count(w, COUNTER_REQUESTS) >= recycle_limit(live->recycle.requests, jitter, w->dice))
		return true;
	return live->recycle.memory > 0 &&
	       resident(w->pid) >= recycle_limit(live->recycle.memory, jitter, w->dice);
}

/* One that is due, beginning behind the last one, so that all have their turn even where they are due again at once. NULL: none is. */
static const struct worker *
find_due(struct recycle *r, const struct config *live)
{
	const struct pool *pool = r->pool;

	for (unsigned i = 0; i < pool->n_slots; i++) {
		struct worker *w = slot_ready_worker(pool->slot[(r->next_slot + i) % pool->n_slots], NULL);

		if (w && is_due(w, live)) {
			r->next_slot = w->slot + 1;
			return w;
		}
	}
	return NULL;
}

/* One that is still there after it was to be replaced has a successor that fails: that is not tried every second. */
static void
replace(struct recycle *r, const struct worker *w)
{
	uint64_t now = clock_now_us();

	if (w->pid == r->last_pid && now < r->not_before_us)
		return;
	r->last_pid = w->pid;
	r->not_before_us = now + RECYCLE_RETRY_US;
	wish_ask(&r->wish, r->reload,
		&(struct reload_request){ .kind = RELOAD_RESTART, .origin = "recycling", .slot = w->slot });
}

/* event: a second has passed, or one was replaced */
static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct recycle *r = arg;
	const struct config *live = r->pool->slot_host.workers.live;
	const struct worker *due;

	(void)fd, (void)what;
	if (!live || !event_pending(r->on_time, EV_TIMEOUT, NULL) || r->pool->roll.state != ROLL_IDLE ||
		r->reload->under_way || r->pool->stopping)
		return;
	due = find_due(r, live);
	if (due)
		replace(r, due);
}

int
recycle_init(struct recycle *r, struct event_base *base, struct pool *pool, struct reload *reload)
{
	*r = (struct recycle){ .pool = pool, .reload = reload };
	r->on_time = event_new(base, -1, EV_PERSIST, on_time, r);
	return r->on_time ? 0 : -ENOMEM;
}

void
recycle_go_on(struct recycle *r)
{
	const struct reload *reload = r->reload;

	/* after one that failed there is a pause, lest it fail without pause */
	if (reload->kind == RELOAD_RESTART && reload->next.verdict == VERDICT_APPLIED)
		event_active(r->on_time, EV_TIMEOUT, 0);
}

void
recycle_apply(struct recycle *r, const struct config *config)
{
	struct timeval interval = clock_timeval(RECYCLE_INTERVAL_US);

	if (config->recycle.age_us > 0 || config->recycle.requests > 0 || config->recycle.memory > 0)
		event_add(r->on_time, &interval);
	else
		event_del(r->on_time);
}

void
recycle_done(struct recycle *r)
{
	if (r->on_time)
		event_free(r->on_time);
}
