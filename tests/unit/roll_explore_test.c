/*
 * Every order in which events can meet a roll: small pools are explored exhaustively, with the real tables
 * (worker_state, slot_rule, roll_rule) and a model of what pool.c does around them.
 *
 * Checked in each state that can be reached:
 *	- no step goes on for ever, and no state with a roll under way is without a next event: nothing wedges;
 *	- without a fault, never fewer READY workers than the smaller of the two generations has slots;
 *	- no roll commits that has lost a worker, none ends while a worker of another generation is there;
 *	- at rest, each slot has the worker that its configuration wants, and the verdict tells which
 * configuration that is.
 */
#include "base/cleanup.h"
#include "master/roll_rule.h"
#include "master/slot_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS_MAX = 4, NO_GOAL = 0 };

struct model_worker {
	uint8_t generation; /* 0: none there */
	uint8_t state;
	uint8_t failed;
};

/* A world, small enough to be compared as bytes. */
struct world {
	struct {
		uint8_t goal;
		uint8_t lost;
		struct model_worker incumbent, successor;
	} slot[SLOTS_MAX];
	uint8_t workers[4]; /* of each generation; generation 1 runs at the beginning */
	uint8_t running, target, state, committed, lost;
	uint8_t parallel;
	uint8_t reloads; /* requests that are remembered */
	uint8_t faults;  /* that may still come */
	uint8_t faulted; /* one has come */
};

struct table {
	struct world *world;
	size_t n, room, mask;
	uint32_t *bucket; /* index + 1 */
};

static unsigned
slots_of(const struct world *w)
{
	unsigned n = w->workers[w->running];

	return w->target && w->workers[w->target] > n ? w->workers[w->target] : n;
}

/* ---- what pool.c and slot.c do ---- */

static void
set_goal(struct world *w, unsigned i, unsigned goal)
{
	if (w->slot[i].goal == goal)
		return;
	w->slot[i].goal = (uint8_t)goal;
	w->slot[i].lost = false;
}

static bool
collect_place(struct world *w, unsigned i, struct model_worker *m)
{
	if (!m->generation)
		return false;
	if (m->state == WORKER_READY)
		w->slot[i].lost = false;
	if (m->failed == 1) {
		m->failed = 2;
		w->slot[i].lost = true;
		if (w->state == ROLL_FORWARD && !w->committed && m->generation == w->target)
			w->lost = true;
	}
	if (m->state != WORKER_EXITED)
		return false;
	*m = (struct model_worker){ 0 };
	return true;
}

static struct slot_place
place_of(const struct model_worker *m, unsigned goal)
{
	return (struct slot_place){ m->generation, m->state, m->generation == goal,
		m->state == WORKER_READY };
}

static void
input(struct model_worker *m, enum worker_input in)
{
	const struct worker_transition *t = worker_state_next(m->state, in);

	if (t->failure && !m->failed)
		m->failed = 1;
	m->state = t->next;
}

static bool
reconcile(struct world *w, unsigned i)
{
	struct model_worker *incumbent = &w->slot[i].incumbent, *successor = &w->slot[i].successor;
	struct slot_facts facts = { w->slot[i].goal, true, place_of(incumbent, w->slot[i].goal),
		place_of(successor, w->slot[i].goal) };

	switch (slot_rule(&facts)) {
	case SLOT_WAIT:
		return false;
	case SLOT_SPAWN:
		*successor = (struct model_worker){ w->slot[i].goal, WORKER_STARTING, 0 };
		return true;
	case SLOT_PROMOTE:
		*incumbent = *successor;
		*successor = (struct model_worker){ 0 };
		return true;
	case SLOT_DRAIN_INCUMBENT:
		input(incumbent, WORKER_TOLD_DRAIN);
		return true;
	case SLOT_DRAIN_SUCCESSOR:
		input(successor, WORKER_TOLD_DRAIN);
		return true;
	}
	return false;
}

static bool
is_ready(const struct model_worker *m, unsigned generation)
{
	return m->generation == generation && m->state == WORKER_READY;
}

static struct roll_slot
look_at(const struct world *w, unsigned i)
{
	const struct model_worker *a = &w->slot[i].incumbent, *b = &w->slot[i].successor;
	unsigned goal = w->slot[i].goal;

	return (struct roll_slot){
		.wanted = i < w->workers[w->target],
		.on_target = goal == w->target,
		.ready = is_ready(a, w->target) || is_ready(b, w->target),
		.settled = goal ? is_ready(a, goal) && !b->generation : !a->generation && !b->generation,
		.alone = (!a->generation || a->generation == goal) &&
		         (!b->generation || b->generation == goal),
		.lost = w->slot[i].lost,
	};
}

static void
set_goals(struct world *w, unsigned generation)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		set_goal(w, i, i < w->workers[generation] ? generation : NO_GOAL);
}

static bool
step_roll(struct world *w)
{
	struct roll_slot slot[SLOTS_MAX];
	struct roll_facts facts = { .state = w->state,
		.committed = w->committed,
		.lost = w->lost,
		.parallel = w->parallel,
		.n = slots_of(w),
		.slot = slot };
	unsigned old = w->workers[w->running], n_new, order[SLOTS_MAX];
	size_t next = 0;

	if (w->state == ROLL_IDLE)
		return false;
	n_new = w->workers[w->target] > old ? w->workers[w->target] - old : 0;
	for (unsigned i = 0; i < facts.n; i++) {
		order[i] = i < n_new ? old + i : i < w->workers[w->target] ? i - n_new : i;
		slot[i] = look_at(w, order[i]);
	}
	switch (roll_rule(&facts, &next)) {
	case ROLL_STEP_WAIT:
		return false;
	case ROLL_STEP_ADVANCE:
		set_goal(w, order[next], w->target);
		return true;
	case ROLL_STEP_COMMIT:
		assert_false(w->lost);
		w->committed = true;
		w->running = w->target;
		set_goals(w, w->target);
		return true;
	case ROLL_STEP_REVERT:
		w->state = ROLL_REVERT;
		set_goals(w, w->running);
		return true;
	case ROLL_STEP_END:
		for (unsigned i = 0; i < facts.n; i++)
			assert_true(slot[i].alone);
		w->state = ROLL_IDLE;
		w->target = w->committed = w->lost = 0;
		return true;
	default:
		fail();
		return false;
	}
}

static void
check(const struct world *w)
{
	unsigned ready = 0, least = SLOTS_MAX;

	for (unsigned i = 0; i < SLOTS_MAX; i++)
		ready += (w->slot[i].incumbent.generation && w->slot[i].incumbent.state == WORKER_READY) ||
		         (w->slot[i].successor.generation && w->slot[i].successor.state == WORKER_READY);
	for (unsigned g = 1; g <= 3; g++)
		if (w->workers[g] && w->workers[g] < least)
			least = w->workers[g];
	if (!w->faulted && ready < least)
		fail_msg("%u workers ready, %u wanted, without a fault", ready, least);
}

/* The pool's loop, to its rest. */
static void
settle(struct world *w)
{
	for (unsigned steps = 0;; steps++) {
		bool moved = false;

		assert_true(steps < 1000); /* for ever */
		for (unsigned i = 0; i < SLOTS_MAX; i++) {
			moved |= collect_place(w, i, &w->slot[i].incumbent);
			moved |= collect_place(w, i, &w->slot[i].successor);
		}
		moved |= step_roll(w);
		for (unsigned i = 0; i < SLOTS_MAX; i++)
			moved |= reconcile(w, i);
		check(w);
		if (w->state == ROLL_IDLE && w->reloads > 0) {
			w->reloads--;
			w->state = ROLL_FORWARD;
			w->target = (uint8_t)(w->running == 2 || w->workers[2] == 0 ? 3 : 2);
			if (w->target == w->running)
				w->target = 2;
			moved = true;
		}
		if (!moved)
			return;
	}
}

/* ---- the events that may come next ---- */

enum { EVENTS = 5 };

/* What can happen to a worker by itself; false when this can't. */
static bool
happen(struct world *w, struct model_worker *m, unsigned event)
{
	static const struct {
		uint8_t state, input;
		bool fault;
	} events[EVENTS] = {
		{ WORKER_STARTING, WORKER_SAYS_READY, false },
		{ WORKER_DRAINING, WORKER_SAYS_DRAINED, false },
		{ WORKER_STATES, WORKER_REAPED, false }, /* one that was told to leave, or killed */
		{ WORKER_STARTING, WORKER_REAPED, true },
		{ WORKER_READY, WORKER_PIPE_LOST, true },
	};

	if (!m->generation || (events[event].fault && w->faults == 0))
		return false;
	if (events[event].state == WORKER_STATES ? m->state < WORKER_STOPPING
						 : m->state != events[event].state)
		return false;
	if (events[event].fault) {
		w->faults--;
		w->faulted = 1;
	}
	input(m, events[event].input);
	return true;
}

/* ---- the exploration ---- */

static uint32_t
hash(const struct world *w)
{
	const unsigned char *p = (const unsigned char *)w;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(*w); i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

static void
remember(struct table *t, const struct world *w)
{
	size_t b = hash(w) & t->mask;

	for (; t->bucket[b]; b = (b + 1) & t->mask)
		if (memcmp(&t->world[t->bucket[b] - 1], w, sizeof(*w)) == 0)
			return;
	assert_true(t->n < t->room);
	t->world[t->n] = *w;
	t->bucket[b] = (uint32_t)++t->n;
}

/* All that can follow on this state. How many that were. */
static unsigned
follow(struct table *t, size_t index)
{
	unsigned n = 0;

	for (unsigned k = 0; k < SLOTS_MAX * 2 * EVENTS; k++) {
		struct world w = t->world[index];
		unsigned i = k / (2 * EVENTS);
		struct model_worker *m = k / EVENTS % 2 ? &w.slot[i].successor : &w.slot[i].incumbent;

		if (!happen(&w, m, k % EVENTS))
			continue;
		settle(&w);
		remember(t, &w);
		n++;
	}
	return n;
}

static void
check_rest(const struct world *w)
{
	assert_int_equal(w->state, ROLL_IDLE);
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		bool wanted = i < w->workers[w->running];

		assert_int_equal(w->slot[i].incumbent.generation, wanted ? w->running : 0);
		assert_int_equal(w->slot[i].successor.generation, 0);
		if (wanted)
			assert_int_equal(w->slot[i].incumbent.state, WORKER_READY);
	}
}

static size_t
explore(unsigned before, unsigned after, unsigned parallel, unsigned faults)
{
	enum { ROOM = 1 << 20 };
	struct table t = { .room = ROOM, .mask = ROOM * 2 - 1 };
	struct world first;
	size_t rests = 0, n;

	memset(&first, 0, sizeof(first));
	first.workers[1] = (uint8_t)before;
	first.workers[2] = (uint8_t)after;
	first.workers[3] = (uint8_t)before;
	first.running = 1;
	first.faults = (uint8_t)faults;
	for (unsigned i = 0; i < before; i++) {
		first.slot[i].goal = 1;
		first.slot[i].incumbent = (struct model_worker){ 1, WORKER_READY, 0 };
	}
	first.reloads = 2;
	first.parallel = (uint8_t)parallel;
	t.world = calloc(t.room, sizeof(*t.world));
	t.bucket = calloc(t.mask + 1, sizeof(*t.bucket));
	assert_true(t.world && t.bucket);
	settle(&first);
	remember(&t, &first);
	for (size_t i = 0; i < t.n; i++) {
		struct world at = t.world[i];
		bool at_rest = true;

		for (unsigned s = 0; s < SLOTS_MAX; s++)
			at_rest &= (!at.slot[s].incumbent.generation ||
					   at.slot[s].incumbent.state == WORKER_READY) &&
			           !at.slot[s].successor.generation;
		if (follow(&t, i) == 0 || (at_rest && at.state == ROLL_IDLE)) {
			check_rest(&at);
			rests++;
		}
	}
	assert_true(rests > 0);
	n = t.n;
	free(t.world);
	free(t.bucket);
	return n;
}

static void
no_order_of_events_wedges_a_roll(void **state)
{
	size_t n = 0;

	(void)state;
	for (unsigned before = 1; before <= SLOTS_MAX; before++)
		for (unsigned after = 1; after <= SLOTS_MAX; after++)
			for (unsigned parallel = 1; parallel <= 3; parallel++)
				for (unsigned faults = 0; faults <= 2; faults++)
					n += explore(before, after, parallel, faults);
	print_message("%zu states\n", n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_order_of_events_wedges_a_roll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
