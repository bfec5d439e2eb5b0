/*
 * What the daemon says of itself.
 */
#include "master/report.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/log_event.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
report_state_name(enum master_state state)
{
	static const char *const names[] = {
		[MASTER_STARTING] = "starting",
		[MASTER_RUNNING] = "running",
		[MASTER_RELOADING] = "reloading",
		[MASTER_STOPPING] = "stopping",
	};

	return names[state];
}

/* Adds to a text that is cut at `size`. */
static void __attribute__((format(printf, 3, 4))) append(char *buf, size_t size, const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + used, size - used, fmt, ap);
	va_end(ap);
}

void
report_addresses(const struct pool *pool, char *buf, size_t size)
{
	const struct listener *listener;

	*buf = '\0';
	TAILQ_FOREACH(listener, &pool->listeners, entry)
		if (listener->listening)
			append(buf, size, "%s%s", *buf ? ", " : "", listener->address);
	if (!*buf)
		append(buf, size, "nothing");
}

void
report_line(const struct report *r, char *buf, size_t size)
{
	struct pool_count count = pool_count(r->pool);
	const struct generation *running = r->pool->running;

	*buf = '\0';
	if (r->state != MASTER_RUNNING)
		append(buf, size, "%s: ", report_state_name(r->state));
	if (running)
		append(buf, size, "generation %" PRIu64 ", %u of %u workers ready", running->number,
			count.ready, running->config->workers);
	else
		append(buf, size, "%u workers ready", count.ready);
	if (count.leaving > 0)
		append(buf, size, ", %u draining", count.leaving);
	if (r->last_reload->verdict != VERDICT_NONE)
		append(buf, size, "; last reload: %s%s%s", verdict_name(r->last_reload->verdict),
			*r->last_reload->error ? ": " : "", r->last_reload->error);
}

static void
log_worker(const struct worker *w, const char *role)
{
	if (!w)
		return;
	log_event(LOG_NOTICE, EVENT_STATUS, WORKER_ABOUT(w),
		"status: worker %u pid %d gen %" PRIu64 " %s %s, %" PRIu64 " connections, %" PRIu64
		" accepted, up %.1f s%s%s",
		w->slot, (int)w->pid, w->generation->number, worker_state_name(w->state), role,
		counters_get(w->counters, COUNTER_CONNECTIONS), counters_get(w->counters, COUNTER_ACCEPTED),
		(double)(clock_now_us() - w->started_us) / (double)US_PER_SEC, *w->status ? ": " : "",
		w->status);
}

void
report_log(const struct report *r)
{
	char line[512];

	report_line(r, line, sizeof(line));
	log_event(LOG_NOTICE, EVENT_STATUS, NULL, "status: %s; up %.1f s", line,
		(double)(clock_now_us() - r->started_us) / (double)US_PER_SEC);
	report_addresses(r->pool, line, sizeof(line));
	log_event(LOG_NOTICE, EVENT_STATUS, NULL, "status: listening on %s", line);
	for (unsigned i = 0; i < r->pool->n_slots; i++) {
		log_worker(r->pool->slot[i]->incumbent, "incumbent");
		log_worker(r->pool->slot[i]->successor, "successor");
	}
	log_event(LOG_NOTICE, EVENT_STATUS, NULL, "status: end");
}
