/*
 * The names of upstreams, by c-ares: /etc/hosts and DNS, with the TTL, which getaddrinfo doesn't tell.
 */
#include "service/proxy/resolve.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <ares.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

/* Of an answer, whatever its TTL says; and after a failure. */
#define AGAIN_LEAST_US  US_PER_SEC
#define AGAIN_MOST_US   (3600 * US_PER_SEC)
#define AGAIN_HOSTS_US  (10 * US_PER_SEC) /* /etc/hosts has no TTL */
#define AGAIN_FAILED_US (5 * US_PER_SEC)

#define QUERY_TIMEOUT_MS 2000 /* of the first try, with each server */
#define QUERY_TRIES      3

/* A socket of c-ares. */
struct query_socket {
	LIST_ENTRY(query_socket) entry;
	struct resolver *resolver;
	struct event event;
};

/* An upstream that has a name. */
struct name {
	struct resolver *resolver;
	struct upstream *upstream;
	struct event *again; /* pending: it is known, or was not found; else a query is under way */
	bool has_failed;     /* and that was said */
};

struct resolver {
	struct event_base *base;
	ares_channel channel;
	LIST_HEAD(, query_socket) sockets;
	struct event *timeout; /* of queries under way */
	struct name *names;
	size_t n;
	resolve_news_fn *on_news;
	void *arg;
	bool is_closing;
};

/* ---- c-ares and the event loop ---- */

static void
set_timeout(struct resolver *resolver)
{
	struct timeval wait;

	if (ares_timeout(resolver->channel, NULL, &wait))
		event_add(resolver->timeout, &wait);
	else
		event_del(resolver->timeout);
}

/* event: one of its sockets is ready */
static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *resolver = arg;

	ares_process_fd(resolver->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
		what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timeout(resolver);
}

/* event: a query has not been answered in time, perhaps */
static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *resolver = arg;

	(void)fd;
	(void)what;
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timeout(resolver);
}

static struct query_socket *
find_socket(struct resolver *resolver, int fd)
{
	struct query_socket *socket;

	LIST_FOREACH(socket, &resolver->sockets, entry)
		if (event_get_fd(&socket->event) == fd)
			return socket;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return NULL; /* the query will time out */
	socket->resolver = resolver;
	event_assign(&socket->event, resolver->base, fd, EV_READ, on_ready, resolver);
	LIST_INSERT_HEAD(&resolver->sockets, socket, entry);
	return socket;
}

/* of c-ares: from now on it wants to hear of this about that socket; neither: it closes it */
static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = arg;
	struct query_socket *socket = find_socket(resolver, fd);
	int what = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

	if (!socket)
		return;
	event_del(&socket->event);
	if (what == 0) {
		LIST_REMOVE(socket, entry);
		free(socket);
		return;
	}
	event_assign(&socket->event, resolver->base, fd, (short)(what | EV_PERSIST), on_ready, resolver);
	event_add(&socket->event, NULL);
}

/* ---- names ---- */

static void
ask_again(struct name *name, uint64_t after_us)
{
	struct timeval wait = clock_timeval(after_us);

	event_add(name->again, &wait);
}

/* The addresses of an answer, with the port. How many, and for how long. */
static size_t
collect(const struct upstream_options *options, const struct ares_addrinfo *info,
	struct address ret[UPSTREAM_ADDRESSES_MAX], uint64_t *ret_us)
{
	uint64_t least_us = AGAIN_MOST_US;
	size_t n = 0;

	for (const struct ares_addrinfo_node *node = info->nodes; node && n < UPSTREAM_ADDRESSES_MAX;
		node = node->ai_next) {
		uint64_t ttl_us = node->ai_ttl > 0 ? (uint64_t)node->ai_ttl * US_PER_SEC : AGAIN_HOSTS_US;

		if (node->ai_addrlen > sizeof(ret[n].un))
			continue;
		ret[n] = (struct address){ .len = (socklen_t)node->ai_addrlen };
		memcpy(&ret[n].un, node->ai_addr, node->ai_addrlen);
		if (!address_is_inet(&ret[n]))
			continue;
		/* (both families have the port at the same place) */
		ret[n].in.sin_port = htons((uint16_t)options->port);
		least_us = ttl_us < least_us ? ttl_us : least_us;
		n++;
	}
	*ret_us = least_us > AGAIN_LEAST_US ? least_us : AGAIN_LEAST_US;
	return n;
}

static bool
are_same(const struct upstream *upstream, const struct address *address, size_t n)
{
	if (upstream->n_addresses != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!address_equal(&upstream->address[i], &address[i]))
			return false;
	return true;
}

/* What was known goes on to count: a name server that is down is no reason to forget it. */
static void
note_failure(struct name *name, const char *why)
{
	if (!name->has_failed)
		log_warning("proxy: upstream %s: its name is not resolved: %s", name->upstream->name, why);
	name->has_failed = true;
	name->upstream->is_awaited = false;
	ask_again(name, AGAIN_FAILED_US);
}

/* of c-ares: the answer */
static void
on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct name *name = arg;
	struct upstream *upstream = name->upstream;
	struct address address[UPSTREAM_ADDRESSES_MAX];
	uint64_t valid_us = 0;
	bool changed = false;
	size_t n = 0;

	(void)timeouts;
	if (name->resolver->is_closing) {
		ares_freeaddrinfo(info);
		return;
	}
	if (status == ARES_SUCCESS)
		n = collect(upstream->options, info, address, &valid_us);
	ares_freeaddrinfo(info);
	if (n == 0) {
		note_failure(name, ares_strerror(status == ARES_SUCCESS ? ARES_ENODATA : status));
	} else {
		name->has_failed = false;
		changed = !are_same(upstream, address, n);
		if (changed) {
			log_info("proxy: upstream %s: its name means %zu address%s now", upstream->name, n,
				n > 1 ? "es" : "");
			upstream_set_addresses(upstream, address, n);
		}
		ask_again(name, valid_us);
	}
	name->resolver->on_news(upstream, changed, name->resolver->arg);
}

/* event: it is time to ask (again) */
static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	/* unsorted: c-ares would try each address with a socket, to see which is near */
	static const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_flags = ARES_AI_NOSORT };
	struct name *name = arg;

	(void)fd;
	(void)what;
	ares_getaddrinfo(
		name->resolver->channel, name->upstream->options->address, NULL, &hints, on_answer, name);
	set_timeout(name->resolver);
}

/* ---- what workers tell each other ---- */

void
resolve_recall(struct upstream *upstream, const char *addresses)
{
	cleanup_free char *copy = strdup(addresses);
	struct address address[UPSTREAM_ADDRESSES_MAX];
	char *rest = copy, *word;
	size_t n = 0;

	if (upstream->n_addresses > 0)
		return;
	while (n < UPSTREAM_ADDRESSES_MAX && (word = strsep(&rest, " ")))
		if (address_parse(&address[n], word, (uint16_t)upstream->options->port) == 0)
			n++;
	if (n > 0)
		upstream_set_addresses(upstream, address, n);
}

void
resolve_text(char ret[static RESOLVE_TEXT], const struct upstream *upstream)
{
	size_t len = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < upstream->n_addresses; i++) {
		if (i > 0)
			ret[len++] = ' ';
		address_text(ret + len, &upstream->address[i]);
		len += strlen(ret + len);
	}
}

/* ---- life ---- */

static bool
has_name(const struct upstream *upstream)
{
	struct address unused;

	return upstream->options->address &&
	       address_parse(&unused, upstream->options->address, (uint16_t)upstream->options->port) < 0;
}

static int
add_names(struct resolver *resolver, struct upstreams *upstreams)
{
	resolver->names = calloc(upstreams->n, sizeof(*resolver->names));
	if (!resolver->names)
		return -ENOMEM;
	for (size_t i = 0; i < upstreams->n; i++) {
		struct name *name = &resolver->names[resolver->n];

		if (!has_name(&upstreams->all[i]))
			continue;
		*name = (struct name){ .resolver = resolver, .upstream = &upstreams->all[i] };
		name->again = evtimer_new(resolver->base, on_again, name);
		resolver->n++;
		if (!name->again)
			return -ENOMEM;
		ask_again(name, 0);
	}
	return 0;
}

static int
open_channel(struct resolver *resolver, const char *server)
{
	struct ares_options options = {
		.timeout = QUERY_TIMEOUT_MS,
		.tries = QUERY_TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = resolver,
	};
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	if (status == ARES_SUCCESS)
		status = ares_init_options(&resolver->channel, &options,
			ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS && server)
		status = ares_set_servers_ports_csv(resolver->channel, server);
	if (status == ARES_SUCCESS)
		return 0;
	log_error("proxy: names cannot be resolved: %s", ares_strerror(status));
	return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

static bool
are_any_names(const struct upstreams *upstreams)
{
	for (size_t i = 0; i < upstreams->n; i++)
		if (has_name(&upstreams->all[i]))
			return true;
	return false;
}

int
resolver_new(struct event_base *base, struct upstreams *upstreams, resolve_news_fn *on_news, void *arg,
	struct resolver **ret)
{
	struct resolver *resolver;
	int r;

	*ret = NULL;
	if (!are_any_names(upstreams))
		return 0;
	resolver = calloc(1, sizeof(*resolver));
	if (!resolver)
		return -ENOMEM;
	*resolver = (struct resolver){ .base = base, .on_news = on_news, .arg = arg };
	resolver->timeout = evtimer_new(base, on_timeout, resolver);
	r = resolver->timeout ? open_channel(resolver, upstreams->options->resolver) : -ENOMEM;
	if (r == 0)
		r = add_names(resolver, upstreams);
	if (r < 0) {
		resolver_free(resolver);
		return r;
	}
	*ret = resolver;
	return 0;
}

void
resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	resolver->is_closing = true;
	if (resolver->channel)
		ares_destroy(resolver->channel);
	ares_library_cleanup();
	for (size_t i = 0; i < resolver->n; i++)
		if (resolver->names[i].again)
			event_free(resolver->names[i].again);
	free(resolver->names);
	if (resolver->timeout)
		event_free(resolver->timeout);
	free(resolver);
}
