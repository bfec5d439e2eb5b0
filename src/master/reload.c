/*
 * A reload, from the wish to the verdict.
 */
#include "master/reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/log_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOG_RELOAD(r, level, event, fmt, ...)                                                           \
	log_event(level, event, &(struct event_about){ .reload = (r)->id }, "reload %" PRIu64 ": " fmt, \
		(r)->id, __VA_ARGS__)

const char *
verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_NONE] = "none",
		[VERDICT_APPLIED] = "applied",
		[VERDICT_REJECTED] = "rejected",
		[VERDICT_REVERTED] = "reverted",
	};

	return names[verdict];
}

static void
log_verdict(const struct reload *r)
{
	const struct outcome *o = &r->last;
	const struct event_about about = { .generation = o->generation, .reload = o->id };

	switch (o->verdict) {
	case VERDICT_APPLIED:
		log_event(LOG_NOTICE, EVENT_RELOAD_APPLIED, &about,
			"reload %" PRIu64 ": applied: generation %" PRIu64 ", %.0f ms, %" PRIu64
			" finished, %" PRIu64 " handed over, %" PRIu64 " cut",
			o->id, o->generation, (double)o->duration_us / (double)US_PER_MS, o->finished,
			o->handed, o->cut);
		break;
	case VERDICT_REJECTED:
		log_event(LOG_ERR, EVENT_RELOAD_REJECTED, &about,
			"reload %" PRIu64 ": rejected: %zu error%s, nothing was changed; generation %" PRIu64
			" serves",
			o->id, r->candidate.problems.n, r->candidate.problems.n == 1 ? "" : "s",
			o->generation);
		break;
	case VERDICT_REVERTED:
		log_event(LOG_ERR, EVENT_RELOAD_REVERTED, &about,
			"reload %" PRIu64 ": reverted: %s; generation %" PRIu64 " serves, after %.0f ms",
			o->id, o->error, o->generation, (double)o->duration_us / (double)US_PER_MS);
		break;
	case VERDICT_NONE:
		break;
	}
}

/* The one way in which a reload ends. */
static void
conclude(struct reload *r, enum verdict verdict, const char *error)
{
	const struct roll *roll = &r->pool->roll;

	r->last = (struct outcome){
		.id = r->id,
		.verdict = verdict,
		.generation = r->pool->running->number,
		.duration_us = clock_now_us() - r->started_us,
	};
	if (verdict != VERDICT_REJECTED) {
		r->last.finished = roll->finished;
		r->last.handed = roll->handed;
		r->last.cut = roll->cut;
	}
	snprintf(r->last.error, sizeof(r->last.error), "%s", error);
	log_verdict(r);
	candidate_done(&r->candidate);
	r->under_way = false;
	r->on_end(r, r->arg);
}

static void
reject(struct reload *r)
{
	const struct problems *problems = &r->candidate.problems;
	size_t kept = problems_kept(problems);

	for (size_t i = 0; i < kept; i++)
		LOG_RELOAD(r, LOG_ERR, EVENT_RELOAD_PROBLEM, "rejected: %s", problems->text[i]);
	conclude(r, VERDICT_REJECTED, kept > 0 ? problems->text[0] : "out of memory");
	reload_resume(r);
}

/* A config_diff_fn. */
static void
log_change(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	struct reload *r = arg;

	(void)effect;
	LOG_RELOAD(r, LOG_NOTICE, EVENT_RELOAD_CHANGE, "%s: %s -> %s", name, old_value, new_value);
}

/* The candidate is ready, or is none. */
static void
on_candidate(struct candidate *c, void *arg)
{
	struct reload *r = arg;

	if (!c->generation || !pool_prepare(r->pool, c->generation, &c->problems)) {
		reject(r);
		return;
	}
	config_diff(r->pool->running->config, c->generation->config, log_change, r);
	pool_roll(r->pool, c->generation);
}

static void
begin(struct reload *r)
{
	r->wanted = false;
	r->under_way = true;
	r->id++;
	r->started_us = clock_now_us();
	r->on_begin(r, r->arg);
	LOG_RELOAD(r, LOG_NOTICE, EVENT_RELOAD_STARTED, "started (%s), generation %" PRIu64, r->origin,
		r->pool->last_number + 1);
	candidate_start(&r->candidate, r->base, r->program, r->path, on_candidate, r);
}

void
reload_request(struct reload *r, const char *origin)
{
	r->wanted = true;
	r->origin = origin;
	reload_resume(r);
}

void
reload_resume(struct reload *r)
{
	if (r->wanted && !r->under_way && r->pool->running && r->pool->roll.state == ROLL_IDLE &&
		!r->pool->stopping)
		begin(r);
}

void
reload_on_roll_end(struct reload *r, enum roll_result result)
{
	if (!r->under_way)
		return;
	if (result == ROLL_APPLIED)
		conclude(r, VERDICT_APPLIED, "");
	else
		conclude(r, VERDICT_REVERTED, r->pool->roll.why);
}

void
reload_cancel(struct reload *r)
{
	r->wanted = false;
	if (!r->under_way)
		return;
	problems_add(&r->candidate.problems, NULL, 0, "the daemon stops");
	reject(r);
}
