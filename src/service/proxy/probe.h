/*
 * Probes: is an upstream up? It is when it accepts a connection, which is closed at once.
 *
 * Without `health.interval` only those that are down are probed, since nobody else would find out that they are up again.
 */
#ifndef SERVICE_PROXY_PROBE_H
#define SERVICE_PROXY_PROBE_H

#include "service/proxy/upstream.h"

#include <event2/event.h>
#include <stdint.h>

struct probe;

/* One for each upstream. NULL: no memory. */
struct probe *probes_new(struct event_base *base, struct upstreams *upstreams);

/*
 * Another worker has probed it so far: the next probe is due as if it had been this one. (Where workers came and went faster than
 * probes, none would ever begin.)
 */
void probes_resume(struct probe *probes, const struct upstream *upstream);

/* Where nothing has been heard of an upstream for so long, nobody probes it. */
uint64_t probe_patience_us(const struct proxy_options *options);

/* NULL is fine. */
void probes_free(struct probe *probes);

#endif
