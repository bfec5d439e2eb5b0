/*
 * What another image of the master has to know of a worker.
 */
#include "master/worker.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "master/upstreams_heritage.h"
#include "master/worker_orders.h"
#include "master/worker_step.h"
#include "master/worker_watch.h"
#include "master/worker_words.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const struct heritage_field fields[] = {
	HERITAGE_NUMBER(struct worker, slot, CONFIG_WORKERS_MAX - 1),
	HERITAGE_NUMBER(struct worker, state, WORKER_EXITED - 1),
	HERITAGE_NUMBER(struct worker, pid, INT_MAX),
	HERITAGE_NUMBER(struct worker, dice, UINT8_MAX),
	HERITAGE_FD(struct worker, pidfd),
	HERITAGE_FD(struct worker, control_fd),
	HERITAGE_FD(struct worker, status_fd),
	HERITAGE_FD(struct worker, handoff_fd),
	HERITAGE_FD(struct worker, counters_fd),
	HERITAGE_NUMBER(struct worker, heir, INT_MAX),
	HERITAGE_NUMBER(struct worker, started_us, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, state_since_us, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, ready_since_us, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, deadline_us, UINT64_MAX),
	HERITAGE_BOOL(struct worker, said_hello),
	HERITAGE_BOOL(struct worker, said_unknown),
	HERITAGE_BOOL(struct worker, hung),
	HERITAGE_BOOL(struct worker, stale),
	HERITAGE_BOOL(struct worker, leaving_soon),
	HERITAGE_BOOL(struct worker, failed),
	HERITAGE_BOOL(struct worker, failure_counted),
	HERITAGE_NUMBER(struct worker, end, WORKER_ENDS - 1),
	HERITAGE_TEXT(struct worker, failure),
	HERITAGE_TEXT(struct worker, status),
	HERITAGE_NUMBERS(struct worker, seen),
	HERITAGE_BOOL(struct worker, drained),
	HERITAGE_NUMBER(struct worker, finished, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, handed, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, cut, UINT64_MAX),
	HERITAGE_REST("generation"), /* its number; the pool's */
	HERITAGE_REST("line"),       /* what has come of one that is not whole */
	HERITAGE_REST("watched"),
	HERITAGE_REST("upstreams"),
	HERITAGE_REST("hosted"), /* null: it is one of ours */
	HERITAGE_END,
};

/* Which of its events are set. */
struct watched {
	bool status, deadline, eof_grace;
};

static const struct heritage_field watched_fields[] = {
	HERITAGE_BOOL(struct watched, status),
	HERITAGE_BOOL(struct watched, deadline),
	HERITAGE_BOOL(struct watched, eof_grace),
	HERITAGE_END,
};

json_t *
worker_save(struct heritage *h, const struct worker *w)
{
	const struct watched watched = {
		.status = event_pending(w->on_status, EV_READ, NULL),
		.deadline = event_pending(w->on_deadline, EV_TIMEOUT, NULL),
		.eof_grace = event_pending(w->on_eof_grace, EV_TIMEOUT, NULL),
	};
	json_t *json = heritage_save(h, fields, w);

	heritage_set(h, json, "generation", json_integer((json_int_t)w->generation->number));
	/* once nothing is read any more, what is held is no line's beginning */
	heritage_set(h, json, "line", heritage_bytes(w->reader.data, watched.status ? w->reader.len : 0));
	heritage_set(h, json, "watched", heritage_save(h, watched_fields, &watched));
	heritage_set(h, json, "upstreams", upstream_blocks_save(h, w->upstream));
	heritage_set(h, json, "hosted", hosted_save(h, w->hosted));
	return json;
}

static bool
load_line(struct heritage *h, const json_t *json, struct line_reader *reader)
{
	size_t len;
	cleanup_free char *line = heritage_load_bytes(json, &len);

	/* a full reader is at its end: there is no room to go on */
	if (!line || len >= sizeof(reader->data))
		return heritage_refuse(h, "a worker's line is none");
	memcpy(reader->data, line, len);
	reader->len = len;
	return true;
}

/* One that has ended meanwhile makes its pidfd readable, and is found like any other. */
static bool
watch(struct heritage *h, struct worker *w, const struct watched *watched)
{
	uint64_t now = clock_now_us();
	siginfo_t info;

	if (waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return heritage_refuse(h, "worker %u is no child of this process", w->slot);
	w->counters = counters_map(w->counters_fd);
	if (!w->counters)
		return heritage_refuse(h, "the counters of worker %u can't be read", w->slot);
	if (worker_watch(w) < 0)
		return heritage_refuse(h, "worker %u can't be watched", w->slot);
	if (!watched->status)
		event_del(w->on_status);
	if (watched->deadline)
		worker_arm(w->on_deadline, w->deadline_us > now ? w->deadline_us - now : 1);
	if (watched->eof_grace)
		worker_arm(w->on_eof_grace, WORKER_EOF_GRACE_US);
	return true;
}

static bool
load_hosted(struct heritage *h, struct worker *w, const json_t *json)
{
	const struct hosted_host host = worker_hosted_host(w);
	const struct hosted_past past = {
		.exec = worker_exec(w), .starting = w->state == WORKER_STARTING, .started_us = w->started_us
	};

	if (!past.exec)
		return json_is_null(json) || heritage_refuse(h, "worker %u is another program", w->slot);
	return hosted_load(h, &host, WORKER_ABOUT(w), &past, json, &w->hosted);
}

struct worker *
worker_load(
	struct heritage *h, const struct worker_host *host, struct generation *generation, const json_t *json)
{
	struct worker *w = worker_new(host, generation);
	struct watched watched;

	if (!w) {
		heritage_refuse(h, "out of memory");
		return NULL;
	}
	if (heritage_load(h, fields, json, w) && load_line(h, json_object_get(json, "line"), &w->reader) &&
		heritage_load(h, watched_fields, json_object_get(json, "watched"), &watched) &&
		upstream_blocks_load(h, json_object_get(json, "upstreams"), host->upstreams, w->upstream) &&
		load_hosted(h, w, json_object_get(json, "hosted")) && (h->trial || watch(h, w, &watched)))
		return w;
	worker_free(w);
	return NULL;
}
