/*
 * A generation: one configuration that was accepted, with all that its workers are born with. Counted
 * references, since slots, workers and the roll each go on needing it for their own time.
 */
#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H

#include "config/config.h"
#include "config/exec_options.h"
#include "master/heritage.h"
#include "master/identity.h"
#include "master/listener.h"

#include <stdint.h>

struct generation {
	unsigned refs;
	uint64_t number; /* from 1; 0 while it is being prepared */
	struct config *config;
	uint64_t loaded_wall_us; /* clock_wall_us */
	char sha256[65];         /* of the text, in hexadecimal */
	int config_fd;           /* sealed memfd with the configuration's text */
	struct identity identity;
	struct exec_options *
		exec; /* its workers are another program; NULL: gracefuld-worker, with a service of its own */
	char **addresses; /* of config->listen[], as listeners are found by */
};

/* Takes the configuration and the identity. NULL with errno set (then they are freed as well). */
struct generation *generation_new(struct config *config, struct identity identity);

struct generation *generation_ref(struct generation *generation);

/* Gives a reference back; the last one frees. NULL is fine. */
void generation_unref(struct generation *generation);

/* Puts another in the place of *place (NULL for none), with its references. */
void generation_set(struct generation **place, struct generation *generation);

/* The entry of its configuration with that address, or NULL. */
const struct config_listen *generation_find_listen(const struct generation *generation, const char *address);

/* Is the listener's address one of those of a wildcard of its configuration? */
bool generation_covers(const struct generation *generation, const struct listener *listener);

/*
 * Do its workers serve the listener? They serve those that are in its configuration; and one that an earlier one had, as long as
 * an address that is in it covers that (see listener.h). One that only a generation had that never was committed is not for others: they
 * were born without it, and nobody was promised anything there.
 */
bool generation_serves(const struct generation *generation, const struct listener *listener);
/* For the master's heritage. The one that was saved, with one reference; NULL when it can't be. */
json_t *generation_save(struct heritage *heritage, const struct generation *generation);
struct generation *generation_load(struct heritage *heritage, const json_t *json);

#endif
