/*
 * From an accepted client to a connected upstream.
 */
#include "service/proxy/dial.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "service/proxy/connect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* It is not said more often than that. */
#define SAID_EVERY_US (10 * US_PER_SEC)

/* ---- who the client is ---- */

enum relay_input
dial_begin(struct dialing *dialing)
{
	const struct proxy_options *options = &dialing->proxy->options;
	struct proxy_header *client = &dialing->client;

	if (options->proxy_protocol.accept)
		return RELAY_WANTS_GREETING;
	if (options->proxy_protocol.send > 0 || options->balance == BALANCE_SOURCE)
		address_of_peer(&client->source, dialing->fd);
	if (options->proxy_protocol.send > 0)
		address_of_socket(&client->destination, dialing->fd);
	return RELAY_BEGINS;
}

static enum relay_input
take_greeting(struct dialing *dialing, struct flow *up)
{
	ssize_t n = proxy_protocol_read(&dialing->client, up->data + up->at, up->len - up->at);

	if (n == 0)
		return RELAY_INPUTS;
	if (n < 0) {
		log_debug("proxy: connection %d: no header of the PROXY protocol", dialing->fd);
		return RELAY_FAILS;
	}
	flow_consume(up, (size_t)n);
	return RELAY_GREETED;
}

enum relay_input
dial_read_greeting(struct dialing *dialing, struct flow *up)
{
	struct flow_kit *kit = &dialing->proxy->kit;
	ssize_t n = recv(dialing->fd, kit->buffer, PROXY_PROTOCOL_READ_MAX, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return RELAY_INPUTS;
	if (n <= 0 || flow_append(up, kit->buffer, (size_t)n) < 0)
		return RELAY_FAILS;
	counters_add(dialing->proxy->host->counters, COUNTER_RECEIVED, (uint64_t)n);
	return take_greeting(dialing, up);
}

/* ---- which upstream ---- */

/* One that has refused is not tried again, once all of its addresses have. False: enough were tried. */
static bool
note_refusal(struct dialing *dialing, struct upstream *upstream, int error)
{
	log_debug("proxy: connection %d: upstream %s: %s", dialing->fd, upstream->name, strerror(error));
	if (dialing->more_addresses == 0)
		dialing->tried |= upstream_bit(upstream);
	upstream_note(upstream, -error);
	return dialing->tries++ < dialing->proxy->options.connect_retries;
}

/* We can't connect to anybody. */
static enum relay_input
give_up(struct proxy *proxy, int error)
{
	uint64_t now_us = clock_now_us();

	if (proxy->exhausted_us == 0 || now_us - proxy->exhausted_us > SAID_EVERY_US) {
		proxy->exhausted_us = now_us;
		log_warning("proxy: cannot connect: %s: clients are closed", strerror(error));
	}
	return RELAY_HAS_NONE;
}

/* The same upstream again, by another address; or the next one. NULL: there is none. */
static struct upstream *
choose(struct dialing *dialing, struct upstream *last, uint64_t busy)
{
	struct upstream *upstream;

	if (last && dialing->more_addresses > 0) {
		dialing->more_addresses--;
		return last;
	}
	upstream = upstreams_choose(
		&dialing->proxy->upstreams, dialing->tried | busy, address_hash(&dialing->client.source));
	dialing->more_addresses = upstream ? upstream->n_addresses - 1 : 0;
	return upstream;
}

/* Nobody is left. */
static enum relay_input
find_none(const struct dialing *dialing, bool is_busy)
{
	struct upstreams *set = &dialing->proxy->upstreams;

	if (is_busy || (dialing->tries == 0 && upstreams_are_awaited(set)))
		return RELAY_IS_BUSY;
	/* (one that was refused by each in turn is no news: that is said when an upstream goes down) */
	if (dialing->tries == 0 && !set->none_said) {
		log_error("proxy: no upstream is up: clients are closed");
		set->none_said = true;
	}
	return RELAY_HAS_NONE;
}

/* The header that an upstream is to get goes before all that the client sends. */
static int
put_header(const struct dialing *dialing, struct flow *up)
{
	unsigned version = dialing->proxy->options.proxy_protocol.send;
	unsigned char header[PROXY_PROTOCOL_WRITE_MAX];
	size_t len;

	if (version == 0)
		return 0;
	len = proxy_protocol_write(version, &dialing->client, header);
	return flow_prepend(up, header, len);
}

enum relay_input
dial_result(struct dialing *dialing, struct flow *up, struct upstream *upstream, int result)
{
	if (result < 0)
		return note_refusal(dialing, upstream, -result) ? RELAY_MAY_CHOOSE : RELAY_FAILS;
	upstream_note(upstream, 0);
	upstream_count(upstream, UPSTREAM_ACCEPTED, 1);
	counters_add(dialing->proxy->host->counters, COUNTER_REQUESTS, 1);
	return put_header(dialing, up) < 0 ? RELAY_FAILS : RELAY_IS_CONNECTED;
}

enum relay_input
dial_next(struct dialing *dialing, struct flow *up, struct upstream **ret_upstream, int *ret_fd)
{
	struct upstream *upstream = NULL;
	uint64_t busy = 0;
	bool connected;
	int fd;

	*ret_upstream = NULL;
	while ((upstream = choose(dialing, upstream, busy))) {
		fd = connect_begin(upstream_next_address(upstream), upstream->may_meet_itself, &connected);
		if (fd >= 0) {
			upstream_acquire(upstream);
			*ret_upstream = upstream;
			*ret_fd = fd;
			return connected ? dial_result(dialing, up, upstream, 0) : RELAY_IS_DIALING;
		}
		if (connect_is_own_error(-fd))
			return give_up(dialing->proxy, -fd);
		if (fd == -EAGAIN)
			busy |= upstream_bit(upstream);
		else if (!note_refusal(dialing, upstream, -fd))
			return RELAY_HAS_NONE;
	}
	return find_none(dialing, busy != 0);
}
