/*
 * Time. Every duration and instant in the program is a number of microseconds, its name ends in _us.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#define US_PER_MS  UINT64_C(1000)
#define US_PER_SEC UINT64_C(1000000)

/* Microseconds of CLOCK_MONOTONIC, which systemd wants in MONOTONIC_USEC too. Never fails. */
uint64_t clock_now_us(void);

/* Microseconds since 1970, for people: to be noted when something happens, as this clock may be set. Never fails. */
uint64_t clock_wall_us(void);

/* Microseconds that this thread has had a processor. Never fails. */
uint64_t clock_work_us(void);

/* The same duration as a timeval, for libevent. */
struct timeval clock_timeval(uint64_t us);

/* The same as a timespec, for ppoll and others. */
struct timespec clock_timespec(uint64_t us);

#endif
