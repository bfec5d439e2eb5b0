/*
 * The upstreams of the service `proxy`, as JSON.
 */
#include "control/upstreams.h"

#include "control/json_reply.h"

static json_t *
upstream_json(const struct upstream_sum *sum)
{
	const uint64_t *counter = sum->counter;

	return json_pack("{s:o, s:s, s:b, s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "name",
		json_text(sum->record->name), "state", upstream_sum_state(sum), "drained",
		sum->record->is_drained, "workers", (int)sum->workers, "workers_down",
		(int)sum->in_state[UPSTREAM_STATE_DOWN], "connections",
		(json_int_t)counter[UPSTREAM_CONNECTIONS], "accepted", (json_int_t)counter[UPSTREAM_ACCEPTED],
		"failures", (json_int_t)counter[UPSTREAM_FAILURES], "received_bytes",
		(json_int_t)counter[UPSTREAM_RECEIVED], "sent_bytes", (json_int_t)counter[UPSTREAM_SENT]);
}

/* A pool_upstream_fn */
static void
add(const struct upstream_sum *sum, void *arg)
{
	if (sum->workers > 0 || sum->record->is_drained)
		json_array_append_new(arg, upstream_json(sum));
}

json_t *
upstreams_json(const struct pool *pool)
{
	json_t *list = json_array();

	pool_each_upstream(pool, add, list);
	return json_pack("{s:o}", "upstreams", list);
}
