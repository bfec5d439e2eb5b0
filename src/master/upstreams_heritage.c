/*
 * Saving and loading the upstreams.
 */
#include "master/upstreams_heritage.h"

#include "base/cleanup.h"

#include <string.h>

static const struct heritage_field fields[] = {
	HERITAGE_STRING(struct upstream_record, name),
	HERITAGE_STRING(struct upstream_record, addresses),
	HERITAGE_BOOL(struct upstream_record, is_drained),
	HERITAGE_NUMBERS(struct upstream_record, gone),
	HERITAGE_BOOL(struct upstream_record, last.is_down),
	HERITAGE_NUMBER(struct upstream_record, last.streak, UINT64_MAX),
	HERITAGE_NUMBER(struct upstream_record, last.result_us, UINT64_MAX),
	HERITAGE_END,
};

json_t *
upstream_records_save(struct heritage *h, const struct upstream_records *records)
{
	json_t *list = json_array();
	const struct upstream_record *record;

	TAILQ_FOREACH(record, &records->list, entry)
		heritage_add(h, list, heritage_save(h, fields, record));
	return list;
}

static bool
load_record(struct heritage *h, const json_t *json, struct upstream_records *records)
{
	struct upstream_record read = { .name = NULL }, *record;
	cleanup_free char *name = NULL, *addresses = NULL;
	bool is_well = heritage_load(h, fields, json, &read);

	name = read.name;
	addresses = read.addresses;
	if (!is_well)
		return false;
	if (!name || upstream_records_find(records, name))
		return heritage_refuse(h, "an upstream has no name, or that of another one");
	record = upstream_records_get(records, name);
	if (!record)
		return heritage_refuse(h, "too many upstreams, or out of memory");
	record->addresses = take_ptr(addresses);
	record->is_drained = read.is_drained;
	memcpy(record->gone, read.gone, sizeof(record->gone));
	record->last = read.last;
	return true;
}

bool
upstream_records_load(struct heritage *h, const json_t *json, struct upstream_records *records)
{
	if (!json_is_array(json))
		return heritage_refuse(h, "the upstreams are no list");
	for (size_t i = 0; i < json_array_size(json); i++)
		if (!load_record(h, json_array_get(json, i), records))
			return false;
	return true;
}

json_t *
upstream_blocks_save(struct heritage *h, struct upstream_record *const *blocks)
{
	json_t *list = json_array();
	size_t n = COUNTERS_UPSTREAMS_MAX;

	while (n > 0 && !blocks[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		heritage_add(h, list,
			blocks[i] ? heritage_bytes(blocks[i]->name, strlen(blocks[i]->name)) : json_null());
	return list;
}

bool
upstream_blocks_load(struct heritage *h, const json_t *json, struct upstream_records *records,
	struct upstream_record **blocks)
{
	if (!json_is_array(json) || json_array_size(json) > COUNTERS_UPSTREAMS_MAX)
		return heritage_refuse(h, "the upstreams of a worker are no list");
	for (size_t i = 0; i < json_array_size(json); i++) {
		const json_t *text = json_array_get(json, i);
		cleanup_free char *name = NULL;
		size_t len;

		if (json_is_null(text))
			continue;
		name = heritage_load_bytes(text, &len);
		blocks[i] = name ? upstream_records_find(records, name) : NULL;
		if (!blocks[i])
			return heritage_refuse(h, "an upstream of a worker is none");
	}
	return true;
}
