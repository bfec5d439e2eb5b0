/*
 * Probes.
 */
#include "service/proxy/probe.h"

#include "base/clock.h"
#include "base/fd.h"
#include "service/proxy/connect.h"

#include <errno.h>
#include <stdlib.h>

/* Where no interval is configured. */
#define INTERVAL_OF_DOWN_US (2 * US_PER_SEC)

struct probe {
	struct event_base *base;
	struct upstream *upstream; /* NULL behind the last one */
	struct event *next;        /* pending: between two probes */
	struct event *connecting;  /* NULL: none is under way */
	int fd;
};

static uint64_t
interval_of(const struct proxy_options *options)
{
	return options->health.interval_us > 0 ? options->health.interval_us : INTERVAL_OF_DOWN_US;
}

uint64_t
probe_patience_us(const struct proxy_options *options)
{
	return 2 * (interval_of(options) + options->health.timeout_us);
}

/* Those that are up need none where no interval is configured. */
static bool
is_wanted(const struct probe *probe)
{
	return probe->upstream->health.is_down || probe->upstream->set->options->health.interval_us > 0;
}

static void
wait_for_next(struct probe *probe)
{
	struct timeval wait = clock_timeval(interval_of(probe->upstream->set->options));

	if (is_wanted(probe))
		event_add(probe->next, &wait);
}

/* What has come of it: 0, or negative errno. */
static void
conclude(struct probe *probe, int result)
{
	if (probe->connecting)
		event_free(probe->connecting);
	probe->connecting = NULL;
	fd_close(&probe->fd);
	if (!connect_is_own_error(-result))
		upstream_note(probe->upstream, result);
	wait_for_next(probe);
}

/* event: the connection is made, or not */
static void
on_result(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	conclude(
		probe, what & EV_TIMEOUT ? -ETIMEDOUT : connect_result(fd, probe->upstream->may_meet_itself));
}

static void
begin(struct probe *probe)
{
	struct timeval timeout = clock_timeval(probe->upstream->set->options->health.timeout_us);
	bool connected;

	probe->fd = connect_begin(
		upstream_next_address(probe->upstream), probe->upstream->may_meet_itself, &connected);
	/* a queue that is full says that somebody is there, only busy */
	if (probe->fd < 0 || connected) {
		conclude(probe, probe->fd < 0 && probe->fd != -EAGAIN ? probe->fd : 0);
		return;
	}
	probe->connecting = event_new(probe->base, probe->fd, EV_WRITE, on_result, probe);
	if (!probe->connecting || event_add(probe->connecting, &timeout) < 0)
		conclude(probe, -ENOMEM);
}

/* event: it is time for another one, or the upstream has gone down */
static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	(void)fd;
	(void)what;
	if (probe->connecting || !is_wanted(probe))
		return;
	event_del(probe->next);
	if (probe->upstream->n_addresses > 0)
		begin(probe);
	else
		wait_for_next(probe);
}

/* The first ones are spread, so that they don't all come in one moment. */
static void
begin_waiting(struct probe *probe, size_t number, size_t n)
{
	uint64_t interval_us = interval_of(probe->upstream->set->options), now_us = clock_now_us();
	uint64_t wait_us = interval_us * (number + 1) / n;
	struct timeval wait = clock_timeval(wait_us);

	if (!is_wanted(probe))
		return;
	event_add(probe->next, &wait);
	upstream_expect_result(
		probe->upstream, now_us + wait_us > interval_us ? now_us + wait_us - interval_us : 1);
}

struct probe *
probes_new(struct event_base *base, struct upstreams *upstreams)
{
	struct probe *probes = calloc(upstreams->n + 1, sizeof(*probes));

	for (size_t i = 0; probes && i < upstreams->n; i++) {
		struct probe *probe = &probes[i];

		*probe = (struct probe){ .base = base, .upstream = &upstreams->all[i], .fd = -1 };
		probe->next = evtimer_new(base, on_next, probe);
		if (!probe->next) {
			probes_free(probes);
			return NULL;
		}
		probe->upstream->on_down = probe->next;
		begin_waiting(probe, i, upstreams->n);
	}
	return probes;
}

void
probes_resume(struct probe *probes, const struct upstream *upstream)
{
	struct probe *probe = &probes[upstream - upstream->set->all];
	uint64_t due_us = upstream->result_us + interval_of(upstream->set->options), now_us = clock_now_us();
	struct timeval wait = clock_timeval(due_us > now_us ? due_us - now_us : 0);

	if (!probe->connecting && is_wanted(probe))
		event_add(probe->next, &wait);
}

void
probes_free(struct probe *probes)
{
	for (struct probe *probe = probes; probe && probe->upstream; probe++) {
		probe->upstream->on_down = NULL;
		if (probe->next)
			event_free(probe->next);
		if (probe->connecting)
			event_free(probe->connecting);
		fd_close(&probe->fd);
	}
	free(probes);
}
