/*
 * A relayed connection: raw libevent events, one for each of its two sockets.
 */
#include "service/proxy/relay.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "service/proxy/connect.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void on_client(evutil_socket_t fd, short what, void *arg);
static void on_server(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

/* ---- what is waited for ---- */

/*
 * An event that comes when the socket fails, and once besides. Without it nobody would hear of a peer that is gone while there is
 * nothing to read from it and nothing to send.
 */
#define WATCH (EV_WRITE | EV_ET)

/* 0, or negative errno. */
static int
end_await(
	struct relay_end *end, struct event_base *base, short what, event_callback_fn fn, struct relay *relay)
{
	int fd = relay_end_fd(end);
	short before = end->awaited;

	if (what == before)
		return 0;
	event_del(&end->event);
	end->awaited = 0;
	if (what == 0)
		return 0;
	/* its peer has finished: as a rule the other one does so a moment later, and all is over */
	if (what == WATCH && before == EV_READ) {
		later_begin(&relay->proxy->watch, &relay->watch);
		return 0;
	}
	if (event_assign(&end->event, base, fd, (short)(what | EV_PERSIST), fn, relay) < 0 ||
		event_add(&end->event, NULL) < 0)
		return errno > 0 ? -errno : -ENOMEM;
	end->awaited = what;
	return 0;
}

/* Of a socket, RELAYING, with the flow that comes from it, and the one that goes to it. */
static short
wanted(const struct flow *from, const struct flow *to)
{
	int what = flow_waits(to) ? EV_WRITE : 0;

	if (!flow_waits(from) && !from->has_ended)
		what |= EV_READ;
	return (short)(what ? what : WATCH);
}

/* Both sockets wait for what the state, and what waits for them, ask for. */
static int
await_events(struct relay *relay)
{
	struct event_base *base = relay->proxy->host->base;
	short client = 0, server = 0;
	int r;

	if (relay->state == RELAY_GREETING)
		client = EV_READ;
	if (relay->state == RELAY_CONNECTING)
		server = EV_WRITE;
	if (relay->state == RELAY_RELAYING) {
		client = wanted(&relay->up, &relay->down);
		server = wanted(&relay->down, &relay->up);
	}
	r = end_await(&relay->client, base, client, on_client, relay);
	return r < 0 ? r : end_await(&relay->server, base, server, on_server, relay);
}

/* When something must have happened; 0: never. */
static uint64_t
deadline_of(const struct relay *relay)
{
	const struct proxy_options *options = &relay->proxy->options;
	uint64_t idle = 0, removed = 0;

	if (relay->state != RELAY_RELAYING)
		return relay->deadline_us;
	if (options->idle_timeout_us > 0)
		idle = relay->active_us + options->idle_timeout_us;
	if (relay->upstream->removed_us > 0 && options->drain_removed_us > 0)
		removed = relay->upstream->removed_us + options->drain_removed_us;
	return idle == 0 || (removed > 0 && removed < idle) ? removed : idle;
}

/* 0, or -ENOMEM. */
static int
await_deadline(struct relay *relay)
{
	uint64_t at_us = deadline_of(relay), now_us;
	struct timeval wait;

	if (at_us == 0) {
		if (relay->timer)
			event_free(relay->timer);
		relay->timer = NULL;
		return 0;
	}
	if (!relay->timer)
		relay->timer = evtimer_new(relay->proxy->host->base, on_timer, relay);
	now_us = clock_now_us();
	wait = clock_timeval(at_us > now_us ? at_us - now_us : 0);
	return relay->timer && event_add(relay->timer, &wait) == 0 ? 0 : -ENOMEM;
}

/* ---- waiting for an upstream ---- */

static int
begin_waiting(struct relay *relay)
{
	const struct timeval retry = clock_timeval(RELAY_RETRY_US);
	struct proxy *proxy = relay->proxy;

	TAILQ_INSERT_TAIL(&proxy->waiting, relay->dialing, entry);
	relay->dialing->is_waiting = true;
	return event_pending(proxy->retry, EV_TIMEOUT, NULL) || event_add(proxy->retry, &retry) == 0
	               ? 0
	               : -ENOMEM;
}

static void
end_waiting(struct relay *relay)
{
	struct dialing *dialing = relay->dialing;

	if (dialing && dialing->is_waiting) {
		TAILQ_REMOVE(&relay->proxy->waiting, dialing, entry);
		dialing->is_waiting = false;
	}
}

void
relay_wake_waiting(struct proxy *proxy)
{
	struct dialing *last = TAILQ_LAST(&proxy->waiting, dialing_list), *dialing;
	bool is_last = !last;

	/* those that have to go on waiting come behind the last of now */
	while (!is_last && (dialing = TAILQ_FIRST(&proxy->waiting))) {
		is_last = dialing == last;
		relay_input(dialing->relay, RELAY_MAY_CHOOSE);
	}
}

/* ---- states ---- */

/* A reset, for the one side, as the other has failed: what ends here was not all. */
static void
set_abort(int fd)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void
relay_close(struct relay *relay, bool abort, bool cut)
{
	struct service_host *host = relay->proxy->host;
	int client = relay_end_fd(&relay->client), server = relay_end_fd(&relay->server);

	log_debug("proxy: connection %d: closed%s", client, cut ? " by force" : "");
	relay_freeze(relay);
	if (abort) {
		set_abort(client);
		set_abort(server);
	}
	service_close(&relay->host, client);
	if (server >= 0)
		service_close(&relay->host, server);
	host->ended(host, &relay->host, cut);
	relay_free(relay);
}

static enum relay_input
dial(struct relay *relay)
{
	struct upstream *upstream;
	int fd;
	enum relay_input input = dial_next(relay->dialing, &relay->up, &upstream, &fd);

	if (upstream)
		relay_attach(relay, upstream, fd);
	return input;
}

/* Its upstream has accepted, or not, and is left then: 0, or negative errno. */
static enum relay_input
dialed(struct relay *relay, int result)
{
	enum relay_input input = dial_result(relay->dialing, &relay->up, relay->upstream, result);
	int fd = relay_end_fd(&relay->server);

	if (result < 0) {
		upstream_release(relay->upstream);
		relay_attach(relay, NULL, -1);
		fd_close(&fd);
	}
	return input;
}

/* What a state begins with. The next input, RELAY_INPUTS when there is none yet. */
static enum relay_input
enter_state(struct relay *relay)
{
	uint64_t timeout_us = relay->proxy->options.connect_timeout_us;
	int r = 0;

	switch (relay->state) {
	case RELAY_CHOOSING:
		return dial(relay);
	case RELAY_WAITING:
		if (relay->dialing->patience_us == 0)
			relay->dialing->patience_us = clock_now_us() + timeout_us;
		relay->deadline_us = relay->dialing->patience_us;
		r = begin_waiting(relay);
		break;
	case RELAY_RELAYING:
		free(relay->dialing);
		relay->dialing = NULL;
		later_begin(&relay->proxy->keepalive, &relay->keepalive);
		relay->active_us = relay->proxy->options.idle_timeout_us > 0 ? clock_now_us() : 0;
		break;
	default:
		relay->deadline_us = clock_now_us() + timeout_us;
		break;
	}
	if (r == 0)
		r = await_events(relay);
	if (r == 0)
		r = await_deadline(relay);
	return r < 0 ? RELAY_FAILS : RELAY_INPUTS;
}

void
relay_input(struct relay *relay, enum relay_input input)
{
	while (input != RELAY_INPUTS) {
		enum relay_state before = relay->state;

		relay->state = relay_state_next(before, input);
		assert(relay->state != RELAY_STATES);
		if (before == RELAY_WAITING)
			end_waiting(relay);
		if (relay->state == RELAY_CLOSED) {
			relay_close(relay, before == RELAY_RELAYING && input == RELAY_FAILS, false);
			return;
		}
		input = enter_state(relay);
	}
}

/* ---- events ---- */

/*
 * The first bytes go at once in any case, and many connections need no more of them. (A client's socket has it from its listener.)
 */
static void
note_send(struct relay *relay)
{
	if (relay->sends < RELAY_PROMPT_SENDS && ++relay->sends == RELAY_PROMPT_SENDS)
		connect_be_prompt(relay_end_fd(&relay->server));
}

/* Moves what goes in one direction, after its receiver or its sender has become ready. 0, or negative errno. */
static int
move(struct relay *relay, struct flow *flow, bool is_writable, bool is_readable)
{
	struct flow_kit *kit = &relay->proxy->kit;
	bool up = flow == &relay->up, had_ended = flow->has_ended;
	int client = relay_end_fd(&relay->client), server = relay_end_fd(&relay->server), r = 0;
	int from = up ? client : server, to = up ? server : client;

	if (flow_waits(flow) && is_writable) {
		r = flow_write(flow, kit, to);
		is_readable = true; /* it may be: that saves waiting for it */
	}
	if (r == 0 && is_readable && !flow_waits(flow) && !flow->has_ended)
		r = flow_read(flow, kit, from, to);
	if (!had_ended && flow->has_ended && !(up ? &relay->down : &relay->up)->has_ended)
		flow_end(to);
	if (up && kit->out > 0)
		note_send(relay);
	counters_add(
		relay->proxy->host->counters, up ? COUNTER_RECEIVED : COUNTER_SENT, up ? kit->in : kit->out);
	upstream_count(relay->upstream, up ? UPSTREAM_SENT : UPSTREAM_RECEIVED, up ? kit->out : kit->in);
	if (kit->in > 0 && relay->proxy->options.idle_timeout_us > 0)
		relay->active_us = clock_now_us();
	kit->in = kit->out = 0;
	return r;
}

/* A socket that was only watched. */
static int
socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
}

/* One of the two sockets is ready: `from` comes from it, `to` goes to it. */
static void
relay_serve(struct relay *relay, struct relay_end *end, struct flow *from, struct flow *to, short what)
{
	int r;

	if (end->awaited == WATCH) {
		r = socket_error(relay_end_fd(end));
	} else {
		r = move(relay, to, what & EV_WRITE, false);
		if (r == 0)
			r = move(relay, from, false, what & EV_READ);
	}
	if (r == 0 && relay->up.has_ended && relay->down.has_ended) {
		relay_input(relay, RELAY_ENDS);
		return;
	}
	if (r == 0)
		r = await_events(relay);
	if (r == 0)
		return;
	log_debug("proxy: connection %d: %s", relay_end_fd(&relay->client), strerror(-r));
	relay_input(relay, RELAY_FAILS);
}

/* of proxy.keepalive */
void
relay_keep_alive(struct later_entry *entry)
{
	struct relay *relay = later_owner(entry, struct relay, keepalive);

	connect_keep_alive(relay_end_fd(&relay->client));
	connect_keep_alive(relay_end_fd(&relay->server));
}

/* of proxy.watch: half of it has been over for a while */
void
relay_watch(struct later_entry *entry)
{
	struct relay *relay = later_owner(entry, struct relay, watch);

	/* (a frozen one is seen to when it goes on) */
	if (relay->client.awaited != 0 || relay->server.awaited != 0)
		if (await_events(relay) < 0)
			relay_input(relay, RELAY_FAILS);
}

/* event: the client's socket is ready; or the connection has its first turn, or could not go on waiting */
static void
on_client(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;

	(void)fd;
	if (what & EV_TIMEOUT) {
		if (relay->state == RELAY_NEW)
			relay_input(relay, dial_begin(relay->dialing));
		else
			relay_close(relay, false, true);
	} else if (relay->state == RELAY_GREETING) {
		relay_input(relay, dial_read_greeting(relay->dialing, &relay->up));
	} else {
		relay_serve(relay, &relay->client, &relay->up, &relay->down, what);
	}
}

/* event: the upstream's socket is ready */
static void
on_server(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;

	if (relay->state == RELAY_CONNECTING)
		relay_input(relay, dialed(relay, connect_result(fd, relay->upstream->may_meet_itself)));
	else
		relay_serve(relay, &relay->server, &relay->down, &relay->up, what);
}

/* event: the deadline has come, or one that was put off since */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct relay *relay = arg;
	uint64_t now_us = clock_now_us(), at_us = deadline_of(relay);
	uint64_t removed_us = relay->upstream ? relay->upstream->removed_us : 0;

	(void)fd;
	(void)what;
	if (at_us > now_us && await_deadline(relay) == 0)
		return;
	if (relay->state == RELAY_CONNECTING)
		relay_input(relay, dialed(relay, -ETIMEDOUT));
	else if (removed_us > 0 && at_us == removed_us + relay->proxy->options.drain_removed_us)
		relay_close(relay, false, true);
	else
		relay_input(relay, RELAY_EXPIRES);
}

/* ---- life ---- */

struct relay *
relay_new(struct proxy *proxy, int fd, enum relay_state state)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return NULL;
	relay->proxy = proxy;
	relay->state = state;
	if (state != RELAY_RELAYING)
		relay->dialing = calloc(1, sizeof(*relay->dialing));
	if ((state != RELAY_RELAYING && !relay->dialing) ||
		event_assign(&relay->client.event, proxy->host->base, fd, EV_READ, on_client, relay) < 0) {
		free(relay->dialing);
		free(relay);
		return NULL;
	}
	if (relay->dialing)
		*relay->dialing = (struct dialing){ .proxy = proxy, .relay = relay, .fd = fd };
	relay_attach(relay, NULL, -1);
	return relay;
}

void
relay_free(struct relay *relay)
{
	if (relay->upstream)
		upstream_release(relay->upstream);
	later_end(&relay->keepalive);
	later_end(&relay->watch);
	flow_done(&relay->up, &relay->proxy->kit);
	flow_done(&relay->down, &relay->proxy->kit);
	if (relay->timer)
		event_free(relay->timer);
	free(relay->dialing);
	free(relay);
}

void
relay_attach(struct relay *relay, struct upstream *upstream, int fd)
{
	if (relay->server.awaited)
		event_del(&relay->server.event);
	relay->server.awaited = 0;
	relay->upstream = upstream;
	/* (it fails only for a base that there is not) */
	event_assign(&relay->server.event, relay->proxy->host->base, fd, EV_WRITE, on_server, relay);
}

void
relay_schedule(struct relay *relay)
{
	event_active(&relay->client.event, EV_TIMEOUT, 0);
}

void
relay_freeze(struct relay *relay)
{
	event_del(&relay->client.event);
	event_del(&relay->server.event);
	relay->client.awaited = relay->server.awaited = 0;
	if (relay->timer)
		event_del(relay->timer);
	end_waiting(relay);
}

void
relay_thaw(struct relay *relay)
{
	int r = 0;

	if (relay->state == RELAY_NEW) {
		relay_schedule(relay);
		return;
	}
	if (relay->state == RELAY_WAITING)
		r = begin_waiting(relay);
	if (r == 0)
		r = await_events(relay);
	if (r == 0)
		r = await_deadline(relay);
	/* nobody may be told from here: the end comes from on_client */
	if (r < 0)
		relay_schedule(relay);
}

void
relay_cut(struct relay *relay)
{
	relay_close(relay, false, true);
}
