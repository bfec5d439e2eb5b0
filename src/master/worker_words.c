/*
 * What a worker says: by the contract, or in the ways of a hosted program.
 */
#include "master/worker_words.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "base/timeslice.h"
#include "ipc/contract.h"
#include "ipc/message.h"
#include "master/log_event.h"
#include "master/worker_orders.h"
#include "master/worker_step.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Does it say on the pipe that it is ready? Else a pipe that is closed means nothing. */
static bool
keeps_to_pipe(const struct worker *w)
{
	return !worker_exec(w) || worker_exec(w)->ready == EXEC_READY_PIPE;
}

/* ---- by the contract ---- */

static void
become_ready(struct worker *w)
{
	char reason[48];

	if (w->state != WORKER_STARTING) {
		worker_step(w, WORKER_SAYS_READY, "ready");
		return;
	}
	snprintf(reason, sizeof(reason), "after %.1f ms",
		(double)(clock_now_us() - w->started_us) / (double)US_PER_MS);
	worker_step(w, WORKER_SAYS_READY, reason);
}

static void
on_ready(struct worker *w, const struct message *m)
{
	(void)m;
	/* who starts has a long one (spawn.c); and the number of one that has ended may be another's */
	if (!worker_exec(w) && !worker_has_ended(w))
		timeslice_copy(0, w->pid);
	/* of who is to tell it in another way, it is a word like any other */
	if (keeps_to_pipe(w))
		become_ready(w);
}

static void
on_alive(struct worker *w, const struct message *m)
{
	(void)m;
	if (w->state == WORKER_READY)
		worker_arm_deadline(w, worker_timeout(w));
}

static void
take_status(struct worker *w, const char *text)
{
	char name[64];

	snprintf(w->status, sizeof(w->status), "%s", text);
	log_event(LOG_DEBUG, EVENT_WORKER_STATUS, WORKER_ABOUT(w), "%s: %s", worker_name(w, name), w->status);
}

static void
on_worker_status(struct worker *w, const struct message *m)
{
	take_status(w, m->text);
}

/* For programs that have no counter page of their own: their numbers go into the page for them. */
static void
on_stats(struct worker *w, const struct message *m)
{
	char pairs[MESSAGE_MAX], *rest = pairs;
	const char *key;
	uint64_t value;

	snprintf(pairs, sizeof(pairs), "%s", m->text);
	while (message_next_pair(&rest, &key, &value) > 0)
		for (enum counter c = 0; c < COUNTER_COUNT; c++)
			if (strcmp(key, counters_name(c)) == 0)
				atomic_store_explicit(&w->counters->word[c], value, memory_order_relaxed);
}

static void
on_drained(struct worker *w, const struct message *m)
{
	w->drained = true;
	if (!w->failed)
		w->end = WORKER_END_DRAINED;
	w->finished = m->drained.finished;
	w->handed = m->drained.handed;
	w->cut = m->drained.cut;
	worker_step(w, WORKER_SAYS_DRAINED, "drained");
}

static void
on_failed(struct worker *w, const struct message *m)
{
	char reason[sizeof(w->failure)];

	snprintf(reason, sizeof(reason), "failed: %s", m->text);
	worker_step(w, WORKER_SAYS_FAILED, reason);
}

static void
on_upstream(struct worker *w, const struct message *m)
{
	/* (the parser has seen to it that the number is one) */
	w->upstream[m->number] = upstream_records_get(w->host->upstreams, m->text);
}

static void
on_resolved(struct worker *w, const struct message *m)
{
	struct upstream_record *record = w->upstream[m->number];
	char *addresses = record ? strdup(m->addresses) : NULL;

	if (!addresses)
		return;
	free(record->addresses);
	record->addresses = addresses;
}

static void
on_stranded(struct worker *w, const struct message *m)
{
	(void)m;
	if (w->stranded || w->state != WORKER_DRAINING)
		return;
	w->stranded = true;
	w->host->changed(w->host->arg);
}

static void
on_hello(struct worker *w, const struct message *m)
{
	char reason[80];

	w->said_hello = true;
	if (m->hello.version == CONTRACT_VERSION)
		return;
	snprintf(reason, sizeof(reason), "failed: speaks version %" PRIu64 " of the protocol, not %d",
		m->hello.version, CONTRACT_VERSION);
	worker_step(w, WORKER_SAYS_FAILED, reason);
}

static void
on_unknown(struct worker *w, const struct message *m)
{
	char name[64];

	if (w->said_unknown)
		return;
	w->said_unknown = true;
	log_event(LOG_NOTICE, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w),
		"%s: ignored an unknown message: \"%.200s\"; further ones are not logged",
		worker_name(w, name), m->text);
}

/* The line, or what there is of it, breaks the protocol: whatever the worker is, it is not to be trusted. */
static int
reject_line(struct worker *w, const char *line, size_t len, const char *what)
{
	char shown[400], reason[sizeof(w->failure)], name[64];

	text_escape(shown, sizeof(shown), line, len);
	log_event(LOG_ERR, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w), "%s: protocol error: %s: \"%s\"",
		worker_name(w, name), what, shown);
	snprintf(reason, sizeof(reason), "broke the protocol: %s", what);
	event_del(w->on_status);
	worker_step(w, WORKER_PIPE_LOST, reason);
	return -EBADMSG;
}

/* A line_fn. */
static int
on_line(char *line, void *arg)
{
	static void (*const handlers[MESSAGE_TYPES])(struct worker *, const struct message *) = {
		[MESSAGE_UNKNOWN] = on_unknown,
		[MESSAGE_HELLO] = on_hello,
		[MESSAGE_READY] = on_ready,
		[MESSAGE_ALIVE] = on_alive,
		[MESSAGE_STATUS] = on_worker_status,
		[MESSAGE_STATS] = on_stats,
		[MESSAGE_DRAINED] = on_drained,
		[MESSAGE_FAILED] = on_failed,
		[MESSAGE_UPSTREAM] = on_upstream,
		[MESSAGE_RESOLVED] = on_resolved,
		[MESSAGE_STRANDED] = on_stranded,
	};
	char raw[MESSAGE_MAX];
	struct worker *w = arg;
	struct message message;
	const char *error;

	snprintf(raw, sizeof(raw), "%s", line);
	if (message_parse(line, MESSAGE_TO_MASTER, &message, &error) < 0)
		return reject_line(w, raw, strlen(raw), error);
	/* a child that could not even be started says `failed` in the worker's stead */
	if (w->said_hello == (message.type == MESSAGE_HELLO) && message.type != MESSAGE_FAILED)
		return reject_line(
			w, raw, strlen(raw), w->said_hello ? "hello again" : "the first line must be hello");
	handlers[message.type](w, &message);
	return w->state >= WORKER_KILLING ? -ECANCELED : 0;
}

enum line_reader_result
worker_read_status(struct worker *w)
{
	enum line_reader_result result = line_reader_read(&w->reader, w->status_fd, on_line, w);

	if (result == LINE_READER_BAD)
		reject_line(w, w->reader.data, w->reader.len,
			w->reader.len == sizeof(w->reader.data) ? "a line without end"
								: "a line with control characters");
	return result;
}

void
worker_on_status(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t began_us = talk_begins(w->host->talk, w->on_status);
	enum line_reader_result result = worker_read_status(w);

	(void)fd, (void)what;
	switch (result) {
	case LINE_READER_AGAIN:
		talk_heard(w->host->talk, began_us);
		break;
	case LINE_READER_EOF:
	case LINE_READER_ERROR:
		event_del(w->on_status);
		/* mostly the process is just exiting; that tells more than a closed pipe */
		if (keeps_to_pipe(w))
			worker_arm(w->on_eof_grace, WORKER_EOF_GRACE_US);
		break;
	case LINE_READER_BAD:
	case LINE_READER_STOPPED:
		event_del(w->on_status);
		break;
	}
}

void
worker_on_eof_grace(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	worker_step(arg, WORKER_PIPE_LOST, "closed its status pipe");
}

/* ---- a hosted program ---- */

/* As long as the operator has not said how long, but never for ever. */
static void
extend(struct worker *w, uint64_t us)
{
	uint64_t now = clock_now_us(), end = w->state_since_us + WORKER_EXTENSIONS * worker_timeout(w);

	/* it may be heard before the deadline that is over by now */
	if ((w->state != WORKER_STARTING && w->state != WORKER_STOPPING) || now >= end)
		return;
	if (us < end - now)
		end = now + us;
	if (end > w->deadline_us)
		worker_arm_deadline(w, end - now);
}

static void
say_failed(struct worker *w, const char *why)
{
	if (!worker_state_is_leaving(w->state))
		worker_step(w, WORKER_SAYS_FAILED, why);
}

/* A notify_fn. */
static void
on_notify(const struct notify_message *m, void *arg)
{
	struct worker *w = arg;

	if (m->status)
		take_status(w, m->status);
	if (m->extend_us > 0)
		extend(w, m->extend_us);
	if (m->ready && w->state == WORKER_STARTING)
		become_ready(w);
	if (m->watchdog && w->state == WORKER_READY)
		worker_arm_deadline(w, worker_timeout(w));
	if (m->trigger)
		say_failed(w, "failed: says that it hangs (WATCHDOG=trigger)");
	if (m->stopping)
		say_failed(w, "failed: stops by itself (STOPPING=1)");
}

/* A notify_stranger_fn. */
static void
on_stranger(pid_t pid, void *arg)
{
	struct worker *w = arg;
	char name[64];

	if (w->said_unknown)
		return;
	w->said_unknown = true;
	log_event(LOG_WARNING, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w),
		"%s: ignored what process %d, which is none of its, said to its NOTIFY_SOCKET; more is not logged",
		worker_name(w, name), (int)pid);
}

/* It has not ended for so long, so it may be taken to serve. */
static void
on_alive_time(void *arg)
{
	struct worker *w = arg;

	if (w->state == WORKER_STARTING)
		become_ready(w);
}

/* A lookout_fn. Who can't be looked at has mostly just ended, which tells more. */
static void
on_accepting(bool accepts, void *arg)
{
	struct worker *w = arg;

	if (w->state != WORKER_STARTING)
		return;
	if (accepts)
		become_ready(w);
	else if (!worker_has_ended(w))
		say_failed(w, "failed: nobody can look whether it accepts");
}

struct hosted_host
worker_hosted_host(struct worker *w)
{
	return (struct hosted_host){ .base = w->host->base,
		.outputs = w->host->outputs,
		.talk = w->host->talk,
		.program = w->host->program,
		.identity = &w->generation->identity,
		.on_message = on_notify,
		.on_stranger = on_stranger,
		.on_alive = on_alive_time,
		.on_accepting = on_accepting,
		.arg = w };
}
