/*
 * The upstreams that workers have told of.
 */
#include "master/upstreams.h"

#include <stdlib.h>
#include <string.h>

void
upstream_records_init(struct upstream_records *records)
{
	*records = (struct upstream_records){ .n = 0 };
	TAILQ_INIT(&records->list);
}

void
upstream_records_done(struct upstream_records *records)
{
	struct upstream_record *record;

	while ((record = TAILQ_FIRST(&records->list))) {
		TAILQ_REMOVE(&records->list, record, entry);
		free(record->name);
		free(record->addresses);
		free(record);
	}
	records->n = 0;
}

struct upstream_record *
upstream_records_find(struct upstream_records *records, const char *name)
{
	struct upstream_record *record;

	TAILQ_FOREACH(record, &records->list, entry)
		if (strcmp(record->name, name) == 0)
			return record;
	return NULL;
}

struct upstream_record *
upstream_records_get(struct upstream_records *records, const char *name)
{
	struct upstream_record *record = upstream_records_find(records, name);

	if (record || records->n == UPSTREAM_RECORDS_MAX)
		return record;
	record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	record->name = strdup(name);
	if (!record->name) {
		free(record);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&records->list, record, entry);
	records->n++;
	return record;
}

void
upstream_sum_add(struct upstream_sum *sum, const struct counters *counters, size_t number)
{
	const _Atomic uint64_t *word = &counters->word[COUNTERS_UPSTREAMS + number * UPSTREAM_COUNTERS];
	uint64_t state = atomic_load_explicit(&word[UPSTREAM_STATE], memory_order_relaxed);

	sum->workers++;
	if (state < UPSTREAM_STATES)
		sum->in_state[state]++;
	for (int i = UPSTREAM_STATE + 1; i < UPSTREAM_SUMS; i++)
		sum->counter[i] += atomic_load_explicit(&word[i], memory_order_relaxed);
}

struct upstream_health
upstream_health_of(const struct counters *counters, size_t number)
{
	return upstream_health_get(&counters->word[COUNTERS_UPSTREAMS + number * UPSTREAM_COUNTERS]);
}

const char *
upstream_sum_state(const struct upstream_sum *sum)
{
	if (sum->record->is_drained)
		return "drained";
	if (sum->in_state[UPSTREAM_STATE_UP] > 0)
		return "up";
	return sum->in_state[UPSTREAM_STATE_DOWN] > 0 ? "down" : "unresolved";
}
