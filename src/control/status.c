/*
 * What the daemon knows, as JSON.
 */
#include "config.h"

#include "control/status.h"

#include "base/clock.h"
#include "control/json_reply.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Microseconds as seconds with three digits behind the point. */
static json_t *
seconds(uint64_t us)
{
	uint64_t ms = us / US_PER_MS;

	return json_real((double)ms / 1000.0);
}

static json_t *
seconds_since(uint64_t since_us)
{
	return seconds(clock_now_us() - since_us);
}

/* "2026-01-01T00:00:00Z" */
static json_t *
instant(uint64_t wall_us)
{
	time_t then = (time_t)(wall_us / US_PER_SEC);
	struct tm tm;
	char text[32];

	gmtime_r(&then, &tm);
	strftime(text, sizeof(text), "%FT%TZ", &tm);
	return json_string(text);
}

static json_t *
strings(const struct problems *problems)
{
	json_t *array = json_array();

	for (size_t i = 0; i < problems_kept(problems); i++)
		json_array_append_new(array, json_text(problems->text[i]));
	return array;
}

static json_t *
text_or_null(const char *text)
{
	return text && *text ? json_text(text) : json_null();
}

json_t *
status_outcome_json(const struct outcome *o)
{
	return json_pack("{s:I, s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "id", (json_int_t)o->id,
		"verdict", verdict_name(o->verdict), "error", text_or_null(o->error), "generation",
		(json_int_t)o->generation, "changes", strings(&o->changes), "problems", strings(&o->problems),
		"started_at", instant(o->started_wall_us), "duration_ms",
		(json_int_t)(o->duration_us / US_PER_MS), "finished", (json_int_t)o->finished, "handed_over",
		(json_int_t)o->handed, "cut", (json_int_t)o->cut);
}

static json_t *
config_json(const struct generation *running)
{
	const struct config *config;

	if (!running)
		return json_null();
	config = running->config;
	return json_pack("{s:o, s:s, s:o, s:b}", "path", json_text(config->path), "sha256", running->sha256,
		"loaded_at", instant(running->loaded_wall_us), "differs_on_disk",
		config_differs_on_disk(config));
}

static json_t *
listeners_json(const struct pool *pool)
{
	unsigned workers = pool->running ? pool->running->config->workers : 0;
	json_t *array = json_array();
	const struct listener *listener;

	TAILQ_FOREACH(listener, &pool->listeners, entry) {
		bool own = listener->kind == CONFIG_LISTEN_TCP && listener->n_fd > workers;

		if (!listener->listening)
			continue;
		json_array_append_new(array,
			json_pack("{s:o, s:i, s:i, s:b}", "address", json_text(listener->address), "sockets",
				(int)listener->n_fd, "parked", own ? (int)(listener->n_fd - workers) : 0,
				"covered", (int)listener->covered));
	}
	return array;
}

/* What a worker that leaves has left of its time. */
static void
add_drain(json_t *json, const struct worker *w)
{
	uint64_t past = clock_now_us() - w->state_since_us, whole = w->host->live->drain_timeout_us;

	if (w->state != WORKER_DRAINING)
		return;
	json_object_set_new(json, "draining_since_s", seconds(past));
	json_object_set_new(json, "cut_in_s", seconds(whole > past ? whole - past : 0));
}

static void
add_worker(json_t *array, const struct slot *slot, struct worker *w, const char *role)
{
	json_t *json;

	if (!w)
		return;
	json = json_pack("{s:i, s:i, s:I, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "slot",
		(int)w->slot, "pid", (int)w->pid, "generation", (json_int_t)w->generation->number, "state",
		worker_state_name(w->state), "role", role, "uptime_s", seconds_since(w->started_us),
		"connections", (json_int_t)worker_count(w, COUNTER_CONNECTIONS), "accepted",
		(json_int_t)worker_count(w, COUNTER_ACCEPTED), "requests",
		(json_int_t)worker_count(w, COUNTER_REQUESTS), "handed_in",
		(json_int_t)worker_count(w, COUNTER_HANDED_IN), "handed_out",
		(json_int_t)worker_count(w, COUNTER_HANDED_OUT), "restarts", (json_int_t)slot->restarts,
		"status", text_or_null(w->status));
	if (json)
		add_drain(json, w);
	json_array_append_new(array, json);
}

/* A slot without a worker, which waits until it may start one again. */
static void
add_waiting(json_t *array, const struct slot *slot)
{
	uint64_t now = clock_now_us();

	if (!slot_is_empty(slot) || !slot->goal)
		return;
	json_array_append_new(
		array, json_pack("{s:i, s:n, s:I, s:s, s:s, s:I, s:o}", "slot", (int)slot->index, "pid",
			       "generation", (json_int_t)slot->goal->number, "state", "waiting", "role",
			       "incumbent", "restarts", (json_int_t)slot->restarts, "spawn_in_s",
			       seconds(slot->spawn_at_us > now ? slot->spawn_at_us - now : 0)));
}

static json_t *
workers_json(const struct pool *pool)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < pool->n_slots; i++) {
		add_worker(array, pool->slot[i], pool->slot[i]->incumbent, "incumbent");
		add_worker(array, pool->slot[i], pool->slot[i]->successor, "successor");
		add_waiting(array, pool->slot[i]);
	}
	return array;
}

static json_t *
roll_json(const struct report *r)
{
	const struct roll *roll = &r->pool->roll;
	unsigned done = 0;

	if (roll->state == ROLL_IDLE)
		return json_null();
	for (unsigned i = 0; i < r->pool->n_slots; i++)
		done += r->pool->slot[i]->goal == roll->target && slot_is_settled(r->pool->slot[i]);
	return json_pack("{s:s, s:I, s:i, s:i, s:b, s:o}", "direction",
		roll->state == ROLL_FORWARD ? "forward" : "revert", "target",
		(json_int_t)roll->target->number, "workers", (int)roll->target->config->workers, "settled",
		(int)done, "committed", roll->committed, "why", text_or_null(roll->why));
}

json_t *
status_json(const struct report *r)
{
	const struct generation *running = r->pool->running;
	bool reloaded = r->last_reload->verdict != VERDICT_NONE;

	return json_pack("{s:s, s:i, s:s, s:I, s:o, s:o, s:s?, s:o, s:o, s:o, s:o}", "version",
		PACKAGE_VERSION, "pid", (int)getpid(), "state", report_state_name(r->state), "generation",
		(json_int_t)(running ? running->number : 0), "uptime_s", seconds_since(r->started_us),
		"config", config_json(running), "service", running ? running->config->service_type : NULL,
		"listeners", listeners_json(r->pool), "workers", workers_json(r->pool), "roll", roll_json(r),
		"last_reload", reloaded ? status_outcome_json(r->last_reload) : json_null());
}
