/*
 * Offers the log's sink again what it could not take at once: soon, and less and less often if it takes nothing.
 */
#include "base/log_pump.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

#define PAUSE_MIN_US (5 * US_PER_MS)
#define PAUSE_MAX_US (640 * US_PER_MS)

struct log_pump {
	struct event *timer;
	uint64_t pause_us; /* before the next offer */
};

static void
wait_again(struct log_pump *pump)
{
	const struct timeval pause = clock_timeval(pump->pause_us);

	event_add(pump->timer, &pause);
}

/* event: the pause is over */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct log_pump *pump = arg;
	enum log_flushed flushed = log_flush();

	(void)fd, (void)what;
	if (flushed == LOG_FLUSHED_ALL)
		return;
	if (flushed == LOG_FLUSHED_SOME)
		pump->pause_us = PAUSE_MIN_US;
	else if (pump->pause_us < PAUSE_MAX_US)
		pump->pause_us *= 2;
	wait_again(pump);
}

/* A log_waiter */
static void
on_wait(void *arg)
{
	struct log_pump *pump = arg;

	pump->pause_us = PAUSE_MIN_US;
	wait_again(pump);
}

struct log_pump *
log_pump_new(struct event_base *base)
{
	struct log_pump *pump = calloc(1, sizeof(*pump));

	if (!pump)
		return NULL;
	pump->timer = evtimer_new(base, on_timer, pump);
	if (!pump->timer) {
		free(pump);
		return NULL;
	}
	log_set_waiter(on_wait, pump);
	return pump;
}

void
log_pump_free(struct log_pump *pump)
{
	if (!pump)
		return;
	log_set_waiter(NULL, NULL);
	event_free(pump->timer);
	free(pump);
}
