/*
 * Saving and loading the pool. Generations go by their numbers.
 */
#include "master/pool_heritage.h"

#include "base/cleanup.h"
#include "master/upstreams_heritage.h"

#include <string.h>

static const struct heritage_field fields[] = {
	HERITAGE_NUMBER(struct pool, last_number, UINT64_MAX),
	HERITAGE_NUMBERS(struct pool, gone),
	HERITAGE_NUMBERS(struct pool, exits),
	HERITAGE_NUMBER(struct pool, losses, UINT64_MAX),
	HERITAGE_REST("accepted"),
	HERITAGE_REST("generations"),
	HERITAGE_REST("running"), /* a generation's number */
	HERITAGE_REST("listeners"),
	HERITAGE_REST("upstreams"),
	HERITAGE_REST("slots"),
	HERITAGE_END,
};

static const struct heritage_field slot_fields[] = {
	HERITAGE_NUMBER(struct slot, crashes, UINT32_MAX),
	HERITAGE_BOOL(struct slot, lost),
	HERITAGE_NUMBER(struct slot, restarts, UINT64_MAX),
	HERITAGE_NUMBER(struct slot, spawn_at_us, UINT64_MAX),
	HERITAGE_REST("goal"), /* a generation's number; 0: none */
	HERITAGE_REST("incumbent"),
	HERITAGE_REST("successor"),
	HERITAGE_END,
};

static bool
is_seen(const struct worker *w)
{
	return !w || (w->state != WORKER_EXITED && (!w->failed || w->failure_counted));
}

bool
pool_is_quiet(const struct pool *pool)
{
	if (!pool->running || pool->roll.state != ROLL_IDLE || pool->stopping)
		return false;
	if (!LIST_EMPTY(&pool->outputs.ending))
		return false;
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (!is_seen(pool->slot[i]->incumbent) || !is_seen(pool->slot[i]->successor))
			return false;
	return true;
}

/* ---- saving ---- */

static void
add_generation(struct heritage *h, json_t *generations, const struct generation *generation)
{
	if (!generation)
		return;
	for (size_t i = 0; i < json_array_size(generations); i++) {
		const json_t *number = json_object_get(json_array_get(generations, i), "number");

		if ((uint64_t)json_integer_value(number) == generation->number)
			return;
	}
	heritage_add(h, generations, generation_save(h, generation));
}

/* All that somebody still goes by: the running one, a goal that was kept, that of a worker which drains. */
static json_t *
save_generations(struct heritage *h, const struct pool *pool)
{
	json_t *generations = json_array();

	add_generation(h, generations, pool->running);
	for (unsigned i = 0; i < pool->n_slots; i++) {
		const struct slot *slot = pool->slot[i];

		add_generation(h, generations, slot->goal);
		add_generation(h, generations, slot->incumbent ? slot->incumbent->generation : NULL);
		add_generation(h, generations, slot->successor ? slot->successor->generation : NULL);
	}
	return generations;
}

static json_t *
save_slot(struct heritage *h, const struct slot *slot)
{
	json_t *json = heritage_save(h, slot_fields, slot);

	heritage_set(h, json, "goal", json_integer(slot->goal ? (json_int_t)slot->goal->number : 0));
	heritage_set(h, json, "incumbent", slot->incumbent ? worker_save(h, slot->incumbent) : json_null());
	heritage_set(h, json, "successor", slot->successor ? worker_save(h, slot->successor) : json_null());
	return json;
}

json_t *
pool_save(struct heritage *h, const struct pool *pool)
{
	json_t *json = heritage_save(h, fields, pool), *listeners = json_array(), *slots = json_array();
	const struct listener *listener;

	heritage_set(h, json, "accepted", heritage_numbers(pool->accepted, pool->n_accepted));
	heritage_set(h, json, "generations", save_generations(h, pool));
	heritage_set(h, json, "running", json_integer((json_int_t)pool->running->number));
	TAILQ_FOREACH(listener, &pool->listeners, entry)
		heritage_add(h, listeners, listener_save(h, listener, pool->host.passed));
	heritage_set(h, json, "listeners", listeners);
	heritage_set(h, json, "upstreams", upstream_records_save(h, &pool->upstreams));
	for (unsigned i = 0; i < pool->n_slots; i++)
		heritage_add(h, slots, save_slot(h, pool->slot[i]));
	heritage_set(h, json, "slots", slots);
	return json;
}

/* ---- loading ---- */

/* The generations that were loaded, each held by one reference until all is done. */
struct roster {
	struct generation **generation;
	size_t n;
};

static struct generation *
roster_find(const struct roster *roster, const json_t *number)
{
	for (size_t i = 0; json_is_integer(number) && i < roster->n; i++)
		if (roster->generation[i]->number == (uint64_t)json_integer_value(number))
			return roster->generation[i];
	return NULL;
}

static void
roster_done(struct roster *roster)
{
	for (size_t i = 0; i < roster->n; i++)
		generation_unref(roster->generation[i]);
	free(roster->generation);
}

static bool
roster_load(struct heritage *h, const json_t *generations, struct roster *roster)
{
	size_t n = json_array_size(generations);

	/* two for each slot, and its goal */
	if (!json_is_array(generations) || n > 3 * CONFIG_WORKERS_MAX + 1)
		return heritage_refuse(h, "the generations are no list");
	roster->generation = calloc(n + 1, sizeof(struct generation *));
	if (!roster->generation)
		return heritage_refuse(h, "out of memory");
	for (size_t i = 0; i < n; i++) {
		roster->generation[i] = generation_load(h, json_array_get(generations, i));
		if (!roster->generation[i])
			return false;
		roster->n++;
	}
	return true;
}

static bool
load_worker(struct heritage *h, const struct roster *roster, const json_t *json, struct slot *slot,
	struct worker **place)
{
	struct generation *generation = roster_find(roster, json_object_get(json, "generation"));

	if (json_is_null(json))
		return true;
	if (!generation)
		return heritage_refuse(h, "a worker has no generation");
	*place = worker_load(h, &slot->host->workers, generation, json);
	if (*place && (*place)->slot != slot->index)
		return heritage_refuse(h, "a worker is not of its slot");
	return *place;
}

static bool
load_slot(struct heritage *h, const struct roster *roster, const json_t *json, struct slot *slot)
{
	const json_t *goal = json_object_get(json, "goal");

	if (!heritage_load(h, slot_fields, json, slot))
		return false;
	generation_set(&slot->goal, roster_find(roster, goal));
	if (!slot->goal && (!json_is_integer(goal) || json_integer_value(goal) != 0))
		return heritage_refuse(h, "the goal of slot %u is no generation", slot->index);
	return load_worker(h, roster, json_object_get(json, "incumbent"), slot, &slot->incumbent) &&
	       load_worker(h, roster, json_object_get(json, "successor"), slot, &slot->successor);
}

static bool
load_slots(struct heritage *h, const struct roster *roster, const json_t *slots, struct pool *pool)
{
	size_t n = json_array_size(slots);

	if (!json_is_array(slots) || n > CONFIG_WORKERS_MAX || n > pool->n_accepted ||
		pool->running->config->workers > n)
		return heritage_refuse(h, "the slots are no list, too few, or too many");
	pool->slot = calloc(n + 1, sizeof(struct slot *));
	for (size_t i = 0; pool->slot && i < n; i++) {
		pool->slot[i] = slot_new(&pool->slot_host, pool->n_slots);
		if (!pool->slot[i])
			break;
		pool->n_slots++;
		if (!load_slot(h, roster, json_array_get(slots, i), pool->slot[i]))
			return false;
	}
	return pool->n_slots == n || heritage_refuse(h, "out of memory");
}

static bool
load_listeners(struct heritage *h, const json_t *listeners, struct pool *pool)
{
	size_t n = json_array_size(listeners);

	if (!json_is_array(listeners))
		return heritage_refuse(h, "the listeners are no list");
	for (size_t i = 0; i < n; i++) {
		struct listener *listener = listener_load(h, json_array_get(listeners, i), pool->host.passed);

		if (!listener)
			return false;
		TAILQ_INSERT_TAIL(&pool->listeners, listener, entry);
	}
	return true;
}

static bool
load_accepted(struct heritage *h, const json_t *accepted, struct pool *pool)
{
	size_t n = json_array_size(accepted);

	pool->accepted = calloc(n + 1, sizeof(*pool->accepted));
	if (!pool->accepted)
		return heritage_refuse(h, "out of memory");
	pool->n_accepted = (unsigned)n;
	return heritage_load_numbers(h, accepted, pool->accepted, CONFIG_WORKERS_MAX);
}

/* Its live options are its own, since no roll is under way. */
static bool
load_running(struct heritage *h, const struct roster *roster, const json_t *number, struct pool *pool)
{
	struct generation *running = roster_find(roster, number);

	if (!running)
		return heritage_refuse(h, "no generation runs");
	generation_set(&pool->running, running);
	generation_set(&pool->live, running);
	pool->slot_host.workers.live = running->config;
	return true;
}

/* What the configuration is to this program must be what is open: a worker would be born without its sockets. */
static bool
check_addresses(struct heritage *h, const struct pool *pool)
{
	const struct generation *running = pool->running;

	for (size_t i = 0; i < running->config->n_listen; i++)
		if (!listener_find(&pool->listeners, running->addresses[i]))
			return heritage_refuse(h, "%s is not open", running->addresses[i]);
	return true;
}

bool
pool_load(struct heritage *h, const json_t *json, struct pool *pool)
{
	struct roster roster = { 0 };
	bool good = heritage_load(h, fields, json, pool) &&
	            roster_load(h, json_object_get(json, "generations"), &roster) &&
	            load_running(h, &roster, json_object_get(json, "running"), pool) &&
	            load_accepted(h, json_object_get(json, "accepted"), pool) &&
	            load_listeners(h, json_object_get(json, "listeners"), pool) && check_addresses(h, pool) &&
	            upstream_records_load(h, json_object_get(json, "upstreams"), &pool->upstreams) &&
	            load_slots(h, &roster, json_object_get(json, "slots"), pool);

	roster_done(&roster);
	/* what has happened meanwhile is found as it always is */
	if (good && !h->trial)
		event_active(pool->on_wake, 0, 0);
	return good;
}

static void
discard_worker(struct worker **place)
{
	if (*place)
		worker_free(take_ptr(*place));
}

void
pool_discard(struct pool *pool)
{
	for (unsigned i = 0; i < pool->n_slots; i++) {
		discard_worker(&pool->slot[i]->incumbent);
		discard_worker(&pool->slot[i]->successor);
	}
	pool_free(pool);
}
