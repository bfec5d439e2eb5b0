/*
 * Is an upstream up? Pure: what its results so far say.
 */
#ifndef SERVICE_PROXY_HEALTH_H
#define SERVICE_PROXY_HEALTH_H

#include <stdbool.h>

/* All zero: up, and nothing is known to the contrary. */
struct health {
	bool is_down;
	unsigned streak; /* results in a row that speak against the present state */
};

/* One more result. Has that changed the state? */
static inline bool
health_note(struct health *health, bool good, unsigned rise, unsigned fall)
{
	if (good != health->is_down) {
		health->streak = 0;
		return false;
	}
	if (++health->streak < (good ? rise : fall))
		return false;
	*health = (struct health){ .is_down = !good };
	return true;
}

#endif
