/*
 * The options of the service `proxy`.
 */
#ifndef SERVICE_PROXY_OPTIONS_H
#define SERVICE_PROXY_OPTIONS_H

#include "config/option.h"
#include "service/proxy/balance.h"

/* One entry of `upstreams`. */
struct upstream_options {
	char *address; /* numeric, or a name; NULL: it is a UNIX socket */
	unsigned port;
	char *path;
	unsigned weight;
	bool backup;
	char *name; /* "address:port", "[address]:port" or the path: what the upstream is called; no option */
};

struct proxy_options {
	struct upstream_options *upstreams;
	size_t n_upstreams; /* 1 … BALANCE_PEERS_MAX */
	int balance;        /* enum balance_method */
	char *resolver;     /* NULL: those of /etc/resolv.conf */
	uint64_t connect_timeout_us;
	unsigned connect_retries;
	uint64_t idle_timeout_us;  /* 0: none */
	uint64_t drain_removed_us; /* 0: for ever */
	struct {
		uint64_t interval_us; /* 0: only those that are down are probed */
		uint64_t timeout_us;
		unsigned rise, fall;
	} health;
	struct {
		bool accept;
		unsigned send; /* the version; 0: none is sent */
	} proxy_protocol;
};

const struct option_table *proxy_options_table(void);
const struct option_table *proxy_upstream_table(void); /* of one entry of `upstreams` */

/*
 * Reads them, and adds to `problems` what is wrong. 0 (problems or not), or -ENOMEM; proxy_options_done is due in both
 * cases.
 */
int proxy_options_read(struct proxy_options *ret, const struct config *config, struct problems *problems);
void proxy_options_done(struct proxy_options *from);

#endif
