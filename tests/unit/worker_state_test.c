/*
 * The table of a worker's states: each cell against the picture that doc/architecture.md shows, and what must
 * hold of all cells.
 */
#include "master/worker_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/*
 * A row a state, a letter an input, in the order of enum worker_input: S R D O K X for the state that
 * follows, ! for an error of the protocol (which kills).
 */
static const char *const picture[WORKER_STATES] = {
	/*                     ready drained failed drain stop deadline pipe reaped */
	[WORKER_STARTING] = "R!OOOKKX",
	[WORKER_READY] = "!!ODOKKX",
	[WORKER_DRAINING] = "!OODOOKX",
	[WORKER_STOPPING] = "OOOOOKOX",
	[WORKER_KILLING] = "KKKKKKKX",
	[WORKER_EXITED] = "XXXXXXXX",
};

static void
cells_are_those_of_the_picture(void **state)
{
	(void)state;
	for (enum worker_state s = 0; s < WORKER_STATES; s++)
		for (enum worker_input i = 0; i < WORKER_INPUTS; i++) {
			const struct worker_transition *t = worker_state_next(s, i);
			char letter = picture[s][i];
			char next = letter == '!' ? 'K' : letter;

			assert_int_equal("SRDOKX"[t->next], next);
			assert_int_equal(t->violation, letter == '!');
		}
}

static void
no_state_ever_moves_up(void **state)
{
	(void)state;
	for (enum worker_state s = 0; s < WORKER_STATES; s++)
		for (enum worker_input i = 0; i < WORKER_INPUTS; i++)
			assert_true(worker_state_next(s, i)->next >= s);
}

/*
 * A loss is what takes a worker that starts or serves out of our hands; one that was told to leave can't be
 * lost.
 */
static void
only_starting_and_ready_workers_are_lost(void **state)
{
	(void)state;
	for (enum worker_state s = 0; s < WORKER_STATES; s++)
		for (enum worker_input i = 0; i < WORKER_INPUTS; i++) {
			const struct worker_transition *t = worker_state_next(s, i);
			bool asked = i == WORKER_TOLD_DRAIN || i == WORKER_TOLD_STOP;

			if (t->failure && !t->violation)
				assert_true(s == WORKER_STARTING || s == WORKER_READY);
			if (s <= WORKER_READY && worker_state_is_leaving(t->next) && !asked)
				assert_true(t->failure);
			if (asked)
				assert_false(t->failure);
		}
}

static void
every_state_has_a_name(void **state)
{
	(void)state;
	for (enum worker_state s = 0; s < WORKER_STATES; s++)
		assert_true(strlen(worker_state_name(s)) > 0);
	assert_string_equal(worker_state_name(WORKER_DRAINING), "draining");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_are_those_of_the_picture),
		cmocka_unit_test(no_state_ever_moves_up),
		cmocka_unit_test(only_starting_and_ready_workers_are_lost),
		cmocka_unit_test(every_state_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
