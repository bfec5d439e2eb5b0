/*
 * The pool: slots, listeners and the roll, brought together.
 */
#include "master/pool.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "master/heirs.h"
#include "master/log_event.h"
#include "master/spawn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- listeners ---- */

/* Is the address wanted by anything that serves or may have to serve again? */
static bool
is_wanted(const struct pool *pool, const struct listener *listener)
{
	if (pool->running && generation_serves(pool->running, listener))
		return true;
	if (pool->roll.state == ROLL_FORWARD && generation_serves(pool->roll.target, listener))
		return true;
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (pool->slot[i]->goal && generation_serves(pool->slot[i]->goal, listener))
			return true;
	return false;
}

/* Do all slots go by the running generation? Not after a roll that failed and kept what it had. */
static bool
is_uniform(const struct pool *pool)
{
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (pool->slot[i]->goal && pool->slot[i]->goal != pool->running)
			return false;
	return true;
}

/* Takes back the sockets that were added for a roll which was not committed: they never had a connection. */
static void
shrink_listeners(struct pool *pool)
{
	struct listener *listener;

	if (is_uniform(pool))
		TAILQ_FOREACH(listener, &pool->listeners, entry)
			listener_shrink(listener, listener->n_committed);
}

/*
 * Closes the addresses that nobody wants any more. They are hidden first, so that workers that still drain
 * them can accept their queues empty: what is in there was promised an answer, and nothing more comes in.
 */
static void
close_unwanted(struct pool *pool)
{
	struct listener *listener, *next;

	for (listener = TAILQ_FIRST(&pool->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, entry);
		if (is_wanted(pool, listener))
			continue;
		log_event(LOG_INFO, EVENT_LISTENER, NULL, "closing %s", listener->address);
		TAILQ_REMOVE(&pool->listeners, listener, entry);
		listener_hide(listener);
		listener_close(listener);
	}
}

/* Whether a generation has the address of one listener, remembered, since most workers are of the same one. */
struct membership {
	const struct listener *listener;
	const struct generation *generation;
	bool is_member;
};

static bool
has_address(struct membership *m, const struct generation *generation)
{
	if (m->generation != generation) {
		m->generation = generation;
		m->is_member = generation_serves(generation, m->listener);
	}
	return m->is_member;
}

/* Can a worker of the slot answer there? */
static bool
is_served(struct membership *m, const struct slot *slot)
{
	struct worker *const workers[] = { slot->incumbent, slot->successor };

	for (size_t k = 0; k < ARRAY_LEN(workers); k++) {
		const struct worker *w = workers[k];

		if (w && w->state == WORKER_READY && !w->leaving_soon && has_address(m, w->generation))
			return true;
	}
	return false;
}

/* Has a roll that failed, and keeps workers, left it to them? Clients that a wildcard serves are no business of theirs. */
static bool
is_left_over(const struct pool *pool, const struct listener *listener)
{
	return pool->roll.state == ROLL_IDLE && pool->running && !pool->stopping &&
	       !generation_covers(pool->running, listener);
}

/*
 * New connections go to the sockets whose slot has a READY worker for the address. A slot that a roll adds
 * comes in with the commit: before it, the roll may be taken back, and its queue with it.
 */
static void
select_listeners(struct pool *pool)
{
	const struct generation *base = pool->running ? pool->running : pool->roll.target;
	unsigned n = base && base->config->workers < pool->n_slots ? base->config->workers : pool->n_slots;
	bool live[CONFIG_WORKERS_MAX];
	struct listener *listener;

	TAILQ_FOREACH(listener, &pool->listeners, entry) {
		unsigned n_listener = n < listener->n_fd ? n : listener->n_fd;
		struct membership membership = { .listener = listener };
		bool any = false;

		if (listener->kind != CONFIG_LISTEN_TCP)
			continue;
		for (unsigned i = 0; i < n_listener; i++)
			any |= live[i] = is_served(&membership, pool->slot[i]);
		if (any && !listener->listening && is_left_over(pool, listener))
			listener_begin(listener);
		if (listener->listening)
			listener_select(listener, live, n_listener);
	}
}

/*
 * Where this master listens on the port already, a new address might take clients from it, who would be lost if the roll were taken back,
 * or wait for its worker: it begins to listen with the commit, when each of its sockets has one.
 */
static bool
is_contested(const struct pool *pool, const struct config_listen *spec)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &pool->listeners, entry)
		if (spec->kind == CONFIG_LISTEN_TCP && listener->port == spec->port)
			return true;
	return false;
}

/* Opens or widens one address of the generation. */
static bool
prepare_listener(struct pool *pool, const struct generation *generation, size_t i, struct problems *problems)
{
	const struct config_listen *spec = &generation->config->listen[i];
	struct listener *listener = listener_find(&pool->listeners, generation->addresses[i]);
	unsigned n = generation->config->workers;
	bool late = pool->running && is_contested(pool, spec);

	if (listener)
		return listener_grow(listener, spec, n, problems);
	listener = listener_open(spec, n, late, &pool->listeners, pool->host.passed, problems);
	if (!listener)
		return false;
	TAILQ_INSERT_TAIL(&pool->listeners, listener, entry);
	return true;
}

/* A worker inherits its own sockets and the parked ones: too many of both would not fit. */
static bool
check_inheritance(const struct pool *pool, const struct generation *generation, struct problems *problems)
{
	unsigned workers = generation->config->workers;
	const struct listener *listener;
	size_t most = generation->config->n_listen;

	TAILQ_FOREACH(listener, &pool->listeners, entry)
		if (generation_serves(generation, listener))
			most += listener->n_fd / workers;
	if (most <= SPAWN_LISTENERS_MAX)
		return true;
	config_add_problem(generation->config, "workers", problems,
		"shrinking to %u at once would leave a worker with %zu sockets (%d at most): shrink in steps",
		workers, most, SPAWN_LISTENERS_MAX);
	return false;
}

bool
pool_prepare(struct pool *pool, struct generation *generation, struct problems *problems)
{
	bool good = check_inheritance(pool, generation, problems);

	for (size_t i = 0; i < generation->config->n_listen; i++)
		good &= prepare_listener(pool, generation, i, problems);
	if (good) {
		generation->number = ++pool->last_number;
	} else {
		close_unwanted(pool);
		shrink_listeners(pool);
	}
	return good;
}

/* The worker of which slot has the socket j, when there are so many slots? */
static unsigned
holder(unsigned j, unsigned workers)
{
	return j % workers;
}

/*
 * An address that is about to be closed has a queue of a worker that died in the roll: those who wait there are none of his connections.
 * It is hidden, and a new worker of the slot is started, which inherits it and accepts them.
 */
static void
adopt_orphans(struct pool *pool)
{
	unsigned workers = pool->running->config->workers;
	struct listener *listener;

	TAILQ_FOREACH(listener, &pool->listeners, entry) {
		if (listener->kind != CONFIG_LISTEN_TCP || is_wanted(pool, listener))
			continue;
		for (unsigned j = 0; j < listener->n_fd; j++) {
			if (!pool->slot[holder(j, pool->roll.n_before)]->left_queue)
				continue;
			listener->orphaned = true;
			slot_set_stale(pool->slot[holder(j, workers)], true);
		}
		if (!listener->orphaned)
			continue;
		log_event(LOG_INFO, EVENT_LISTENER, NULL,
			"closing %s, as soon as a worker has accepted who waits there", listener->address);
		listener_hide(listener);
	}
}

/* A worker that was to adopt one does not come up: those who wait there are lost, but the roll ends. */
static void
give_up_orphans(struct pool *pool)
{
	for (unsigned i = 0; i < pool->n_slots; i++) {
		struct slot *slot = pool->slot[i];

		if (slot->lost && slot->incumbent && slot->incumbent->stale)
			slot_set_stale(slot, false);
	}
}

/* They are with a worker, or there is none who could take them. */
static void
forget_orphans(struct pool *pool)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, &pool->listeners, entry)
		listener->orphaned = false;
	for (unsigned i = 0; i < pool->n_slots; i++)
		pool->slot[i]->left_queue = false;
}

/* Whether it is still configured, or just covered. */
static void
note_cover(const struct pool *pool, struct listener *listener)
{
	bool covered = !generation_find_listen(pool->running, listener->address) &&
	               generation_serves(pool->running, listener);

	if (covered && !listener->covered)
		log_event(LOG_INFO, EVENT_LISTENER, NULL,
			"%s stays open: another address covers it, so its clients are to be served",
			listener->address);
	listener->covered = covered;
}

/* The target's word counts from now on: for the addresses that stay, too. */
static void
commit_listeners(struct pool *pool)
{
	const struct config *config = pool->running->config;
	struct listener *each;

	TAILQ_FOREACH(each, &pool->listeners, entry)
		note_cover(pool, each);

	for (size_t i = 0; i < config->n_listen; i++) {
		struct listener *listener = listener_find(&pool->listeners, pool->running->addresses[i]);

		if (!listener)
			continue;
		if (listener->n_committed > 0)
			listener_apply(listener, &config->listen[i]);
		listener_begin(listener);
		listener->n_committed = listener->n_fd;
	}
}

/* ---- the roll ---- */

void
pool_set_live(struct pool *pool, struct generation *generation)
{
	if (pool->live == generation)
		return;
	generation_set(&pool->live, generation);
	pool->slot_host.workers.live = generation->config;
	for (unsigned i = 0; i < pool->n_slots; i++) {
		if (pool->slot[i]->incumbent)
			worker_retime(pool->slot[i]->incumbent);
		if (pool->slot[i]->successor)
			worker_retime(pool->slot[i]->successor);
	}
}

/*
 * Slots are taken from those that are new on, so that a socket that was parked is served all along when the
 * pool grows.
 */
static unsigned
roll_order(const struct pool *pool, unsigned place)
{
	unsigned old = pool->running ? pool->running->config->workers : 0;
	unsigned wanted = pool->roll.target->config->workers;
	unsigned n_new = wanted > old ? wanted - old : 0;

	if (wanted > pool->n_slots)
		return place;
	if (place < n_new)
		return old + place;
	return place < wanted ? place - n_new : place;
}

/* Does the slot take part in the roll and stay? */
static bool
is_part(const struct pool *pool, unsigned slot)
{
	const struct roll *roll = &pool->roll;

	return roll->only_slot < 0 ? slot < roll->target->config->workers : slot == (unsigned)roll->only_slot;
}

/* May the roll change the slot's goal? That of one slot leaves what others have kept from a roll that failed. */
static bool
is_touched(const struct pool *pool, unsigned slot)
{
	return pool->roll.only_slot < 0 || slot == (unsigned)pool->roll.only_slot;
}

static struct roll_slot
look_at(const struct pool *pool, const struct slot *slot)
{
	const struct generation *target = pool->roll.target;
	bool rests = slot_is_at_rest(slot), on_target = slot->goal == target;

	return (struct roll_slot){
		.wanted = is_part(pool, slot->index),
		.on_target = on_target,
		.ready = (on_target || !rests) && slot_is_ready(slot, target),
		.settled = rests || slot_is_settled(slot),
		.alone = rests || pool->roll.brief || slot_is_alone(slot),
		.lost = slot->lost,
	};
}

static void
commit(struct pool *pool)
{
	struct roll *roll = &pool->roll;

	roll->committed = true;
	generation_set(&pool->running, roll->target);
	for (unsigned i = 0; i < pool->n_slots; i++)
		if (is_touched(pool, i))
			slot_set_goal(pool->slot[i], i < roll->target->config->workers ? roll->target : NULL);
	if (roll->only_slot < 0)
		commit_listeners(pool);
	/* first who gets what comes new, then who goes: no connection may fall between the two */
	select_listeners(pool);
	if (roll->only_slot < 0 && roll->n_before > 0)
		adopt_orphans(pool);
	close_unwanted(pool);
	pool->host.on_commit(pool, pool->host.arg);
}

/* Every slot back to the running generation; with on_failure = "keep" those that have arrived stay. */
static void
revert(struct pool *pool)
{
	bool keep = pool->slot_host.workers.live->roll.on_failure == CONFIG_ON_FAILURE_KEEP;

	log_event(LOG_WARNING, EVENT_RELOAD_REVERTING,
		&(struct event_about){ .generation = pool->roll.target->number },
		"going back to generation %lu: %s", (unsigned long)pool->running->number, pool->roll.why);
	pool->roll.state = ROLL_REVERT;
	pool_set_live(pool, pool->running);
	for (unsigned i = 0; i < pool->n_slots; i++) {
		struct slot *slot = pool->slot[i];

		slot_set_stale(slot, false);
		if (!is_touched(pool, i))
			continue;
		if (keep && slot->goal == pool->roll.target && slot_is_settled(slot))
			continue;
		slot_set_goal(slot, i < pool->running->config->workers ? pool->running : NULL);
	}
	/* before any worker of the target is told to drain, so that it can accept its queues empty */
	close_unwanted(pool);
}

static void
end_roll(struct pool *pool, enum roll_result result)
{
	struct generation *target = take_ptr(pool->roll.target);

	pool->roll.state = ROLL_IDLE;
	if (pool->running)
		pool_set_live(pool, pool->running);
	forget_orphans(pool);
	close_unwanted(pool);
	shrink_listeners(pool);
	select_listeners(pool); /* before anybody is told */
	pool->host.on_roll_end(pool, result, pool->host.arg);
	generation_unref(target);
}

/* One step of the roll. False when there is none to take. */
static bool
step_roll(struct pool *pool)
{
	struct roll_slot slots[CONFIG_WORKERS_MAX];
	struct roll_facts facts = {
		.state = pool->roll.state,
		.first = !pool->running,
		.committed = pool->roll.committed,
		.lost = pool->roll.lost,
		.parallel = pool->running ? pool->slot_host.workers.live->roll.parallel : CONFIG_WORKERS_MAX,
		.n = pool->n_slots,
		.slot = slots,
	};
	size_t next;

	if (pool->roll.state == ROLL_IDLE)
		return false;
	if (pool->roll.committed && pool->roll.only_slot < 0)
		give_up_orphans(pool);
	for (unsigned i = 0; i < pool->n_slots; i++)
		slots[i] = look_at(pool, pool->slot[roll_order(pool, i)]);
	switch (roll_rule(&facts, &next)) {
	case ROLL_STEP_WAIT:
		return false;
	case ROLL_STEP_ADVANCE:
		slot_set_goal(pool->slot[roll_order(pool, (unsigned)next)], pool->roll.target);
		break;
	case ROLL_STEP_COMMIT:
		commit(pool);
		break;
	case ROLL_STEP_REVERT:
		revert(pool);
		break;
	case ROLL_STEP_GIVE_UP:
		end_roll(pool, ROLL_GAVE_UP);
		break;
	case ROLL_STEP_END:
		end_roll(pool, pool->roll.committed ? ROLL_APPLIED : ROLL_REVERTED);
		break;
	}
	return true;
}

static bool
make_accepted(struct pool *pool, unsigned n)
{
	uint64_t *accepted;

	if (n <= pool->n_accepted)
		return true;
	accepted = realloc(pool->accepted, n * sizeof(*accepted));
	if (!accepted)
		return false;
	memset(accepted + pool->n_accepted, 0, (n - pool->n_accepted) * sizeof(*accepted));
	pool->accepted = accepted;
	pool->n_accepted = n;
	return true;
}

static bool
make_slots(struct pool *pool, unsigned n)
{
	struct slot **slots;

	if (!make_accepted(pool, n))
		return false;
	if (n <= pool->n_slots)
		return true;
	slots = realloc(pool->slot, n * sizeof(struct slot *));
	if (!slots)
		return false;
	pool->slot = slots;
	while (pool->n_slots < n) {
		struct slot *slot = slot_new(&pool->slot_host, pool->n_slots);

		if (!slot)
			return false;
		pool->slot[pool->n_slots++] = slot;
	}
	return true;
}

void
pool_roll(struct pool *pool, struct generation *target)
{
	pool->roll = (struct roll){
		.state = ROLL_FORWARD,
		.target = generation_ref(target),
		.n_before = pool->running ? pool->running->config->workers : 0,
		.only_slot = -1,
	};
	pool_set_live(pool, target);
	if (!make_slots(pool, target->config->workers)) {
		pool->roll.lost = true;
		snprintf(pool->roll.why, sizeof(pool->roll.why), "out of memory");
	}
	event_active(pool->on_wake, 0, 0);
}

void
pool_restart(struct pool *pool, unsigned slot, bool brief)
{
	pool->roll = (struct roll){
		.state = ROLL_FORWARD,
		.target = generation_ref(pool->running),
		.only_slot = (int)slot,
		.brief = brief,
	};
	slot_set_stale(pool->slot[slot], true);
	event_active(pool->on_wake, 0, 0);
}

/* ---- the loop ---- */

/* Retired slots end when they are empty: from the top, so that slot[i]->index stays i. */
static void
end_slots(struct pool *pool)
{
	while (pool->n_slots > 0) {
		struct slot *last = pool->slot[pool->n_slots - 1];

		if (last->goal || !slot_is_empty(last) || pool->roll.state == ROLL_FORWARD)
			return;
		slot_free(last);
		pool->n_slots--;
	}
}

static const char *
step_reason(const struct pool *pool)
{
	static const char *const reasons[] = {
		[ROLL_IDLE] = "respawn",
		[ROLL_FORWARD] = "roll",
		[ROLL_REVERT] = "revert",
	};

	if (pool->stopping)
		return "stop";
	return pool->running ? reasons[pool->roll.state] : "start";
}

/* The roll before the slots: it commits before the last incumbents are told to drain. */
static bool
step_once(struct pool *pool)
{
	bool moved = false;

	for (unsigned i = 0; i < pool->n_slots; i++)
		moved |= slot_collect(pool->slot[i]);
	moved |= step_roll(pool);
	for (unsigned i = 0; i < pool->n_slots; i++)
		moved |= slot_reconcile(pool->slot[i], step_reason(pool));
	end_slots(pool);
	return moved;
}

/* event: something happened */
static void
pool_step(evutil_socket_t fd, short what, void *arg)
{
	struct pool *pool = arg;

	(void)fd, (void)what;
	while (step_once(pool))
		;
	heirs_appoint_late(pool);
	select_listeners(pool);
	pool->host.on_change(pool, pool->host.arg);
	if (pool->stopping && pool->n_slots == 0 && LIST_EMPTY(&pool->outputs.ending))
		pool->host.on_empty(pool, pool->host.arg);
}

/* ---- what slots tell ---- */

static void
wake(void *arg)
{
	struct pool *pool = arg;

	event_active(pool->on_wake, 0, 0);
}

static void
on_loss(const struct slot *slot, const struct generation *generation, bool stale, const char *what, void *arg)
{
	struct pool *pool = arg;
	struct roll *roll = &pool->roll;

	if (roll->state == ROLL_FORWARD && !roll->committed && generation != roll->target)
		pool->slot[slot->index]->left_queue = true;
	if (roll->state != ROLL_FORWARD || roll->committed || roll->lost || stale)
		return;
	if (generation != roll->target || !is_part(pool, slot->index))
		return;
	roll->lost = pool->running != NULL;
	snprintf(roll->why, sizeof(roll->why), "%s", what);
}

/* Does it tell of that upstream? Then *ret is what it knows. */
static bool
knows_upstream(const struct worker *worker, const struct upstream_record *record, struct upstream_health *ret)
{
	for (size_t number = 0; worker && number < COUNTERS_UPSTREAMS_MAX; number++)
		if (worker->upstream[number] == record) {
			*ret = upstream_health_of(worker->counters, number);
			return true;
		}
	return false;
}

/* What a worker has found out since its successor was started. */
static void
tell_late_news(const struct worker *from, struct worker *to)
{
	struct upstream_health known, told;

	for (size_t number = 0; number < COUNTERS_UPSTREAMS_MAX; number++) {
		const struct upstream_record *record = from->upstream[number];

		if (!record || !knows_upstream(to, record, &told))
			continue;
		known = upstream_health_of(from->counters, number);
		if (known.result_us > told.result_us)
			worker_recall_upstream(to, record, &known);
	}
}

/* It leaves, or has gone: whoever else is in its slot goes on with what it knows. */
static void
leave_news(struct pool *pool, const struct worker *worker)
{
	struct slot *slot = pool->slot[worker->slot];

	if (slot->successor && slot->successor != worker)
		tell_late_news(worker, slot->successor);
	if (slot->incumbent && slot->incumbent != worker)
		tell_late_news(worker, slot->incumbent);
}

static void
on_leaving(struct worker *worker, void *arg)
{
	select_listeners(arg);
	leave_news(arg, worker);
	heirs_appoint(arg, worker);
}

/*
 * What it has counted for its upstreams goes on to count. What it knew of them is kept when it was lost: else others have heard of it
 * already, and of those that are gone from the configuration nobody is to hear again.
 */
static void
keep_upstreams(const struct worker *worker)
{
	for (size_t number = 0; number < COUNTERS_UPSTREAMS_MAX; number++) {
		struct upstream_record *record = worker->upstream[number];
		struct upstream_sum sum = { .record = record };

		if (!record)
			continue;
		upstream_sum_add(&sum, worker->counters, number);
		for (int i = UPSTREAM_ACCEPTED; i < UPSTREAM_SUMS; i++)
			record->gone[i] += sum.counter[i];
		if (!worker->drained)
			record->last = upstream_health_of(worker->counters, number);
	}
}

/*
 * of worker_host: what the incumbent knows, even if it is wrong: a reload is to change nothing. Where there is none, the latest news
 * count.
 */
static struct upstream_health
known_of_upstream(const struct upstream_record *record, unsigned index, void *arg)
{
	const struct pool *pool = arg;
	struct upstream_health latest = record->last, known;

	if (knows_upstream(pool->slot[index]->incumbent, record, &known))
		return known;
	for (unsigned i = 0; i < pool->n_slots; i++) {
		const struct slot *slot = pool->slot[i];

		if (knows_upstream(slot->incumbent, record, &known) && known.result_us > latest.result_us)
			latest = known;
		if (knows_upstream(slot->successor, record, &known) && known.result_us > latest.result_us)
			latest = known;
	}
	return latest;
}

static void
on_exit_worker(struct worker *worker, void *arg)
{
	struct pool *pool = arg;

	for (enum counter c = 0; c < COUNTER_COUNT; c++)
		if (c != COUNTER_CONNECTIONS)
			pool->gone[c] += worker_count(worker, c);
	pool->accepted[worker->slot] += worker_count(worker, COUNTER_ACCEPTED);
	keep_upstreams(worker);
	leave_news(pool, worker);
	pool->exits[worker->end]++;
	if (!worker->drained)
		pool->losses += worker->cut;
	pool->roll.finished += worker->finished;
	pool->roll.handed += worker->handed;
	pool->roll.cut += worker->cut;
}

/* ---- beginning and end ---- */

struct pool *
pool_new(const struct pool_host *host)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->host = *host;
	TAILQ_INIT(&pool->listeners);
	upstream_records_init(&pool->upstreams);
	pool->slot_host = (struct slot_host){
		.workers = { .base = host->base,
			.program = host->program,
			.open_files = host->open_files,
			.upstreams = &pool->upstreams,
			.talk = &pool->talk,
			.outputs = &pool->outputs,
			.changed = wake,
			.known_of = known_of_upstream,
			.arg = pool },
		.listeners = &pool->listeners,
		.on_loss = on_loss,
		.on_leaving = on_leaving,
		.on_exit = on_exit_worker,
		.arg = pool,
	};
	output_host_init(&pool->outputs, host->base, wake, pool);
	pool->on_wake = event_new(host->base, -1, 0, pool_step, pool);
	if (talk_init(&pool->talk, host->base) && pool->on_wake)
		return pool;
	talk_done(&pool->talk);
	if (pool->on_wake)
		event_free(pool->on_wake);
	free(pool);
	return NULL;
}

static void
close_all(struct pool *pool)
{
	struct listener *listener;

	while ((listener = TAILQ_FIRST(&pool->listeners))) {
		TAILQ_REMOVE(&pool->listeners, listener, entry);
		listener_close(listener);
	}
}

void
pool_stop(struct pool *pool)
{
	pool->stopping = true;
	if (pool->roll.state != ROLL_IDLE) {
		if (!*pool->roll.why)
			snprintf(pool->roll.why, sizeof(pool->roll.why), "the daemon stops");
		end_roll(pool, pool->roll.committed ? ROLL_APPLIED : ROLL_REVERTED);
	}
	/* the workers' own copies keep the queues until each has accepted what is in its */
	close_all(pool);
	for (unsigned i = 0; i < pool->n_slots; i++)
		slot_set_goal(pool->slot[i], NULL);
	event_active(pool->on_wake, 0, 0);
}

void
pool_stop_now(struct pool *pool)
{
	for (unsigned i = 0; i < pool->n_slots; i++) {
		if (pool->slot[i]->incumbent)
			worker_stop(pool->slot[i]->incumbent, "stop at once");
		if (pool->slot[i]->successor)
			worker_stop(pool->slot[i]->successor, "stop at once");
	}
}

static void
count_worker(struct pool_count *count, const struct worker *w)
{
	if (!w || w->state == WORKER_EXITED)
		return;
	count->ready += w->state == WORKER_READY;
	count->starting += w->state == WORKER_STARTING;
	count->leaving += worker_state_is_leaving(w->state);
	count->connections += counters_get(w->counters, COUNTER_CONNECTIONS);
}

struct pool_count
pool_count(const struct pool *pool)
{
	struct pool_count count = { 0 };

	for (unsigned i = 0; i < pool->n_slots; i++) {
		count_worker(&count, pool->slot[i]->incumbent);
		count_worker(&count, pool->slot[i]->successor);
	}
	return count;
}

static uint64_t
slot_count(const struct slot *slot, enum counter counter)
{
	return (slot->incumbent ? worker_count(slot->incumbent, counter) : 0) +
	       (slot->successor ? worker_count(slot->successor, counter) : 0);
}

uint64_t
pool_total(const struct pool *pool, enum counter counter)
{
	uint64_t total = pool->gone[counter];

	for (unsigned i = 0; i < pool->n_slots; i++)
		total += slot_count(pool->slot[i], counter);
	return total;
}

uint64_t
pool_accepted(const struct pool *pool, unsigned slot)
{
	return pool->accepted[slot] +
	       (slot < pool->n_slots ? slot_count(pool->slot[slot], COUNTER_ACCEPTED) : 0);
}

void
pool_free(struct pool *pool)
{
	if (!pool)
		return;
	close_all(pool);
	for (unsigned i = 0; i < pool->n_slots; i++)
		slot_free(pool->slot[i]);
	output_host_done(&pool->outputs);
	talk_done(&pool->talk);
	free(pool->slot);
	upstream_records_done(&pool->upstreams);
	free(pool->accepted);
	generation_unref(pool->running);
	generation_unref(pool->live);
	generation_unref(pool->roll.target);
	event_free(pool->on_wake);
	free(pool);
}

/* ---- upstreams ---- */

static void
sum_worker(struct upstream_sum *sum, const struct worker *worker)
{
	for (size_t number = 0; worker && number < COUNTERS_UPSTREAMS_MAX; number++)
		if (worker->upstream[number] == sum->record)
			upstream_sum_add(sum, worker->counters, number);
}

void
pool_each_upstream(const struct pool *pool, pool_upstream_fn *fn, void *arg)
{
	const struct upstream_record *record;

	TAILQ_FOREACH(record, &pool->upstreams.list, entry) {
		struct upstream_sum sum = { .record = record };

		memcpy(sum.counter, record->gone, sizeof(sum.counter));
		for (unsigned i = 0; i < pool->n_slots; i++) {
			sum_worker(&sum, pool->slot[i]->incumbent);
			sum_worker(&sum, pool->slot[i]->successor);
		}
		fn(&sum, arg);
	}
}

int
pool_drain_upstream(struct pool *pool, const char *name, bool is_drained)
{
	struct upstream_record *record = upstream_records_find(&pool->upstreams, name);

	if (!record)
		return -ENOENT;
	record->is_drained = is_drained;
	log_notice("upstream %s: %s", name, is_drained ? "drained" : "enabled");
	for (unsigned i = 0; i < pool->n_slots; i++) {
		if (pool->slot[i]->incumbent)
			worker_drain_upstream(pool->slot[i]->incumbent, record);
		if (pool->slot[i]->successor)
			worker_drain_upstream(pool->slot[i]->successor, record);
	}
	return 0;
}
