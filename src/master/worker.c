/*
 * A worker's state: what changes it, and what is done about it.
 */
#include "master/worker.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/log_event.h"
#include "master/worker_orders.h"
#include "master/worker_step.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

const char *
worker_name(const struct worker *w, char buf[static 64])
{
	snprintf(buf, 64, "worker %u gen %" PRIu64 " pid %d", w->slot, w->generation->number, (int)w->pid);
	return buf;
}

const char *
worker_end_name(enum worker_end end)
{
	static const char *const names[WORKER_ENDS] = {
		[WORKER_END_STOPPED] = "stopped",
		[WORKER_END_DRAINED] = "drained",
		[WORKER_END_FAILED] = "failed",
		[WORKER_END_EXITED] = "exited",
		[WORKER_END_SIGNALLED] = "signalled",
		[WORKER_END_LATE] = "late",
		[WORKER_END_HUNG] = "hung",
		[WORKER_END_PROTOCOL] = "protocol",
	};

	return names[end];
}

uint64_t
worker_count(struct worker *w, enum counter counter)
{
	uint64_t now = counters_get(w->counters, counter);

	if (counter == COUNTER_CONNECTIONS)
		return now;
	if (now > w->seen[counter])
		w->seen[counter] = now;
	return w->seen[counter];
}

/* What a hosted program wrote last tells more than how it ended. */
static void
add_words(struct worker *w)
{
	char words[OUTPUT_QUOTE_MAX + 2];
	size_t len = strlen(w->failure);

	snprintf(w->failure + len, sizeof(w->failure) - len, "%s", hosted_words(w->hosted, words));
}

void __attribute__((format(printf, 3, 4)))
worker_lose(struct worker *w, enum worker_end end, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	w->end = end;
	va_start(ap, fmt);
	vsnprintf(w->failure, sizeof(w->failure), fmt, ap);
	va_end(ap);
	if (w->hosted && end != WORKER_END_FAILED)
		add_words(w);
}

/* What a failing input means. */
static enum worker_end
end_of(const struct worker *w, enum worker_input input)
{
	switch (input) {
	case WORKER_SAYS_FAILED:
		return WORKER_END_FAILED;
	case WORKER_DEADLINE:
		return w->state == WORKER_READY ? WORKER_END_HUNG : WORKER_END_LATE;
	default:
		return WORKER_END_PROTOCOL;
	}
}

void
worker_arm(struct event *timer, uint64_t us)
{
	struct timeval tv = clock_timeval(us);

	if (us > 0)
		event_add(timer, &tv);
	else
		event_del(timer);
}

void
worker_arm_deadline(struct worker *w, uint64_t us)
{
	w->deadline_us = clock_now_us() + us;
	w->reprieved = false;
	worker_arm(w->on_deadline, us);
}

uint64_t
worker_timeout(const struct worker *w)
{
	switch (w->state) {
	case WORKER_STARTING:
		return w->host->live->roll.ready_timeout_us;
	case WORKER_READY:
		return w->generation->config->hang_timeout_us;
	case WORKER_DRAINING:
		/* a timeout of 0 is over at once, not never */
		return w->host->live->drain_timeout_us > 0 ? w->host->live->drain_timeout_us : 1;
	case WORKER_STOPPING:
		return WORKER_STOP_TIMEOUT_US;
	case WORKER_KILLING:
		return w->hung ? WORKER_ABORT_TIMEOUT_US : WORKER_KILL_INTERVAL_US;
	default:
		return 0;
	}
}

bool
worker_has_ended(const struct worker *w)
{
	siginfo_t info = { 0 };

	return waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid > 0;
}

/* What is done to the worker as it enters its state. */
static void
act_on_entry(struct worker *w)
{
	if (w->state == WORKER_DRAINING)
		worker_begin_drain(w);
	else if (w->state == WORKER_STOPPING && !w->drained)
		worker_tell_stop(w);
	else if (w->state == WORKER_KILLING)
		worker_strike(w);
}

static void
forget_process(struct worker *w)
{
	event_del(w->on_exit);
	event_del(w->on_status);
	event_del(w->on_eof_grace);
	fd_close(&w->pidfd);
	fd_close(&w->control_fd);
	fd_close(&w->status_fd);
	fd_close(&w->handoff_fd);
	fd_close(&w->counters_fd);
}

/* The one writer of the state. */
static void
enter_state(struct worker *w, enum worker_state next, const char *reason)
{
	struct event_about about = *WORKER_ABOUT(w);
	char name[64];

	about.from = worker_state_name(w->state);
	about.to = worker_state_name(next);
	about.reason = reason;
	log_event(w->failed && next >= WORKER_STOPPING ? LOG_WARNING : LOG_INFO, EVENT_WORKER_STATE, &about,
		"%s: %s -> %s%s%s%s", worker_name(w, name), worker_state_name(w->state),
		worker_state_name(next), *reason ? " (" : "", reason, *reason ? ")" : "");
	w->state = next;
	w->state_since_us = clock_now_us();
	if (next == WORKER_READY)
		w->ready_since_us = w->state_since_us;
	worker_arm_deadline(w, worker_timeout(w));
	if (w->hosted)
		hosted_settle(w->hosted);
	if (next == WORKER_EXITED)
		forget_process(w);
	else
		act_on_entry(w);
	w->host->changed(w->host->arg);
}

void
worker_step(struct worker *w, enum worker_input input, const char *reason)
{
	const struct worker_transition *t = worker_state_next(w->state, input);
	char name[64];

	if (t->violation) {
		log_event(LOG_ERR, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w),
			"%s: protocol error: said \"%s\" while %s", worker_name(w, name), reason,
			worker_state_name(w->state));
		worker_lose(w, WORKER_END_PROTOCOL, "broke the protocol: said \"%s\" while %s", reason,
			worker_state_name(w->state));
	}
	if (t->failure)
		worker_lose(w, end_of(w, input), "%s", reason);
	if (t->next != w->state)
		enter_state(w, t->next, reason);
}

void
worker_drain(struct worker *w, const char *reason)
{
	worker_step(w, WORKER_TOLD_DRAIN, reason);
}

void
worker_stop(struct worker *w, const char *reason)
{
	worker_step(w, WORKER_TOLD_STOP, reason);
}

void
worker_retime(struct worker *w)
{
	uint64_t past = clock_now_us() - w->state_since_us, whole = w->host->live->drain_timeout_us;

	if (w->state != WORKER_DRAINING)
		return;
	worker_tell_drain(w, whole > past ? whole - past : 0);
	worker_arm_deadline(w, whole > past ? whole - past : 1);
}

bool
worker_is_seasoned(const struct worker *w, uint64_t settle_us, uint64_t *ret_left)
{
	uint64_t past;

	*ret_left = 0;
	if (w->state != WORKER_READY)
		return false;
	/* the clock is read only where it counts, as nearly all workers are asked at nearly every step of a roll */
	if (settle_us == 0)
		return true;
	past = clock_now_us() - w->state_since_us;
	if (past < settle_us)
		*ret_left = settle_us - past;
	return past >= settle_us;
}

struct worker *
worker_new(const struct worker_host *host, struct generation *generation)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct worker){ .host = host,
		.generation = generation_ref(generation),
		.pidfd = -1,
		.control_fd = -1,
		.status_fd = -1,
		.handoff_fd = -1,
		.counters_fd = -1 };
	line_reader_init(&w->reader);
	return w;
}

static void
free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void
worker_free(struct worker *w)
{
	free_event(w->on_exit);
	free_event(w->on_status);
	free_event(w->on_deadline);
	free_event(w->on_eof_grace);
	fd_close(&w->pidfd);
	fd_close(&w->control_fd);
	fd_close(&w->status_fd);
	fd_close(&w->handoff_fd);
	fd_close(&w->counters_fd);
	counters_unmap(w->counters);
	hosted_free(w->hosted);
	generation_unref(w->generation);
	free(w);
}
