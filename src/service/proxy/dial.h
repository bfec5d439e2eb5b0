/*
 * From an accepted client to a connected upstream: who the client is, which upstream is next, and the next one when that refuses.
 */
#ifndef SERVICE_PROXY_DIAL_H
#define SERVICE_PROXY_DIAL_H

#include "service/proxy/proxy.h"
#include "service/proxy/proxy_protocol.h"
#include "service/proxy/relay_state.h"

/* What only a connection has that is not relayed yet. */
struct dialing {
	TAILQ_ENTRY(dialing) entry; /* among those that wait, if it does */
	struct proxy *proxy;
	struct relay *relay; /* whose it is */
	int fd;              /* the client's */
	bool is_waiting;
	uint64_t patience_us;       /* WAITING: until then; 0: it has not waited yet */
	uint64_t tried;             /* a bit for each upstream that has refused it, see upstream_bit */
	unsigned tries;             /* how often an upstream has refused it */
	size_t more_addresses;      /* of the present upstream, not tried yet */
	struct proxy_header client; /* as far as it matters: to be sent, or to choose by */
};

/* What a new connection begins with. */
enum relay_input dial_begin(struct dialing *dialing);

/*
 * Reads of a client's header what is there, into `up`. RELAY_GREETED: it is complete; RELAY_FAILS: it will never be; RELAY_INPUTS: it is
 * not yet.
 */
enum relay_input dial_read_greeting(struct dialing *dialing, struct flow *up);

/*
 * Takes the next upstream that begins to connect. What became of it, an input of state CHOOSING; and *ret_upstream, acquired, with its
 * descriptor, or NULL.
 */
enum relay_input dial_next(
	struct dialing *dialing, struct flow *up, struct upstream **ret_upstream, int *ret_fd);

/* The upstream has accepted, or refused, or timed out (negative errno): an input of state CONNECTING. */
enum relay_input dial_result(struct dialing *dialing, struct flow *up, struct upstream *upstream, int result);

#endif
