/*
 * A share of the time: what may use no more of it has to rest in between, so many times as long as it has worked. A little
 * may be owed, so that who asks now and then never waits.
 */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include <stdint.h>

/* No more is ever owed beyond the credit, in microseconds: who waits for the rest to be over shall not wait for ever. */
#define PACE_OWED_MAX_US 1000000

struct pace {
	unsigned rest;      /* times the work; 0: none, any share is fine */
	uint64_t credit_us; /* of rest that may be owed */
	uint64_t owed_us;   /* of rest, at: */
	uint64_t at_us;     /* by the clock of who asks */
};

/*
 * It has worked for so long, up to now, by a clock that never goes back. Returns how long it has to rest from now on; 0: it may
 * go on.
 */
uint64_t pace_work(struct pace *pace, uint64_t now_us, uint64_t worked_us);

#endif
