/*
 * Relayed connections that move to another worker.
 *
 * At any moment: one that is being connected takes its socket along, and whoever has it then hears whether that succeeds.
 */
#include "service/proxy/handoff.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/proxy/description.h"
#include "service/proxy/relay.h"

#include <errno.h>
#include <string.h>

static struct relay *
relay_of(struct service_connection *host)
{
	return (struct relay *)host;
}

/* ---- out ---- */

static struct description_text
text_of(const char *text)
{
	return (struct description_text){ text, strlen(text) };
}

static struct description_text
waiting(const struct flow *flow)
{
	if (!flow->data)
		return (struct description_text){ NULL, 0 };
	return (struct description_text){ flow->data + flow->at, flow->len - flow->at };
}

static void
describe_dialing(const struct relay *relay, struct description *ret)
{
	const struct dialing *dialing = relay->dialing;
	const struct upstreams *set = &relay->proxy->upstreams;

	ret->deadline_us = relay->deadline_us;
	ret->tries = dialing->tries;
	ret->client = dialing->client;
	for (size_t i = 0; i < set->n; i++)
		if (dialing->tried & upstream_bit(&set->all[i]))
			ret->tried[ret->n_tried++] = text_of(set->all[i].name);
}

int
proxy_freeze(struct service_connection *host, struct handoff_writer *writer)
{
	struct relay *relay = relay_of(host);
	struct flow_kit *kit = &relay->proxy->kit;
	struct description d = {
		.state = relay->state,
		.up_has_ended = relay->up.has_ended,
		.down_has_ended = relay->down.has_ended,
		.active_us = relay->active_us,
	};

	/* (what is gathered stays so, which does no harm if it stays here) */
	if (flow_gather(&relay->up, kit) < 0 || flow_gather(&relay->down, kit) < 0)
		return -ENOMEM;
	relay_freeze(relay);
	d.up = waiting(&relay->up);
	d.down = waiting(&relay->down);
	if (relay->dialing)
		describe_dialing(relay, &d);
	if (relay->upstream) {
		d.upstream = text_of(relay->upstream->name);
		d.removed_us = relay->upstream->removed_us;
	}
	handoff_put_fd(writer, relay_end_fd(&relay->client));
	if (relay->upstream)
		handoff_put_fd(writer, relay_end_fd(&relay->server));
	handoff_writer_service(writer);
	description_write(&d, writer);
	return 0;
}

void
proxy_thaw(struct service_connection *host)
{
	relay_thaw(relay_of(host));
}

void
proxy_forget(struct service_connection *host)
{
	struct relay *relay = relay_of(host);

	relay_freeze(relay);
	close(relay_end_fd(&relay->client));
	if (relay->upstream)
		close(relay_end_fd(&relay->server));
	relay_free(relay);
}

/* ---- in ---- */

/* Of the configuration, or one that is gone from it. NULL: no memory. */
static struct upstream *
find_upstream(struct proxy *proxy, const struct description *d)
{
	struct upstream *upstream = upstreams_find(&proxy->upstreams, d->upstream.at, d->upstream.len);

	return upstream ? upstream
	                : upstreams_find_removed(
				  &proxy->upstreams, d->upstream.at, d->upstream.len, d->removed_us);
}

static int
restore_waiting(struct flow *flow, struct description_text text)
{
	return text.len > 0 ? flow_append(flow, text.at, text.len) : 0;
}

static void
restore_dialing(struct relay *relay, const struct description *d)
{
	struct dialing *dialing = relay->dialing;

	relay->deadline_us = d->deadline_us > 0 ? d->deadline_us
	                                        : clock_now_us() + relay->proxy->options.connect_timeout_us;
	dialing->patience_us = d->state == RELAY_WAITING ? relay->deadline_us : 0;
	dialing->tries = (unsigned)d->tries;
	dialing->client = d->client;
	for (size_t i = 0; i < d->n_tried; i++) {
		struct upstream *upstream =
			upstreams_find(&relay->proxy->upstreams, d->tried[i].at, d->tried[i].len);

		if (upstream)
			dialing->tried |= upstream_bit(upstream);
	}
}

/* 0, or -ENOMEM. */
static int
restore(struct relay *relay, const struct description *d, int server)
{
	struct upstream *upstream;

	if (relay->dialing)
		restore_dialing(relay, d);
	relay->active_us = d->active_us > 0 ? d->active_us : clock_now_us();
	relay->up.has_ended = d->up_has_ended;
	relay->down.has_ended = d->down_has_ended;
	if (restore_waiting(&relay->up, d->up) < 0 || restore_waiting(&relay->down, d->down) < 0)
		return -ENOMEM;
	if (!d->upstream.at)
		return 0;
	upstream = find_upstream(relay->proxy, d);
	if (!upstream)
		return -ENOMEM;
	upstream_acquire(upstream);
	relay_attach(relay, upstream, server);
	if (d->state == RELAY_RELAYING) {
		relay->sends = RELAY_PROMPT_SENDS - 1; /* whether its socket is prompt is not known */
		later_begin(&relay->proxy->keepalive, &relay->keepalive);
	}
	return 0;
}

int
proxy_adopt(void *service, struct handoff_record *record, struct service_connection **ret)
{
	struct proxy *proxy = service;
	struct description d;
	struct relay *relay;
	int r = description_read(&d, record);

	if (r < 0)
		return r;
	/* here, as a memfd of fields is a descriptor of the record until it is read */
	if (record->n_fds != description_fds(d.state))
		return -EBADMSG;
	relay = relay_new(proxy, record->fd[0], d.state);
	if (!relay)
		return -ENOMEM;
	r = restore(relay, &d, record->fd[1]);
	if (r < 0) {
		relay_free(relay);
		return r;
	}
	for (size_t i = 0; i < record->n_fds; i++)
		(void)take_fd(&record->fd[i]);
	*ret = &relay->host;
	return 0;
}
