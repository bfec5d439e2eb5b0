/*
 * A reload, from the wish to the verdict.
 */
#include "master/reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "master/log_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
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
		[VERDICT_UNCHANGED] = "unchanged",
		[VERDICT_REJECTED] = "rejected",
		[VERDICT_REVERTED] = "reverted",
	};

	return names[verdict];
}

/* ---- the verdict ---- */

static void
log_verdict(const struct outcome *o)
{
	const struct event_about about = { .generation = o->generation, .reload = o->id };
	double ms = (double)o->duration_us / (double)US_PER_MS;

	switch (o->verdict) {
	case VERDICT_APPLIED:
		log_event(LOG_NOTICE, EVENT_RELOAD_APPLIED, &about,
			"reload %" PRIu64 ": applied: generation %" PRIu64 ", %.0f ms, %" PRIu64
			" finished, %" PRIu64 " handed over, %" PRIu64 " cut",
			o->id, o->generation, ms, o->finished, o->handed, o->cut);
		break;
	case VERDICT_UNCHANGED:
		log_event(LOG_NOTICE, EVENT_RELOAD_UNCHANGED, &about,
			"reload %" PRIu64 ": unchanged: generation %" PRIu64 " goes on", o->id,
			o->generation);
		break;
	case VERDICT_REJECTED:
		log_event(LOG_ERR, EVENT_RELOAD_REJECTED, &about,
			"reload %" PRIu64 ": rejected: %zu error%s, nothing was changed; generation %" PRIu64
			" serves",
			o->id, o->problems.n, o->problems.n == 1 ? "" : "s", o->generation);
		break;
	case VERDICT_REVERTED:
		log_event(LOG_ERR, EVENT_RELOAD_REVERTED, &about,
			"reload %" PRIu64 ": reverted: %s; generation %" PRIu64 " serves, after %.0f ms",
			o->id, o->error, o->generation, ms);
		break;
	case VERDICT_NONE:
		break;
	}
}

static void
answer(struct reload *r, struct reload_request *request, const struct outcome *outcome)
{
	TAILQ_REMOVE(&r->served, request, entry);
	request->id = 0;
	if (request->on_verdict)
		request->on_verdict(request, outcome);
}

static void
answer_all(struct reload *r, const struct outcome *outcome)
{
	struct reload_request *request;

	while ((request = TAILQ_FIRST(&r->served)))
		answer(r, request, outcome);
}

/* What the roll has counted up to now. */
static void
fill_in(struct reload *r, enum verdict verdict)
{
	const struct roll *roll = &r->pool->roll;

	r->next.verdict = verdict;
	r->next.generation = r->pool->running->number;
	r->next.duration_us = clock_now_us() - r->next.started_us;
	if (verdict == VERDICT_APPLIED || verdict == VERDICT_REVERTED) {
		r->next.finished = roll->finished;
		r->next.handed = roll->handed;
		r->next.cut = roll->cut;
	}
}

static void
outcome_done(struct outcome *outcome)
{
	problems_done(&outcome->changes);
	problems_done(&outcome->problems);
}

/* The one way in which a reload ends. That of a slot is no news of the configuration. */
static void
conclude(struct reload *r, enum verdict verdict, const char *error)
{
	struct outcome outcome;

	fill_in(r, verdict);
	snprintf(r->next.error, sizeof(r->next.error), "%s", error);
	log_verdict(&r->next);
	outcome = r->next;
	problems_init(&r->next.changes);
	problems_init(&r->next.problems);
	candidate_done(&r->candidate);
	if (r->kind != RELOAD_RESTART) {
		outcome_done(&r->last);
		r->last = outcome;
		r->verdicts[verdict]++;
	}
	r->on_end(r, r->arg);
	/* who asks again as he is answered waits for the next one: this one is under way until all have been told */
	answer_all(r, &outcome);
	r->under_way = false;
	if (r->kind == RELOAD_RESTART)
		outcome_done(&outcome);
	reload_resume(r);
}

static void
reject(struct reload *r)
{
	struct problems *problems = &r->candidate.problems;
	char first[sizeof(r->next.error)] = "out of memory";

	for (size_t i = 0; i < problems_kept(problems); i++)
		LOG_RELOAD(r, LOG_ERR, EVENT_RELOAD_PROBLEM, "rejected: %s", problems->text[i]);
	if (problems_kept(problems) > 0)
		snprintf(first, sizeof(first), "%s", problems->text[0]);
	r->next.problems = *problems;
	problems_init(problems);
	conclude(r, VERDICT_REJECTED, first);
}

/* ---- on the way ---- */

/* A config_diff_fn. */
static void
note_change(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	struct reload *r = arg;

	(void)effect;
	problems_add(&r->next.changes, NULL, 0, "%s: %s -> %s", name, old_value, new_value);
}

/* The candidate is ready, or is none. */
static void
on_candidate(struct candidate *c, void *arg)
{
	struct reload *r = arg;

	if (!c->generation) {
		reject(r);
		return;
	}
	config_diff(r->pool->running->config, c->generation->config, note_change, r);
	if (!r->must_roll && r->next.changes.n == 0) {
		conclude(r, VERDICT_UNCHANGED, "");
		return;
	}
	if (!r->on_prepare(c->generation, &c->problems, r->arg)) {
		reject(r);
		return;
	}
	if (!pool_prepare(r->pool, c->generation, &c->problems)) {
		r->on_discard(r->arg);
		reject(r);
		return;
	}
	for (size_t i = 0; i < problems_kept(&r->next.changes); i++)
		LOG_RELOAD(r, LOG_NOTICE, EVENT_RELOAD_CHANGE, "%s", r->next.changes.text[i]);
	pool_roll(r->pool, c->generation);
}

/* Does somebody want to hear when the old workers have gone? */
static bool
is_awaited(const struct reload *r)
{
	const struct reload_request *request;

	TAILQ_FOREACH(request, &r->served, entry)
		if (!request->until_ready)
			return true;
	return false;
}

static void
restart_slot(struct reload *r, unsigned slot)
{
	unsigned workers = r->pool->running->config->workers;

	if (slot < workers) {
		pool_restart(r->pool, slot, !is_awaited(r));
		return;
	}
	problems_add(&r->candidate.problems, NULL, 0, "there is no slot %u: they go from 0 to %u", slot,
		workers - 1);
	reject(r);
}

static unsigned
scale_to(const struct reload *r, const struct reload_request *request)
{
	int now = (int)r->pool->running->config->workers;

	if (request->delta == 0)
		return request->workers;
	return now + request->delta < 1 ? 1 : (unsigned)(now + request->delta);
}

/* Moves the first who waits to those served, and with a reload of the file all others who want that. */
static struct reload_request *
take_waiting(struct reload *r)
{
	struct reload_request *first = TAILQ_FIRST(&r->waiting), *request, *next;

	for (request = first; request; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (request != first && (first->kind != RELOAD_FILE || request->kind != RELOAD_FILE))
			continue;
		TAILQ_REMOVE(&r->waiting, request, entry);
		TAILQ_INSERT_TAIL(&r->served, request, entry);
		request->id = r->id;
		r->must_roll |= !request->if_changed;
	}
	return first;
}

static void
begin(struct reload *r)
{
	struct reload_request *first, *request, *next, wish;

	r->under_way = true;
	r->must_roll = false;
	r->id++;
	r->next = (struct outcome){
		.id = r->id, .started_us = clock_now_us(), .started_wall_us = clock_wall_us()
	};
	problems_init(&r->candidate.problems);
	first = take_waiting(r);
	wish = *first;
	r->kind = wish.kind;
	r->on_begin(r, r->arg);
	if (wish.kind == RELOAD_RESTART)
		LOG_RELOAD(
			r, LOG_NOTICE, EVENT_RELOAD_STARTED, "started (%s), slot %u", wish.origin, wish.slot);
	else
		LOG_RELOAD(r, LOG_NOTICE, EVENT_RELOAD_STARTED, "started (%s), generation %" PRIu64,
			wish.origin, r->pool->last_number + 1);
	for (request = first; request; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (request->on_begin)
			request->on_begin(request);
	}
	if (wish.kind == RELOAD_RESTART)
		restart_slot(r, wish.slot);
	else if (wish.kind == RELOAD_SCALE)
		candidate_start_scaled(&r->candidate, r->base, r->program, r->pool->running->config,
			scale_to(r, &wish), on_candidate, r);
	else
		candidate_start(&r->candidate, r->base, r->program, r->path, on_candidate, r);
}

/* ---- from outside ---- */

void
reload_init(struct reload *r)
{
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->served);
}

void
reload_done(struct reload *r)
{
	candidate_done(&r->candidate);
	outcome_done(&r->last);
	outcome_done(&r->next);
}

static const char closed_text[] = "the daemon stops";

/* To one who asked when it was too late. */
static void
refuse(const struct reload *r, struct reload_request *request)
{
	struct outcome none = { .verdict = VERDICT_REJECTED, .started_wall_us = clock_wall_us() };

	snprintf(none.error, sizeof(none.error), "%s", closed_text);
	if (r->pool->running)
		none.generation = r->pool->running->number;
	if (request->on_verdict)
		request->on_verdict(request, &none);
}

/* A config_diff_fn. */
static void
log_live_change(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	struct reload *r = arg;

	if (effect == CONFIG_EFFECT_LIVE)
		LOG_RELOAD(r, LOG_NOTICE, EVENT_RELOAD_CHANGE, "during the roll: %s: %s -> %s", name,
			old_value, new_value);
}

void
reload_apply_live(struct reload *r)
{
	struct generation *generation = NULL;
	struct config *config = NULL;
	struct problems problems;

	if (r->pool->roll.state == ROLL_IDLE || r->closed || !r->pool->running)
		return;
	problems_init(&problems);
	if (config_load_file(r->path, &config, &problems) == 0)
		generation = generation_new(config, (struct identity){ 0 });
	if (generation) {
		config_diff(r->pool->live->config, generation->config, log_live_change, r);
		pool_set_live(r->pool, generation);
		generation_unref(generation);
	}
	problems_done(&problems);
}

void
reload_ask(struct reload *r, struct reload_request *request)
{
	request->id = 0;
	if (r->closed) {
		refuse(r, request);
		return;
	}
	TAILQ_INSERT_TAIL(&r->waiting, request, entry);
	if (request->kind == RELOAD_FILE)
		reload_apply_live(r);
	reload_resume(r);
}

void
reload_withdraw(struct reload *r, struct reload_request *request)
{
	if (request->id > 0)
		TAILQ_REMOVE(&r->served, request, entry);
	else
		TAILQ_REMOVE(&r->waiting, request, entry);
}

bool
reload_is_idle(const struct reload *r)
{
	return !r->under_way && TAILQ_EMPTY(&r->waiting) && !r->closed;
}

void
reload_resume(struct reload *r)
{
	if (!TAILQ_EMPTY(&r->waiting) && !r->under_way && r->pool->running &&
		r->pool->roll.state == ROLL_IDLE && !r->closed)
		begin(r);
}

void
reload_on_commit(struct reload *r)
{
	struct reload_request *request, *next;

	if (!r->under_way)
		return;
	fill_in(r, VERDICT_APPLIED);
	for (request = TAILQ_FIRST(&r->served); request; request = next) {
		next = TAILQ_NEXT(request, entry);
		if (request->until_ready)
			answer(r, request, &r->next);
	}
}

void
reload_on_roll_end(struct reload *r, enum roll_result result)
{
	if (!r->under_way)
		return;
	if (result == ROLL_APPLIED) {
		conclude(r, VERDICT_APPLIED, "");
		return;
	}
	r->on_discard(r->arg);
	conclude(r, VERDICT_REVERTED, r->pool->roll.why);
}

void
reload_cancel(struct reload *r)
{
	struct reload_request *request;

	r->closed = true;
	while ((request = TAILQ_FIRST(&r->waiting))) {
		TAILQ_REMOVE(&r->waiting, request, entry);
		refuse(r, request);
	}
	/* a roll under way ends with the pool */
	if (r->under_way && r->pool->roll.state == ROLL_IDLE) {
		problems_add(&r->candidate.problems, NULL, 0, "%s", closed_text);
		reject(r);
	}
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_NUMBER(struct reload, id, UINT64_MAX),
	HERITAGE_NUMBERS(struct reload, verdicts),
	HERITAGE_REST("last"),
	HERITAGE_END,
};

static const struct heritage_field outcome_fields[] = {
	HERITAGE_NUMBER(struct outcome, id, UINT64_MAX),
	HERITAGE_NUMBER(struct outcome, verdict, VERDICT_REVERTED),
	HERITAGE_NUMBER(struct outcome, generation, UINT64_MAX),
	HERITAGE_TEXT(struct outcome, error),
	HERITAGE_NUMBER(struct outcome, started_us, UINT64_MAX),
	HERITAGE_NUMBER(struct outcome, started_wall_us, UINT64_MAX),
	HERITAGE_NUMBER(struct outcome, duration_us, UINT64_MAX),
	HERITAGE_NUMBER(struct outcome, finished, UINT64_MAX),
	HERITAGE_NUMBER(struct outcome, handed, UINT64_MAX),
	HERITAGE_NUMBER(struct outcome, cut, UINT64_MAX),
	HERITAGE_REST("changes"), /* those that are kept; and how many there were */
	HERITAGE_REST("n_changes"),
	HERITAGE_REST("problems"),
	HERITAGE_REST("n_problems"),
	HERITAGE_END,
};

static json_t *
save_problems(struct heritage *h, const struct problems *problems)
{
	json_t *array = json_array();

	for (size_t i = 0; i < problems_kept(problems); i++)
		heritage_add(h, array, heritage_bytes(problems->text[i], strlen(problems->text[i])));
	return array;
}

json_t *
reload_save(struct heritage *h, const struct reload *r)
{
	json_t *json = heritage_save(h, fields, r), *last = heritage_save(h, outcome_fields, &r->last);

	heritage_set(h, last, "changes", save_problems(h, &r->last.changes));
	heritage_set(h, last, "n_changes", json_integer((json_int_t)r->last.changes.n));
	heritage_set(h, last, "problems", save_problems(h, &r->last.problems));
	heritage_set(h, last, "n_problems", json_integer((json_int_t)r->last.problems.n));
	heritage_set(h, json, "last", last);
	return json;
}

static bool
load_problems(struct heritage *h, const json_t *array, const json_t *n, struct problems *problems)
{
	size_t kept = json_array_size(array);

	if (!json_is_array(array) || kept > PROBLEMS_MAX || !json_is_integer(n) ||
		json_integer_value(n) < (json_int_t)kept)
		return heritage_refuse(h, "the outcome of a reload is none");
	for (size_t i = 0; i < kept; i++) {
		size_t len;
		char *text = heritage_load_bytes(json_array_get(array, i), &len);

		if (!text)
			return heritage_refuse(h, "the outcome of a reload is none");
		problems_add(problems, NULL, 0, "%s", text);
		free(text);
	}
	problems->n = (size_t)json_integer_value(n);
	return true;
}

bool
reload_load(struct heritage *h, const json_t *json, struct reload *r)
{
	const json_t *last = json_object_get(json, "last");

	return heritage_load(h, fields, json, r) && heritage_load(h, outcome_fields, last, &r->last) &&
	       load_problems(h, json_object_get(last, "changes"), json_object_get(last, "n_changes"),
		       &r->last.changes) &&
	       load_problems(h, json_object_get(last, "problems"), json_object_get(last, "n_problems"),
		       &r->last.problems);
}
