/*
 * What each worker leaves to whom, when the pool changes its size.
 */
#include "master/heirs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST = 40 };

/* What one old slot has is 1: how much each new slot has in the end. */
static void
share_out(unsigned n_old, unsigned n_new, double *ret_load)
{
	for (unsigned heir = 0; heir < n_new; heir++)
		ret_load[heir] = 0;
	for (unsigned slot = 0; slot < n_old; slot++) {
		unsigned sum = 0;

		for (unsigned heir = 0; heir < n_new; heir++)
			sum += heirs_share(slot, heir, n_old, n_new);
		assert_true(sum > 0);
		for (unsigned heir = 0; heir < n_new; heir++)
			ret_load[heir] += (double)heirs_share(slot, heir, n_old, n_new) / sum;
	}
}

static void
spread(unsigned n_old, unsigned n_new, double *ret_least, double *ret_most)
{
	double load[MOST] = { 0 };

	share_out(n_old, n_new, load);
	*ret_least = *ret_most = load[0];
	for (unsigned i = 1; i < n_new; i++) {
		*ret_least = load[i] < *ret_least ? load[i] : *ret_least;
		*ret_most = load[i] > *ret_most ? load[i] : *ret_most;
	}
}

static void
same_size_stays_where_it_is(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= MOST; n++)
		for (unsigned slot = 0; slot < n; slot++)
			for (unsigned heir = 0; heir < n; heir++)
				assert_int_equal(heirs_share(slot, heir, n, n) > 0, heir == slot);
}

static void
small_pools_end_even(void **state)
{
	double least, most;

	(void)state;
	for (unsigned n_old = 1; n_old <= HEIRS_MAX; n_old++)
		for (unsigned n_new = n_old; n_new <= HEIRS_MAX; n_new++) {
			spread(n_old, n_new, &least, &most);
			assert_true(most - least < 1e-9);
			spread(n_new, n_old, &least, &most);
			assert_true(most - least < 1e-9);
		}
}

/*
 * Beyond that: as even as so few heirs allow. When a pool shrinks, those that stay differ by what one leaver gives to one heir; when
 * it grows so much that there are too few givers, some slots begin with nothing.
 */
static void
large_pools_end_nearly_even(void **state)
{
	double least, most;

	(void)state;
	for (unsigned n_old = 1; n_old <= MOST; n_old++)
		for (unsigned n_new = 1; n_new <= MOST; n_new++) {
			spread(n_old, n_new, &least, &most);
			if (n_new > n_old * (HEIRS_MAX + 1))
				assert_true(most <= 1.0);
			else
				assert_true(most <= 2.5 * least);
		}
}

static void
nobody_has_too_many_heirs(void **state)
{
	(void)state;
	for (unsigned n_old = 1; n_old <= MOST; n_old++)
		for (unsigned n_new = 1; n_new <= MOST; n_new++)
			for (unsigned slot = 0; slot < n_old; slot++) {
				unsigned heirs = 0;

				for (unsigned heir = 0; heir < n_new; heir++)
					heirs += heir != slot && heirs_share(slot, heir, n_old, n_new) > 0;
				assert_in_range(heirs, slot < n_new ? 0 : 1, HEIRS_MAX);
			}
}

static void
nothing_is_left_to_slots_that_go(void **state)
{
	(void)state;
	for (unsigned n_old = 1; n_old <= MOST; n_old++)
		for (unsigned n_new = 1; n_new <= n_old; n_new++)
			for (unsigned slot = 0; slot < n_old; slot++)
				for (unsigned heir = n_new; heir < MOST; heir++)
					assert_int_equal(heirs_share(slot, heir, n_old, n_new), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_size_stays_where_it_is),
		cmocka_unit_test(small_pools_end_even),
		cmocka_unit_test(large_pools_end_nearly_even),
		cmocka_unit_test(nobody_has_too_many_heirs),
		cmocka_unit_test(nothing_is_left_to_slots_that_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
