/*
 * The service `proxy`: relays TCP connections to upstreams.
 *
 *	options ─ balance ─ upstream ─┬─ dial ─ relay ─ handoff
 *	      resolve, probe ─────────┘          └─ flow, pipes, later
 */
#include "service/proxy/description.h"
#include "service/proxy/handoff.h"
#include "service/proxy/probe.h"
#include "service/proxy/relay.h"
#include "service/proxy/resolve.h"
#include "service/services.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

/*
 * Keep-alive takes three system calls for each socket, to watch one that has ended takes one: a good part of what a short connection
 * costs. So only those get them that last longer than this; twice as long at most.
 */
#define KEEPALIVE_AFTER_US (4 * US_PER_SEC)
#define WATCH_AFTER_US     US_PER_SEC

_Static_assert(BALANCE_PEERS_MAX <= COUNTERS_UPSTREAMS_MAX, "each has its counters");
_Static_assert(BALANCE_PEERS_MAX <= 64, "each has its bit, see upstream_bit");

static void
proxy_check(const struct config *config, struct problems *problems)
{
	struct proxy_options options;

	if (proxy_options_read(&options, config, problems) < 0)
		config_add_problem(config, "service", problems, "out of memory");
	proxy_options_done(&options);
}

/* event: those that wait may try again */
static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	relay_wake_waiting(arg);
}

/* of resolver_new */
static void
on_news(struct upstream *upstream, bool has_changed, void *arg)
{
	struct proxy *proxy = arg;
	char addresses[RESOLVE_TEXT];

	if (has_changed && proxy->host->say_addresses) {
		resolve_text(addresses, upstream);
		proxy->host->say_addresses(proxy->host, (size_t)(upstream - proxy->upstreams.all), addresses);
	}
	relay_wake_waiting(proxy);
}

static void
proxy_stop(void *service)
{
	struct proxy *proxy = service;

	probes_free(proxy->probes);
	resolver_free(proxy->resolver);
	if (proxy->retry)
		event_free(proxy->retry);
	later_done(&proxy->keepalive);
	later_done(&proxy->watch);
	upstreams_done(&proxy->upstreams);
	pipes_done(&proxy->kit.pipes);
	proxy_options_done(&proxy->options);
	free(proxy);
}

static int
read_options(struct proxy *proxy)
{
	struct problems problems;
	int r;

	problems_init(&problems);
	r = proxy_options_read(&proxy->options, proxy->host->config, &problems);
	if (r == 0 && problems.n > 0) {
		log_error(
			"%s", problems.kept > 0 ? problems.text[0] : "the options of the service are wrong");
		r = -EINVAL;
	}
	problems_done(&problems);
	return r;
}

static int
open_parts(struct proxy *proxy)
{
	struct event_base *base = proxy->host->base;
	int r = read_options(proxy);

	if (r == 0)
		r = upstreams_init(&proxy->upstreams, &proxy->options, proxy->host->counters);
	if (r < 0)
		return r;
	proxy->retry = evtimer_new(base, on_retry, proxy);
	proxy->probes = probes_new(base, &proxy->upstreams);
	if (!proxy->retry || !proxy->probes ||
		later_init(&proxy->keepalive, base, KEEPALIVE_AFTER_US, relay_keep_alive) < 0 ||
		later_init(&proxy->watch, base, WATCH_AFTER_US, relay_watch) < 0)
		return -ENOMEM;
	return resolver_new(base, &proxy->upstreams, on_news, proxy, &proxy->resolver);
}

static int
proxy_start(struct service_host *host, void **ret_service)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy)); /* (fresh pages: the buffer is not touched) */
	int r;

	if (!proxy)
		return -ENOMEM;
	proxy->host = host;
	TAILQ_INIT(&proxy->waiting);
	pipes_init(&proxy->kit.pipes);
	r = open_parts(proxy);
	if (r < 0) {
		proxy_stop(proxy);
		return r;
	}
	for (size_t i = 0; host->say_upstream && i < proxy->upstreams.n; i++)
		host->say_upstream(host, i, proxy->upstreams.all[i].name);
	*ret_service = proxy;
	return 0;
}

static void
proxy_drain_upstream(void *service, const char *name, bool is_drained)
{
	struct proxy *proxy = service;
	struct upstream *upstream = upstreams_find(&proxy->upstreams, name, strlen(name));

	if (upstream)
		upstream_set_drained(upstream, is_drained);
}

static void
proxy_recall_upstream(void *service, const char *name, const struct upstream_health *health)
{
	struct proxy *proxy = service;
	struct upstream *upstream = upstreams_find(&proxy->upstreams, name, strlen(name));

	if (upstream && upstream_recall(upstream, health, probe_patience_us(&proxy->options)))
		probes_resume(proxy->probes, upstream);
}

static void
proxy_resolve_upstream(void *service, const char *name, const char *addresses)
{
	struct proxy *proxy = service;
	struct upstream *upstream = upstreams_find(&proxy->upstreams, name, strlen(name));

	if (!upstream)
		return;
	resolve_recall(upstream, addresses);
	relay_wake_waiting(proxy);
}

static int
proxy_accept(void *service, int fd, struct service_connection **ret)
{
	struct relay *relay = relay_new(service, fd, RELAY_NEW);

	if (!relay)
		return -ENOMEM;
	/* not now: it might come to its end at once, which the host can't be told yet */
	relay_schedule(relay);
	*ret = &relay->host;
	return 0;
}

static void
proxy_cut(struct service_connection *connection)
{
	relay_cut((struct relay *)connection);
}

const struct service_ops *
service_proxy(void)
{
	static const struct service_ops ops = {
		.type = "proxy",
		.needs = SERVICE_NEEDS_PEERS,
		.check = proxy_check,
		.start = proxy_start,
		.accept = proxy_accept,
		.cut = proxy_cut,
		.drain_upstream = proxy_drain_upstream,
		.recall_upstream = proxy_recall_upstream,
		.resolve_upstream = proxy_resolve_upstream,
		.stop = proxy_stop,
		.handoff_version = DESCRIPTION_VERSION,
		.freeze = proxy_freeze,
		.thaw = proxy_thaw,
		.forget = proxy_forget,
		.adopt = proxy_adopt,
	};

	return &ops;
}
