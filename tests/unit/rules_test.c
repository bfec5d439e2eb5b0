/*
 * slot_rule and roll_rule: one row for each rule of doc/architecture.md, and what must hold for all facts
 * there can be.
 */
#include "base/cleanup.h"
#include "master/roll_rule.h"
#include "master/slot_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOBODY                 \
	{                      \
		.taken = false \
	}
#define OLD(s)                                                       \
	{                                                            \
		.taken = true, .state = WORKER_##s, .seasoned = true \
	}
#define OF_GOAL(s)                                                                    \
	{                                                                             \
		.taken = true, .state = WORKER_##s, .of_goal = true, .seasoned = true \
	}
#define FRESH                                                         \
	{                                                             \
		.taken = true, .state = WORKER_READY, .of_goal = true \
	}

static const struct {
	const char *what;
	struct slot_facts facts;
	enum slot_step step;
} slot_rows[] = {
	{ "no goal: the incumbent drains", { false, true, OLD(READY), NOBODY }, SLOT_DRAIN_INCUMBENT },
	{ "no goal: the successor too", { false, true, OLD(READY), OLD(STARTING) }, SLOT_DRAIN_SUCCESSOR },
	{ "no goal, both leaving", { false, true, OLD(DRAINING), OLD(STOPPING) }, SLOT_WAIT },
	{ "no goal, empty", { false, true, NOBODY, NOBODY }, SLOT_WAIT },
	{ "nobody: spawn", { true, true, NOBODY, NOBODY }, SLOT_SPAWN },
	{ "nobody, in backoff", { true, false, NOBODY, NOBODY }, SLOT_WAIT },
	{ "only a successor: it is the incumbent", { true, true, NOBODY, OF_GOAL(STARTING) }, SLOT_PROMOTE },
	{ "settled", { true, true, OF_GOAL(READY), NOBODY }, SLOT_WAIT },
	{ "starting", { true, true, OF_GOAL(STARTING), NOBODY }, SLOT_WAIT },
	{ "the incumbent leaves: a replacement now", { true, true, OF_GOAL(KILLING), NOBODY }, SLOT_SPAWN },
	{ "the incumbent leaves, in backoff", { true, false, OF_GOAL(KILLING), NOBODY }, SLOT_WAIT },
	{ "the incumbent is of another generation", { true, true, OLD(READY), NOBODY }, SLOT_SPAWN },
	{ "its successor starts", { true, true, OLD(READY), OF_GOAL(STARTING) }, SLOT_WAIT },
	{ "its successor is ready, but fresh", { true, true, OLD(READY), FRESH }, SLOT_WAIT },
	{ "its successor is ready", { true, true, OLD(READY), OF_GOAL(READY) }, SLOT_DRAIN_INCUMBENT },
	{ "it never came up: the same", { true, true, OLD(STARTING), OF_GOAL(READY) }, SLOT_DRAIN_INCUMBENT },
	{ "it drains", { true, true, OLD(DRAINING), OF_GOAL(READY) }, SLOT_WAIT },
	{ "its successor was lost", { true, true, OLD(READY), OF_GOAL(KILLING) }, SLOT_WAIT },
	{ "back to the incumbent's generation", { true, true, OF_GOAL(READY), OLD(STARTING) },
		SLOT_DRAIN_SUCCESSOR },
	{ "… the successor may have connections", { true, true, OF_GOAL(READY), OLD(READY) },
		SLOT_DRAIN_SUCCESSOR },
	{ "… but the incumbent drains already", { true, true, OF_GOAL(DRAINING), OLD(READY) }, SLOT_WAIT },
	{ "… and the successor is not up", { true, true, OF_GOAL(DRAINING), OLD(STARTING) },
		SLOT_DRAIN_SUCCESSOR },
	{ "both are of former goals", { true, true, OLD(READY), OLD(READY) }, SLOT_DRAIN_SUCCESSOR },
};

static void
slot_takes_the_step_of_the_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(slot_rows); i++) {
		if (slot_rule(&slot_rows[i].facts) != slot_rows[i].step)
			print_error("row: %s\n", slot_rows[i].what);
		assert_int_equal(slot_rule(&slot_rows[i].facts), slot_rows[i].step);
	}
}

/* Fills in the k-th of all places there can be; false behind the last. */
static bool
make_place(unsigned k, struct slot_place *ret)
{
	*ret = (struct slot_place){ 0 };
	if (k == 0)
		return true;
	k--;
	*ret = (struct slot_place){ true, (enum worker_state)(k / 4), k & 1, k & 2 };
	return ret->state < WORKER_EXITED;
}

/*
 * Never a third worker; never one told to drain that leaves already, or whose slot would be left with nobody
 * to come.
 */
static void
slot_steps_are_safe_for_all_facts(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned flags = 0; flags < 4; flags++)
		for (unsigned i = 0; i < 21; i++)
			for (unsigned s = 0; s < 21; s++) {
				struct slot_facts f = { .has_goal = flags & 1, .may_spawn = flags & 2 };
				enum slot_step step;

				assert_true(make_place(i, &f.incumbent) && make_place(s, &f.successor));
				step = slot_rule(&f);
				n++;
				if (step == SLOT_SPAWN) {
					assert_true(f.has_goal && f.may_spawn && !f.successor.taken);
					assert_false(f.incumbent.taken && f.incumbent.of_goal &&
						     !worker_state_is_leaving(f.incumbent.state));
				}
				if (step == SLOT_PROMOTE)
					assert_true(f.successor.taken && !f.incumbent.taken);
				if (step == SLOT_DRAIN_INCUMBENT) {
					assert_true(f.incumbent.taken &&
						    !worker_state_is_leaving(f.incumbent.state));
					assert_true(!f.has_goal || (f.successor.state == WORKER_READY &&
									   f.successor.of_goal));
				}
				if (step == SLOT_DRAIN_SUCCESSOR)
					assert_true(f.successor.taken &&
						    !worker_state_is_leaving(f.successor.state));
			}
	print_message("%u facts\n", n);
}

#define WANTED .wanted = true
#define DONE                                                                             \
	{                                                                                \
		WANTED, .on_target = true, .ready = true, .settled = true, .alone = true \
	}
#define TODO                                           \
	{                                              \
		WANTED, .settled = true, .alone = true \
	}
#define BUSY                              \
	{                                 \
		WANTED, .on_target = true \
	}
#define ARRIVING                                         \
	{                                                \
		WANTED, .on_target = true, .ready = true \
	}
#define RETIRED                                \
	{                                      \
		.settled = true, .alone = true \
	}
#define RETIRING  \
	{         \
		0 \
	}
#define GONE_BACK                                      \
	{                                              \
		WANTED, .settled = true, .alone = true \
	}
#define FAILED                                                         \
	{                                                              \
		WANTED, .on_target = true, .lost = true, .alone = true \
	}

static const struct {
	const char *what;
	struct roll_facts facts;
	struct roll_slot slot[3];
	enum roll_step step;
	size_t next;
} roll_rows[] = {
	{ "idle", { ROLL_IDLE, .n = 1 }, { TODO }, ROLL_STEP_WAIT, 0 },
	{ "begins", { ROLL_FORWARD, .n = 3, .parallel = 1 }, { TODO, TODO, TODO }, ROLL_STEP_ADVANCE, 0 },
	{ "one at a time", { ROLL_FORWARD, .n = 3, .parallel = 1 }, { BUSY, TODO, TODO }, ROLL_STEP_WAIT, 0 },
	{ "still draining", { ROLL_FORWARD, .n = 3, .parallel = 1 }, { ARRIVING, TODO, TODO }, ROLL_STEP_WAIT,
		0 },
	{ "two at a time", { ROLL_FORWARD, .n = 3, .parallel = 2 }, { BUSY, TODO, TODO }, ROLL_STEP_ADVANCE,
		1 },
	{ "the next", { ROLL_FORWARD, .n = 3, .parallel = 1 }, { DONE, TODO, TODO }, ROLL_STEP_ADVANCE, 1 },
	{ "commits before the last has drained", { ROLL_FORWARD, .n = 3, .parallel = 1 },
		{ DONE, DONE, ARRIVING }, ROLL_STEP_COMMIT, 0 },
	{ "a shrink: surplus slots are not asked", { ROLL_FORWARD, .n = 3, .parallel = 1 },
		{ ARRIVING, RETIRED, RETIRED }, ROLL_STEP_COMMIT, 0 },
	{ "the first, without memory for slots",
		{ ROLL_FORWARD, .first = true, .lost = true, .parallel = 1024 }, {}, ROLL_STEP_GIVE_UP, 0 },
	{ "a loss", { ROLL_FORWARD, .lost = true, .n = 3, .parallel = 1 }, { DONE, BUSY, TODO },
		ROLL_STEP_REVERT, 0 },
	{ "committed, draining", { ROLL_FORWARD, .committed = true, .n = 3 }, { DONE, DONE, ARRIVING },
		ROLL_STEP_WAIT, 0 },
	{ "committed, surplus draining", { ROLL_FORWARD, .committed = true, .n = 3 },
		{ DONE, DONE, RETIRING }, ROLL_STEP_WAIT, 0 },
	{ "over", { ROLL_FORWARD, .committed = true, .n = 3 }, { DONE, DONE, RETIRED }, ROLL_STEP_END, 0 },
	{ "over: a crash afterwards is no matter", { ROLL_FORWARD, .committed = true, .n = 2 },
		{ DONE, FAILED }, ROLL_STEP_END, 0 },
	{ "on the way back", { ROLL_REVERT, .lost = true, .n = 2 }, { GONE_BACK, RETIRING }, ROLL_STEP_WAIT,
		0 },
	{ "back", { ROLL_REVERT, .lost = true, .n = 2 }, { GONE_BACK, GONE_BACK }, ROLL_STEP_END, 0 },
	{ "back, and the old one is broken too", { ROLL_REVERT, .lost = true, .n = 2 }, { GONE_BACK, FAILED },
		ROLL_STEP_END, 0 },
	{ "first: all at once", { ROLL_FORWARD, .first = true, .n = 2, .parallel = 9 }, { BUSY, TODO },
		ROLL_STEP_ADVANCE, 1 },
	{ "first: one failed, one starts", { ROLL_FORWARD, .first = true, .n = 2, .parallel = 9 },
		{ BUSY, FAILED }, ROLL_STEP_WAIT, 0 },
	{ "first: one failed, one serves", { ROLL_FORWARD, .first = true, .n = 2, .parallel = 9 },
		{ DONE, FAILED }, ROLL_STEP_COMMIT, 0 },
	{ "first: all failed", { ROLL_FORWARD, .first = true, .n = 2, .parallel = 9 }, { FAILED, FAILED },
		ROLL_STEP_GIVE_UP, 0 },
};

static void
roll_takes_the_step_of_the_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roll_rows); i++) {
		struct roll_facts facts = roll_rows[i].facts;
		size_t next = 0;
		enum roll_step step;

		facts.slot = roll_rows[i].slot;
		step = roll_rule(&facts, &next);
		if (step != roll_rows[i].step || next != roll_rows[i].next)
			print_error("row: %s\n", roll_rows[i].what);
		assert_int_equal(step, roll_rows[i].step);
		assert_int_equal(next, roll_rows[i].next);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slot_takes_the_step_of_the_row),
		cmocka_unit_test(slot_steps_are_safe_for_all_facts),
		cmocka_unit_test(roll_takes_the_step_of_the_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
