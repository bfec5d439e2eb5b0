/*
 * The service: what all of its connections share.
 */
#ifndef SERVICE_PROXY_PROXY_H
#define SERVICE_PROXY_PROXY_H

#include "service/proxy/flow.h"
#include "service/proxy/later.h"
#include "service/proxy/upstream.h"
#include "service/service.h"

TAILQ_HEAD(dialing_list, dialing);

struct proxy {
	struct service_host *host;
	struct proxy_options options;
	struct upstreams upstreams;
	struct dialing_list waiting;
	struct event *retry;       /* pending: somebody waits */
	uint64_t exhausted_us;     /* when it was last said that there are no descriptors */
	struct resolver *resolver; /* NULL: there are no names */
	struct probe *probes;
	struct later keepalive, watch; /* of relays */
	struct flow_kit kit;
};

#endif
