/*
 * Figures as a person likes to read them.
 */
#ifndef CTL_HUMAN_H
#define CTL_HUMAN_H

#include <stdint.h>

#define HUMAN_DURATION_MAX 32

/* "0ms", "41ms", "3.2s", "42s", "3m12s", "5h03m", "12d4h": the two largest units at most, rounded down. Returns buf. */
const char *human_duration(uint64_t us, char buf[static HUMAN_DURATION_MAX]);

/* How long ago was "2026-01-01T00:00:00Z" (a fraction of the second may follow it)? 0 with *ret_us, 0 for the future; -EINVAL. */
int human_age(const char *time, uint64_t *ret_us);

#endif
