/*
 * The upstreams that workers have told of: which of them the operator has drained, and what their counters add up to. What is drained
 * stays so through reloads, until it is enabled again or the daemon ends.
 */
#ifndef MASTER_UPSTREAMS_H
#define MASTER_UPSTREAMS_H

#include "ipc/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* As many names as a daemon remembers; those that come later are not. */
#define UPSTREAM_RECORDS_MAX 1024

struct upstream_record {
	TAILQ_ENTRY(upstream_record) entry;
	char *name;
	char *addresses; /* what its name means, as the workers tell each other; NULL: nobody has said */
	bool is_drained;
	uint64_t gone[UPSTREAM_COUNTERS]; /* what the workers that have gone had counted */
	struct upstream_health last;      /* what a worker that was lost had found out */
};

struct upstream_records {
	TAILQ_HEAD(, upstream_record) list;
	size_t n;
};

void upstream_records_init(struct upstream_records *records);
void upstream_records_done(struct upstream_records *records);

/* NULL: there is none. */
struct upstream_record *upstream_records_find(struct upstream_records *records, const char *name);

/* Makes one where there is none. NULL: there are too many, or there is no memory. */
struct upstream_record *upstream_records_get(struct upstream_records *records, const char *name);

/* What is known of one. */
struct upstream_sum {
	const struct upstream_record *record;
	unsigned workers; /* that have it */
	unsigned in_state[UPSTREAM_STATES];
	uint64_t counter[UPSTREAM_COUNTERS]; /* UPSTREAM_STATE has no sum */
};

/* Adds what a worker's page says of number `number`. */
void upstream_sum_add(struct upstream_sum *sum, const struct counters *counters, size_t number);

/* What a worker's page says of number `number`. */
struct upstream_health upstream_health_of(const struct counters *counters, size_t number);

/* "up", "down", "unresolved", "drained": up is what any worker finds to be up. */
const char *upstream_sum_state(const struct upstream_sum *sum);

#endif
