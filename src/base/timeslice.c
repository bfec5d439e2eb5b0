/*
 * How long a process works at a stretch.
 */
#include "base/timeslice.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_MAX_NS (UINT64_C(100) * 1000 * 1000) /* the kernel's own bound */

/* The first version of the kernel's struct sched_attr, which a C library before 2.41 does not have. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns; /* of an ordinary process the first is its slice */
};

/* False: it is not to be had, or the process is under a policy under which it would mean something else. */
static bool
get_attributes(pid_t pid, struct attributes *ret)
{
	*ret = (struct attributes){ .size = sizeof(*ret) };
	return syscall(SYS_sched_getattr, pid, ret, sizeof(*ret), 0) == 0 &&
	       (ret->policy == SCHED_OTHER || ret->policy == SCHED_BATCH);
}

static void
set_slice(pid_t pid, uint64_t ns)
{
	struct attributes attributes;

	if (!get_attributes(pid, &attributes))
		return;
	attributes.runtime_ns = ns;
	(void)syscall(SYS_sched_setattr, pid, &attributes, 0);
}

void
timeslice_lengthen(void)
{
	set_slice(0, SLICE_MAX_NS);
}

void
timeslice_copy(pid_t from, pid_t to)
{
	struct attributes attributes;

	if (get_attributes(from, &attributes))
		set_slice(to, attributes.runtime_ns);
}
