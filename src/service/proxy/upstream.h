/*
 * Upstreams: who is connected to. Each has its addresses, its health, and its counters.
 *
 * Those of the configuration are there as long as the service. One that is gone from the configuration is there as long as connections
 * to it that were adopted.
 */
#ifndef SERVICE_PROXY_UPSTREAM_H
#define SERVICE_PROXY_UPSTREAM_H

#include "ipc/counters.h"
#include "service/proxy/address.h"
#include "service/proxy/health.h"
#include "service/proxy/options.h"

#include <event2/event.h>
#include <sys/queue.h>

#define UPSTREAM_ADDRESSES_MAX 16

struct upstream {
	TAILQ_ENTRY(upstream) entry; /* of those that are gone from the configuration */
	struct upstreams *set;
	char *name;
	const struct upstream_options *options; /* NULL: it is gone from the configuration */
	struct balance_peer *peer;              /* its part in the balance; NULL: none any more */
	struct address address[UPSTREAM_ADDRESSES_MAX];
	size_t n_addresses;   /* 0: its name is not resolved */
	bool may_meet_itself; /* see connect.h; all addresses have one port */
	bool is_awaited;      /* it may be soon: the first answer has not come */
	size_t next_address;
	struct health health;
	bool has_result;         /* of its own, or of another worker */
	uint64_t result_us;      /* clock_now_us of the last result, see struct upstream_health */
	struct event *on_down;   /* of probe.c: made active when it goes down; NULL: nobody probes it */
	bool is_drained;         /* by the operator: gets no new connections */
	uint64_t removed_us;     /* clock_now_us when it was first found to be gone; 0: it is not */
	uint64_t connections;    /* of ours, being made included */
	_Atomic uint64_t *words; /* its counters, see upstream_count */
	_Atomic uint64_t own_words[UPSTREAM_COUNTERS]; /* those of one that is gone */
};

TAILQ_HEAD(upstream_list, upstream);

struct upstreams {
	const struct proxy_options *options;
	struct upstream *all; /* of the configuration, in its order */
	struct balance_peer peers[BALANCE_PEERS_MAX];
	size_t n;
	struct upstream_list removed;
	bool none_said; /* that no upstream is up has been logged */
};

/* With the numeric addresses; names are resolve.c's. 0, or -ENOMEM. `options` and `counters` must stay. */
int upstreams_init(struct upstreams *set, const struct proxy_options *options, struct counters *counters);
void upstreams_done(struct upstreams *set);

/*
 * The next one to connect to, by the configured method; NULL: there is none. `skip` has a bit for each that is not wanted; see
 * upstream_bit.
 */
struct upstream *upstreams_choose(struct upstreams *set, uint64_t skip, uint64_t source);
uint64_t upstream_bit(const struct upstream *upstream);

/* By its name: of the configuration, or NULL. */
struct upstream *upstreams_find(struct upstreams *set, const char *name, size_t len);

/* One that is gone from the configuration, since `removed_us`; made when there is none yet. NULL: no memory. */
struct upstream *upstreams_find_removed(
	struct upstreams *set, const char *name, size_t len, uint64_t removed_us);

/* Is any name being resolved for the first time? */
bool upstreams_are_awaited(const struct upstreams *set);

/* One connection more, or less. One that is gone from the configuration is freed with its last. */
void upstream_acquire(struct upstream *upstream);
void upstream_release(struct upstream *upstream);

/* How a connection went, or a probe: 0, or negative errno. Counts failures, and logs when it goes down or comes up. */
void upstream_note(struct upstream *upstream, int result);

/*
 * Another worker's health is its own from now on, if that is the later news, and has been looked after within `patience_us`: whoever did
 * may have gone long ago. Logs nothing. Is it?
 */
bool upstream_recall(struct upstream *upstream, const struct upstream_health *health, uint64_t patience_us);

/* There is no result yet; the next one is due as if there had been one then. */
void upstream_expect_result(struct upstream *upstream, uint64_t as_of_us);

/* Its name means these from now on: at most UPSTREAM_ADDRESSES_MAX, at least 1. */
void upstream_set_addresses(struct upstream *upstream, const struct address *address, size_t n);

/* The next of its addresses; it has one. */
const struct address *upstream_next_address(struct upstream *upstream);

void upstream_set_drained(struct upstream *upstream, bool is_drained);

static inline void
upstream_count(struct upstream *upstream, enum upstream_counter counter, uint64_t n)
{
	counters_bump(&upstream->words[counter], n);
}

#endif
