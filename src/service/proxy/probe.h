/*
 * Probes: is an upstream up? It is when it accepts a connection, which is closed at once.
 *
 * Without `health.interval` only those that are down are probed, since nobody else would find out that they are up again.
 */
#ifndef SERVICE_PROXY_PROBE_H
#define SERVICE_PROXY_PROBE_H

#include "service/proxy/upstream.h"

#include <event2/event.h>

struct probe;

/* One for each upstream. NULL: no memory. */
struct probe *probes_new(struct event_base *base, struct upstreams *upstreams);

/* NULL is fine. */
void probes_free(struct probe *probes);

#endif
