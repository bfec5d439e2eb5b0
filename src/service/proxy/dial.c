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
dial_begin(struct relay *relay)
{
	const struct proxy_options *options = &relay->proxy->options;
	struct proxy_header *client = &relay->dialing->client;
	int fd = relay_end_fd(&relay->client);

	if (options->proxy_protocol.accept)
		return RELAY_WANTS_GREETING;
	if (options->proxy_protocol.send > 0 || options->balance == BALANCE_SOURCE)
		address_of_peer(&client->source, fd);
	if (options->proxy_protocol.send > 0)
		address_of_socket(&client->destination, fd);
	return RELAY_BEGINS;
}

static enum relay_input
take_greeting(struct relay *relay)
{
	struct flow *up = &relay->up;
	ssize_t n = proxy_protocol_read(&relay->dialing->client, up->data + up->at, up->len - up->at);

	if (n == 0)
		return RELAY_INPUTS;
	if (n < 0) {
		log_debug("proxy: connection %d: no header of the PROXY protocol",
			relay_end_fd(&relay->client));
		return RELAY_FAILS;
	}
	flow_consume(up, (size_t)n);
	return RELAY_GREETED;
}

enum relay_input
dial_read_greeting(struct relay *relay)
{
	struct flow_kit *kit = &relay->proxy->kit;
	ssize_t n = recv(relay_end_fd(&relay->client), kit->buffer, PROXY_PROTOCOL_READ_MAX, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return RELAY_INPUTS;
	if (n <= 0 || flow_append(&relay->up, kit->buffer, (size_t)n) < 0)
		return RELAY_FAILS;
	counters_add(relay->proxy->host->counters, COUNTER_RECEIVED, (uint64_t)n);
	return take_greeting(relay);
}

/* ---- which upstream ---- */

/* The client's own upstream is left, for now. */
static void
detach(struct relay *relay)
{
	int fd = relay_end_fd(&relay->server);

	if (!relay->upstream)
		return;
	upstream_release(relay->upstream);
	relay_attach(relay, NULL, -1);
	fd_close(&fd);
}

/* One that has refused is not tried again, once all of its addresses have. False: enough were tried. */
static bool
note_refusal(struct relay *relay, struct upstream *upstream, int error)
{
	struct dialing *dialing = relay->dialing;

	log_debug("proxy: connection %d: upstream %s: %s", relay_end_fd(&relay->client), upstream->name,
		strerror(error));
	if (dialing->more_addresses == 0)
		dialing->tried |= upstream_bit(upstream);
	upstream_note(upstream, -error);
	return dialing->tries++ < relay->proxy->options.connect_retries;
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
choose(struct relay *relay, struct upstream *last, uint64_t busy)
{
	struct dialing *dialing = relay->dialing;
	struct upstream *upstream;

	if (last && dialing->more_addresses > 0) {
		dialing->more_addresses--;
		return last;
	}
	upstream = upstreams_choose(
		&relay->proxy->upstreams, dialing->tried | busy, address_hash(&dialing->client.source));
	dialing->more_addresses = upstream ? upstream->n_addresses - 1 : 0;
	return upstream;
}

/* Nobody is left. */
static enum relay_input
find_none(struct relay *relay, bool is_busy)
{
	struct upstreams *set = &relay->proxy->upstreams;

	if (is_busy || (relay->dialing->tries == 0 && upstreams_are_awaited(set)))
		return RELAY_IS_BUSY;
	/* (one that was refused by each in turn is no news: that is said when an upstream goes down) */
	if (relay->dialing->tries == 0 && !set->none_said) {
		log_error("proxy: no upstream is up: clients are closed");
		set->none_said = true;
	}
	return RELAY_HAS_NONE;
}

enum relay_input
dial_next(struct relay *relay)
{
	struct upstream *upstream = NULL;
	uint64_t busy = 0;
	bool connected;
	int fd;

	while ((upstream = choose(relay, upstream, busy))) {
		fd = connect_begin(upstream_next_address(upstream), upstream->may_meet_itself, &connected);
		if (fd >= 0) {
			upstream_acquire(upstream);
			relay_attach(relay, upstream, fd);
			return connected ? dial_result(relay, 0) : RELAY_IS_DIALING;
		}
		if (connect_is_own_error(-fd))
			return give_up(relay->proxy, -fd);
		if (fd == -EAGAIN)
			busy |= upstream_bit(upstream);
		else if (!note_refusal(relay, upstream, -fd))
			return RELAY_HAS_NONE;
	}
	return find_none(relay, busy != 0);
}

/* The header that an upstream is to get goes before all that the client sends. */
static int
put_header(struct relay *relay)
{
	unsigned version = relay->proxy->options.proxy_protocol.send;
	unsigned char header[PROXY_PROTOCOL_WRITE_MAX];
	size_t len;

	if (version == 0)
		return 0;
	len = proxy_protocol_write(version, &relay->dialing->client, header);
	return flow_prepend(&relay->up, header, len);
}

enum relay_input
dial_result(struct relay *relay, int result)
{
	struct upstream *upstream = relay->upstream;
	bool go_on;

	if (result < 0) {
		go_on = note_refusal(relay, upstream, -result);
		detach(relay);
		return go_on ? RELAY_MAY_CHOOSE : RELAY_FAILS;
	}
	upstream_note(upstream, 0);
	upstream_count(upstream, UPSTREAM_ACCEPTED, 1);
	counters_add(relay->proxy->host->counters, COUNTER_REQUESTS, 1);
	return put_header(relay) < 0 ? RELAY_FAILS : RELAY_IS_CONNECTED;
}
