/*
 * Upstreams.
 */
#include "service/proxy/upstream.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "service/proxy/connect.h"
#include "service/proxy/hash.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- state ---- */

/* What the balance and the counters are told follows from what is so. */
static void
upstream_refresh(struct upstream *upstream)
{
	uint64_t state = upstream->health.is_down     ? UPSTREAM_STATE_DOWN
	                 : upstream->n_addresses == 0 ? UPSTREAM_STATE_UNRESOLVED
	                 : upstream->is_drained       ? UPSTREAM_STATE_DRAINED
	                                              : UPSTREAM_STATE_UP;

	counters_put(&upstream->words[UPSTREAM_STATE], state);
	counters_put(&upstream->words[UPSTREAM_CONNECTIONS], upstream->connections);
	if (upstream->peer) {
		upstream->peer->usable = state == UPSTREAM_STATE_UP;
		upstream->peer->connections = upstream->connections;
	}
}

/* For the master, who tells it to workers to come. */
static void
publish_health(struct upstream *upstream)
{
	const struct upstream_health health = {
		.is_down = upstream->health.is_down,
		.streak = upstream->health.streak,
		.result_us = upstream->result_us,
	};

	upstream_health_put(upstream->words, &health);
}

void
upstream_acquire(struct upstream *upstream)
{
	upstream->connections++;
	upstream_refresh(upstream);
}

static void
upstream_done(struct upstream *upstream)
{
	free(upstream->name);
}

void
upstream_release(struct upstream *upstream)
{
	upstream->connections--;
	upstream_refresh(upstream);
	if (upstream->options || upstream->connections > 0)
		return;
	TAILQ_REMOVE(&upstream->set->removed, upstream, entry);
	upstream_done(upstream);
	free(upstream);
}

void
upstream_note(struct upstream *upstream, int result)
{
	const struct proxy_options *options = upstream->set->options;
	bool changed;

	if (result < 0)
		upstream_count(upstream, UPSTREAM_FAILURES, 1);
	changed = health_note(&upstream->health, result == 0, options->health.rise, options->health.fall);
	upstream->has_result = true;
	upstream->result_us = clock_now_us();
	publish_health(upstream);
	if (!changed)
		return;
	upstream_refresh(upstream);
	if (!upstream->options)
		return;
	if (result < 0 && upstream->on_down)
		event_active(upstream->on_down, EV_TIMEOUT, 0);
	if (result < 0)
		log_warning("proxy: upstream %s is down: %s", upstream->name, strerror(-result));
	else
		log_notice("proxy: upstream %s is up again", upstream->name);
	upstream->set->none_said = false;
}

bool
upstream_recall(struct upstream *upstream, const struct upstream_health *health, uint64_t patience_us)
{
	uint64_t now_us = clock_now_us();

	if (health->result_us == 0 || health->result_us > now_us ||
		now_us - health->result_us > patience_us ||
		(upstream->has_result && health->result_us <= upstream->result_us))
		return false;
	upstream->has_result = true;
	upstream->health = (struct health){
		.is_down = health->is_down,
		.streak = health->streak < UINT_MAX ? (unsigned)health->streak : 0,
	};
	upstream->result_us = health->result_us;
	upstream->set->none_said &= upstream->health.is_down;
	publish_health(upstream);
	upstream_refresh(upstream);
	return true;
}

void
upstream_expect_result(struct upstream *upstream, uint64_t as_of_us)
{
	upstream->result_us = as_of_us;
	publish_health(upstream);
}

void
upstream_set_addresses(struct upstream *upstream, const struct address *address, size_t n)
{
	memcpy(upstream->address, address, n * sizeof(*address));
	upstream->n_addresses = n;
	upstream->may_meet_itself = connect_may_meet_itself(address);
	upstream->is_awaited = false;
	upstream->next_address %= n;
	upstream_refresh(upstream);
}

const struct address *
upstream_next_address(struct upstream *upstream)
{
	const struct address *address = &upstream->address[upstream->next_address];

	upstream->next_address = (upstream->next_address + 1) % upstream->n_addresses;
	return address;
}

void
upstream_set_drained(struct upstream *upstream, bool is_drained)
{
	upstream->is_drained = is_drained;
	upstream_refresh(upstream);
}

/* ---- all ---- */

static int
upstream_init(struct upstream *upstream, const struct upstream_options *options, struct balance_peer *peer)
{
	struct address address;

	upstream->name = strdup(options->name);
	if (!upstream->name)
		return -ENOMEM;
	upstream->options = options;
	upstream->peer = peer;
	*peer = (struct balance_peer){
		.weight = options->weight,
		.backup = options->backup,
		.id = hash_bytes(options->name, strlen(options->name)),
	};
	if (options->path)
		address_of_path(&address, options->path);
	else if (address_parse(&address, options->address, (uint16_t)options->port) < 0)
		address.len = 0; /* a name */
	upstream->is_awaited = address.len == 0;
	if (address.len > 0)
		upstream_set_addresses(upstream, &address, 1);
	upstream_refresh(upstream);
	return 0;
}

int
upstreams_init(struct upstreams *set, const struct proxy_options *options, struct counters *counters)
{
	*set = (struct upstreams){ .options = options };
	TAILQ_INIT(&set->removed);
	set->all = calloc(options->n_upstreams, sizeof(*set->all));
	if (!set->all)
		return -ENOMEM;
	for (size_t i = 0; i < options->n_upstreams; i++) {
		struct upstream *upstream = &set->all[i];

		upstream->set = set;
		upstream->words = counters_upstream(counters, i);
		set->n++;
		if (upstream_init(upstream, &options->upstreams[i], &set->peers[i]) < 0) {
			upstreams_done(set);
			return -ENOMEM;
		}
	}
	return 0;
}

void
upstreams_done(struct upstreams *set)
{
	for (size_t i = 0; i < set->n; i++)
		upstream_done(&set->all[i]);
	set->n = 0;
	free(take_ptr(set->all));
}

struct upstream *
upstreams_choose(struct upstreams *set, uint64_t skip, uint64_t source)
{
	size_t i =
		balance_choose((enum balance_method)set->options->balance, set->peers, set->n, skip, source);

	return i == BALANCE_NONE ? NULL : &set->all[i];
}

uint64_t
upstream_bit(const struct upstream *upstream)
{
	return upstream->options ? UINT64_C(1) << (upstream - upstream->set->all) : 0;
}

static bool
has_name(const struct upstream *upstream, const char *name, size_t len)
{
	return strlen(upstream->name) == len && memcmp(upstream->name, name, len) == 0;
}

struct upstream *
upstreams_find(struct upstreams *set, const char *name, size_t len)
{
	for (size_t i = 0; i < set->n; i++)
		if (has_name(&set->all[i], name, len))
			return &set->all[i];
	return NULL;
}

struct upstream *
upstreams_find_removed(struct upstreams *set, const char *name, size_t len, uint64_t removed_us)
{
	struct upstream *upstream;

	TAILQ_FOREACH(upstream, &set->removed, entry)
		if (has_name(upstream, name, len))
			return upstream;
	upstream = calloc(1, sizeof(*upstream));
	if (!upstream)
		return NULL;
	upstream->name = strndup(name, len);
	if (!upstream->name) {
		free(upstream);
		return NULL;
	}
	upstream->set = set;
	upstream->may_meet_itself = true;
	upstream->words = upstream->own_words;
	upstream->removed_us = removed_us > 0 ? removed_us : clock_now_us();
	TAILQ_INSERT_TAIL(&set->removed, upstream, entry);
	return upstream;
}

bool
upstreams_are_awaited(const struct upstreams *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->all[i].is_awaited)
			return true;
	return false;
}
