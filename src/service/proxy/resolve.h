/*
 * The names of upstreams: what they mean, and again when that has been true for as long as its TTL says. Never waits.
 */
#ifndef SERVICE_PROXY_RESOLVE_H
#define SERVICE_PROXY_RESOLVE_H

#include "service/proxy/upstream.h"

#include <event2/event.h>

struct resolver;

/* One has addresses, or others than before; or it will have none soon. */
typedef void resolve_news_fn(struct upstream *upstream, bool has_changed, void *arg);

/*
 * Begins to resolve the names of those upstreams that have one, now and later. 0 with *ret, NULL when there are no names; or negative errno.
 */
int resolver_new(struct event_base *base, struct upstreams *upstreams, resolve_news_fn *on_news, void *arg,
	struct resolver **ret);

/*
 * Until a name has been resolved, it means what another worker knows: numeric addresses, with a blank between them. A name server that
 * does not answer is no reason to forget them.
 */
void resolve_recall(struct upstream *upstream, const char *addresses);

/* `on_news` has told it: what its name means, to be told to others. */
#define RESOLVE_TEXT (UPSTREAM_ADDRESSES_MAX * ADDRESS_TEXT)
void resolve_text(char ret[static RESOLVE_TEXT], const struct upstream *upstream);

/* NULL is fine. */
void resolver_free(struct resolver *resolver);

#endif
