/*
 * Time slices, as the kernel knows them. On one that knows none of ordinary processes there is nothing to be seen.
 */
#include "base/timeslice.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* The beginning of struct sched_attr: sched_setattr(2). */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

enum { NICEST = 19 };

static uint64_t
slice_ns(pid_t pid)
{
	struct attributes attributes = { .size = sizeof(attributes) };

	(void)syscall(SYS_sched_getattr, pid, &attributes, sizeof(attributes), 0);
	return attributes.slice_ns;
}

/* Is there anything to be seen here? Not on an older kernel, under another policy, or where the system calls are forbidden. */
static bool
slices_can_be_set(void)
{
	struct attributes own = { .size = sizeof(own) };

	return syscall(SYS_sched_getattr, 0, &own, sizeof(own), 0) == 0 &&
	       (own.policy == SCHED_OTHER || own.policy == SCHED_BATCH) && own.slice_ns > 0 &&
	       slice_ns(getppid()) > 0 && syscall(SYS_sched_setattr, 0, &own, 0) == 0;
}

static void
a_slice_is_lengthened_and_taken_back(void **state)
{
	uint64_t ours = slice_ns(getppid());
	int nice = getpriority(PRIO_PROCESS, 0);

	(void)state;
	if (!slices_can_be_set())
		skip();
	nice += nice < NICEST;
	assert_int_equal(setpriority(PRIO_PROCESS, 0, nice), 0);
	timeslice_lengthen();
	print_message("%.1f ms, lengthened %.1f ms\n", (double)ours / 1e6, (double)slice_ns(0) / 1e6);
	assert_true(slice_ns(0) > ours);
	timeslice_copy(getppid(), 0);
	assert_int_equal(slice_ns(0), ours);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), nice); /* which is set by the same call */
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
