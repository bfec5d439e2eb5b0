/*
 * The upstreams in the master's heritage: what is drained stays so when another image takes over.
 */
#ifndef MASTER_UPSTREAMS_HERITAGE_H
#define MASTER_UPSTREAMS_HERITAGE_H

#include "master/heritage.h"
#include "master/upstreams.h"

json_t *upstream_records_save(struct heritage *heritage, const struct upstream_records *records);
bool upstream_records_load(struct heritage *heritage, const json_t *json, struct upstream_records *records);

/* Whose the blocks of a worker's page are: COUNTERS_UPSTREAMS_MAX of `blocks`. The records must have been loaded. */
json_t *upstream_blocks_save(struct heritage *heritage, struct upstream_record *const *blocks);
bool upstream_blocks_load(struct heritage *heritage, const json_t *json, struct upstream_records *records,
	struct upstream_record **blocks);

#endif
