/*
 * Time slices, as the kernel knows them. On one that knows none of ordinary processes there is nothing to be seen.
 */
#include "base/timeslice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { ATTRIBUTES_SIZE = 48, SLICE_AT = 24, NICE = 3 }; /* of struct sched_attr: sched_setattr(2) */

static uint64_t
slice_ns(pid_t pid)
{
	unsigned char attributes[ATTRIBUTES_SIZE];
	uint64_t ns;

	assert_int_equal(syscall(SYS_sched_getattr, pid, attributes, sizeof(attributes), 0), 0);
	memcpy(&ns, attributes + SLICE_AT, sizeof(ns));
	return ns;
}

static void
a_slice_is_lengthened_and_taken_back(void **state)
{
	uint64_t ours = slice_ns(getppid());

	(void)state;
	if (ours == 0)
		skip();
	assert_int_equal(setpriority(PRIO_PROCESS, 0, NICE), 0);
	timeslice_lengthen();
	print_message("%.1f ms, lengthened %.1f ms\n", (double)ours / 1e6, (double)slice_ns(0) / 1e6);
	assert_true(slice_ns(0) > ours);
	timeslice_copy(getppid(), 0);
	assert_int_equal(slice_ns(0), ours);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), NICE); /* which is set by the same call */
}

static void
who_is_not_there_has_none(void **state)
{
	uint64_t before = slice_ns(0);

	(void)state;
	timeslice_copy(-1, 0);
	assert_int_equal(slice_ns(0), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_is_lengthened_and_taken_back),
		cmocka_unit_test(who_is_not_there_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
