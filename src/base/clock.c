/*
 * Time: the one clock that deadlines are measured on, and others.
 */
#include "base/clock.h"

static uint64_t
read_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_now_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

uint64_t
clock_work_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}

struct timespec
clock_timespec(uint64_t us)
{
	return (struct timespec){ .tv_sec = (time_t)(us / US_PER_SEC),
		.tv_nsec = (long)(us % US_PER_SEC) * 1000 };
}

struct timeval
clock_timeval(uint64_t us)
{
	return (struct timeval){ .tv_sec = (time_t)(us / US_PER_SEC),
		.tv_usec = (suseconds_t)(us % US_PER_SEC) };
}
