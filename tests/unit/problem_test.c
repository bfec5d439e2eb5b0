/*
 * The list of problems: its texts, its order, its bound.
 */
#include "config/problem.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void __attribute__((format(printf, 3, 4)))
add_at(struct problems *problems, unsigned place, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	problems_add_at(problems, place, NULL, 0, fmt, ap);
	va_end(ap);
}

static void
text_has_the_place_that_is_known(void **state)
{
	struct problems problems;

	(void)state;
	problems_init(&problems);
	problems_add(&problems, "/etc/x.conf", 3, "%s: %d", "workers", 0);
	problems_add(&problems, "/etc/x.conf", 0, "is a directory");
	problems_add(&problems, NULL, 7, "a message");
	assert_int_equal(problems.n, 3);
	assert_int_equal(problems_kept(&problems), 3);
	assert_string_equal(problems.text[0], "/etc/x.conf:3: workers: 0");
	assert_string_equal(problems.text[1], "/etc/x.conf: is a directory");
	assert_string_equal(problems.text[2], "a message");
	problems_done(&problems);
	assert_int_equal(problems.n, 0);
}

static void
order_is_by_place_and_then_by_arrival(void **state)
{
	static const char *const wanted[] = { "1", "3a", "3b", "3c", "5", "last", "very last" };
	struct problems problems;

	(void)state;
	problems_init(&problems);
	add_at(&problems, 3, "3a");
	problems_add(&problems, NULL, 0, "last");
	add_at(&problems, 5, "5");
	add_at(&problems, 3, "3b");
	add_at(&problems, 1, "1");
	problems_add(&problems, NULL, 0, "very last");
	add_at(&problems, 3, "3c");
	assert_int_equal(problems_kept(&problems), ARRAY_LEN(wanted));
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_string_equal(problems.text[i], wanted[i]);
	problems_done(&problems);
}

/* Of too many, the first in the text are kept, whenever they came. */
static void
surplus_is_counted_only(void **state)
{
	enum { ALL = 2 * PROBLEMS_MAX };
	struct problems problems;

	(void)state;
	problems_init(&problems);
	for (unsigned i = 0; i < ALL; i++)
		add_at(&problems, ALL - i, "%u", ALL - i);
	problems_add(&problems, NULL, 0, "not kept");
	assert_int_equal(problems.n, ALL + 1);
	assert_int_equal(problems_kept(&problems), PROBLEMS_MAX);
	assert_string_equal(problems.text[0], "1");
	assert_string_equal(problems.text[PROBLEMS_MAX - 1], "100");
	problems_done(&problems);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_has_the_place_that_is_known),
		cmocka_unit_test(order_is_by_place_and_then_by_arrival),
		cmocka_unit_test(surplus_is_counted_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
