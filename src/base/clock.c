/*
 * Time: the one clock that deadlines are measured on.
 */
#include "base/clock.h"

#include <time.h>

uint64_t
clock_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_work_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

struct timeval
clock_timeval(uint64_t us)
{
	return (struct timeval){ .tv_sec = (time_t)(us / US_PER_SEC),
		.tv_usec = (suseconds_t)(us % US_PER_SEC) };
}
