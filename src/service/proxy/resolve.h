/*
 * The names of upstreams: what they mean, and again when that has been true for as long as its TTL says. Never waits.
 */
#ifndef SERVICE_PROXY_RESOLVE_H
#define SERVICE_PROXY_RESOLVE_H

#include "service/proxy/upstream.h"

#include <event2/event.h>

struct resolver;

/*
 * Begins to resolve the names of those upstreams that have one, now and later. `on_news` is called when one has got its first
 * addresses, or will get none soon. 0 with *ret, NULL when there are no names; or negative errno.
 */
int resolver_new(struct event_base *base, struct upstreams *upstreams, void (*on_news)(void *arg), void *arg,
	struct resolver **ret);

/* NULL is fine. */
void resolver_free(struct resolver *resolver);

#endif
