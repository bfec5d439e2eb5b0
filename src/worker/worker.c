/*
 * The worker process.
 *
 *	SERVING ──► DRAINING ──► LEAVING ──► exit
 *
 * Told to drain, or without a master, it accepts what waits in its queues, closes them, and hands over
 * what it has to other workers (handover.h); what can't be handed over goes on until that has ended or
 * the deadline cuts it. Told to stop, it cuts at once. `leave_if_done` is the one way out.
 */
#include "worker/worker.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_pump.h"
#include "base/timeslice.h"
#include "service/service.h"
#include "systemd/journal.h"
#include "worker/acceptor.h"
#include "worker/channel.h"
#include "worker/control_pipe.h"
#include "worker/episode.h"
#include "worker/handover.h"
#include "worker/inheritance.h"
#include "worker/sandbox.h"
#include "worker/settings.h"
#include "worker/status_pipe.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

/*
 * Messages, timers and signals are URGENT, connections are not; what hands them over is between. The loop looks for
 * events that are above connections at least so often, whatever the number of busy ones. (Connections have libevent's
 * default, which is half of PRIORITIES. There is nothing below.)
 */
enum { PRIORITY_URGENT, PRIORITY_HANDOFF, PRIORITY_CONNECTIONS, PRIORITIES = 2 * PRIORITY_CONNECTIONS };
#define DISPATCH_INTERVAL_US (2 * US_PER_MS)

/* How long the last line may take to get out. */
#define LEAVE_TIMEOUT_US US_PER_SEC

/* Heartbeats for each hang_timeout: one may be late, and one lost in a full pipe. */
#define HEARTBEATS_PER_TIMEOUT 3

enum worker_state {
	WORKER_SERVING,  /* accepts */
	WORKER_DRAINING, /* listens no more; the deadline is set */
	WORKER_LEAVING,  /* no connections; `drained` is on its way */
};

struct worker {
	struct service_host host; /* first: on_ended finds the worker by it */
	enum worker_state state;
	struct inheritance inherited;
	struct config *config;
	const struct service_ops *service_ops;
	void *service;
	struct acceptor *acceptor;
	struct handover handover;
	struct channel *channel; /* NULL: the master knows no handoff */
	struct control_pipe *control;
	struct status_pipe *status;
	struct event *on_term, *heartbeat, *deadline, *on_begin;
	struct log_pump *log_pump;
	uint64_t connections;           /* open now */
	uint64_t finished, handed, cut; /* gone since the drain began */
	struct episode crowd;           /* limits.connections is reached */
};

/* ---- the way out ---- */

/* A status_pipe_when_empty function */
static void
on_said_all(void *arg)
{
	struct worker *w = arg;

	event_base_loopbreak(w->host.base);
}

static void
leave_if_done(struct worker *w)
{
	struct timeval timeout = clock_timeval(LEAVE_TIMEOUT_US);

	if (w->state != WORKER_DRAINING || w->connections > 0)
		return;
	w->state = WORKER_LEAVING;
	event_del(w->deadline);
	log_debug("drained: %" PRIu64 " finished, %" PRIu64 " handed over, %" PRIu64 " cut", w->finished,
		w->handed, w->cut);
	event_base_loopexit(w->host.base, &timeout);
	status_pipe_drained(w->status, w->finished, w->handed, w->cut);
	status_pipe_when_empty(w->status, on_said_all, w);
}

/* Waits until `within_us` from now, instead of whatever it was before. */
static void
set_deadline(struct worker *w, uint64_t within_us)
{
	struct timeval within = clock_timeval(within_us);

	event_add(w->deadline, &within);
}

static void
worker_drain(struct worker *w, uint64_t within_us)
{
	if (w->state == WORKER_LEAVING)
		return;
	set_deadline(w, within_us);
	if (w->state == WORKER_SERVING) {
		acceptor_drain(w->acceptor);
		log_debug("draining: %" PRIu64 " connections, within %.3f s", w->connections,
			(double)within_us / US_PER_SEC);
		w->state = WORKER_DRAINING;
		if (w->channel)
			channel_read(w->channel); /* the ways out were passed before `drain` was said */
		handover_begin(&w->handover);
	}
	leave_if_done(w);
}

static void
worker_cut(struct worker *w)
{
	handover_cut(&w->handover);
	leave_if_done(w);
}

static void
worker_stop(struct worker *w)
{
	if (w->state == WORKER_LEAVING)
		return;
	acceptor_close(w->acceptor);
	w->state = WORKER_DRAINING;
	worker_cut(w);
}

/* event: the drain has taken too long */
static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	log_notice("time is up: %" PRIu64 " connections are cut", w->connections);
	worker_cut(w);
}

/* ---- what is told ---- */

static void
on_drain(uint64_t within_us, void *arg)
{
	worker_drain(arg, within_us);
}

static void
on_stop(void *arg)
{
	worker_stop(arg);
}

/*
 * Without a master nobody would ever tell this worker to leave. A drain under way keeps its
 * deadline.
 */
static void
on_master_gone(void *arg)
{
	struct worker *w = arg;

	if (w->state == WORKER_SERVING) {
		log_warning("the master has gone: draining without it");
		worker_drain(w, w->config->drain_timeout_us);
	}
}

/*
 * event: SIGTERM. What the master has to say is in the pipe before it sends the signal; when it has said nothing, it was
 * somebody else, and the master is to know why this worker leaves.
 */
static void
on_term(evutil_socket_t sig, short what, void *arg)
{
	struct worker *w = arg;

	(void)sig;
	(void)what;
	control_pipe_read(w->control);
	if (w->state == WORKER_SERVING)
		status_pipe_failed(w->status, "stopped by SIGTERM");
	worker_stop(w);
}

/*
 * event: the first turn of the loop. What the master has said before this program ran has been heard by now, since that is urgent. Not
 * before that may `ready` be said: it lets the master ask what this worker knows of its upstreams, on behalf of its successor.
 */
static void
on_begin(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	if (w->state != WORKER_SERVING)
		return;
	log_debug("ready: slot %" PRIu64 ", generation %" PRIu64 ", service %s", w->inherited.slot,
		w->inherited.generation, w->service_ops->type);
	status_pipe_ready(w->status);
}

/*
 * event: time for a heartbeat. It comes from the event loop, so a worker that hangs somewhere sends
 * none.
 */
static void
on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	status_pipe_alive(w->status);
}

/* ---- connections ---- */

/* Accepting pauses at limits.connections, until one ends. */
static void
heed_limit(struct worker *w)
{
	unsigned limit = w->config->limits.connections;
	bool full = limit > 0 && w->connections >= limit;

	if (full && episode_begin(&w->crowd))
		log_warning("limits.connections (%u) is reached: others wait until one ends", limit);
	if (!full)
		episode_pause(&w->crowd);
	acceptor_set_full(w->acceptor, full);
}

/* An episode_fn */
static void
on_crowd_gone(uint64_t lasted_us, void *arg)
{
	struct worker *w = arg;

	log_notice("fewer connections than limits.connections (%u) again, after %.1f s",
		w->config->limits.connections, (double)lasted_us / US_PER_SEC);
}

/* of acceptor_handler */
static int
on_connection(int fd, void *arg)
{
	struct worker *w = arg;
	struct service_connection *connection;
	int r = w->service_ops->accept(w->service, fd, &connection);

	if (r < 0)
		return r;
	handover_add(&w->handover, connection);
	w->connections++;
	counters_add(w->host.counters, COUNTER_CONNECTIONS, 1);
	counters_add(w->host.counters, COUNTER_ACCEPTED, 1);
	heed_limit(w);
	return 0;
}

/* of acceptor_handler */
static void
on_deaf(void *arg)
{
	struct worker *w = arg;

	status_pipe_failed(w->status, "no listening socket is left that works");
}

/* of service_host */
static void
on_ended(struct service_host *host, struct service_connection *connection, bool cut)
{
	struct worker *w = (struct worker *)host;

	handover_remove(&w->handover, connection);
	w->connections--;
	counters_sub(host->counters, COUNTER_CONNECTIONS, 1);
	counters_add(host->counters, cut ? COUNTER_CUT : COUNTER_FINISHED, 1);
	if (w->state == WORKER_SERVING) {
		heed_limit(w);
		return;
	}
	if (cut)
		w->cut++;
	else
		w->finished++;
	leave_if_done(w);
}

/* of service_host */
static void
on_movable(struct service_host *host, struct service_connection *connection)
{
	struct worker *w = (struct worker *)host;

	handover_movable(&w->handover, connection);
}

/* of service_host */
static void
say_upstream(struct service_host *host, size_t number, const char *name)
{
	struct worker *w = (struct worker *)host;

	status_pipe_upstream(w->status, number, name);
}

/* of service_host */
static void
say_addresses(struct service_host *host, size_t number, const char *addresses)
{
	struct worker *w = (struct worker *)host;

	status_pipe_resolved(w->status, number, addresses);
}

/* of control_handler */
static void
on_upstream(const char *name, bool is_drained, void *arg)
{
	struct worker *w = arg;

	if (w->service_ops->drain_upstream)
		w->service_ops->drain_upstream(w->service, name, is_drained);
}

/* of control_handler */
static void
on_health(const char *name, const struct upstream_health *health, void *arg)
{
	struct worker *w = arg;

	if (w->service_ops->recall_upstream)
		w->service_ops->recall_upstream(w->service, name, health);
}

/* of control_handler */
static void
on_addresses(const char *name, const char *addresses, void *arg)
{
	struct worker *w = arg;

	if (w->service_ops->resolve_upstream)
		w->service_ops->resolve_upstream(w->service, name, addresses);
}

/* ---- connections that come and go ---- */

/* of handover_handler */
static void
on_taken(void *arg)
{
	struct worker *w = arg;

	w->connections++;
	counters_add(w->host.counters, COUNTER_CONNECTIONS, 1);
	counters_add(w->host.counters, COUNTER_HANDED_IN, 1);
}

/* of handover_handler */
static void
on_adopted(void *arg)
{
	heed_limit(arg);
}

/* of handover_handler */
static void
on_lost(void *arg)
{
	struct worker *w = arg;

	w->connections--;
	counters_sub(w->host.counters, COUNTER_CONNECTIONS, 1);
	counters_sub(w->host.counters, COUNTER_HANDED_IN, 1);
}

/* of handover_handler */
static void
on_handed(void *arg)
{
	struct worker *w = arg;

	w->connections--;
	w->handed++;
	counters_sub(w->host.counters, COUNTER_CONNECTIONS, 1);
	counters_add(w->host.counters, COUNTER_HANDED_OUT, 1);
	leave_if_done(w);
}

/* of handover_handler: who has no channel gets no way out either */
static void
on_stranded(void *arg)
{
	struct worker *w = arg;

	if (w->channel && w->state == WORKER_DRAINING)
		status_pipe_stranded(w->status);
}

/* of channel_handler */
static void
on_outbox(int fd, uint64_t share, void *arg)
{
	struct worker *w = arg;

	handover_add_outbox(&w->handover, fd, share);
}

/* of channel_handler */
static void
on_inbox(int fd, void *arg)
{
	struct worker *w = arg;

	handover_add_inbox(&w->handover, fd);
}

/* ---- the start ---- */

/* Says why there can be no worker. Returns `exit_status`. */
static int __attribute__((format(printf, 3, 4))) fail(struct worker *w, int exit_status, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	if (w->status)
		status_pipe_failed(w->status, text);
	return exit_status;
}

/*
 * Signals that steer the master reach its workers too, from a terminal or by `systemctl kill`: it
 * is the master who decides what they mean.
 */
static void
ignore_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		sigaction(ignored[i], &ignore, NULL);
}

static void
block_sigterm(bool block)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &term, NULL);
}

static struct event_base *
make_base(void)
{
	struct timeval interval = clock_timeval(DISPATCH_INTERVAL_US);
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	/*
	 * no EPOLL_USE_CHANGELIST: libevent then misses descriptors that were closed and opened
	 * again within one round
	 */
	if (event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
		event_config_set_max_dispatch_interval(config, &interval, -1, PRIORITY_CONNECTIONS) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	if (base && event_base_priority_init(base, PRIORITIES) < 0) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

/* A timer or signal of the worker. NULL: no memory. */
static struct event *
new_event(struct worker *w, int priority, evutil_socket_t fd, short what, event_callback_fn fn)
{
	struct event *event = event_new(w->host.base, fd, what, fn, w);

	if (event && event_priority_set(event, priority) == 0)
		return event;
	if (event)
		event_free(event);
	return NULL;
}

/*
 * Before `hello`: from then on a SIGTERM means `stop`. An earlier one kills, and nothing is lost by
 * it.
 */
static int
open_loop(struct worker *w)
{
	ignore_signals();
	w->host.base = make_base();
	if (!w->host.base)
		return fail(w, EX_OSERR, "no event loop: %s", strerror(errno));
	w->on_term = new_event(w, PRIORITY_URGENT, SIGTERM, EV_SIGNAL | EV_PERSIST, on_term);
	w->heartbeat = new_event(w, PRIORITY_URGENT, -1, EV_PERSIST, on_heartbeat);
	w->deadline = new_event(w, PRIORITY_URGENT, -1, 0, on_deadline);
	w->on_begin = new_event(w, PRIORITY_HANDOFF, -1, 0, on_begin);
	w->log_pump = log_pump_new(w->host.base);
	if (!w->on_term || !w->heartbeat || !w->deadline || !w->on_begin || !w->log_pump ||
		event_add(w->on_term, NULL) < 0 ||
		episode_init(&w->crowd, w->host.base, on_crowd_gone, w) < 0)
		return fail(w, EX_OSERR, "no memory for the event loop");
	block_sigterm(false);
	return EX_OK;
}

static int
greet(struct worker *w, const char *version)
{
	cleanup_free char *error = NULL;
	int r = inheritance_take(&w->inherited, &error);

	if (w->inherited.status_fd >= 0) {
		w->status = status_pipe_new(w->host.base, w->inherited.status_fd);
		if (!w->status)
			return fail(w, EX_OSERR, "no memory for the status pipe");
		status_pipe_hello(w->status, "gracefuld-worker", version);
	}
	if (r < 0)
		return fail(w, EX_USAGE, "%s", error ? error : strerror(ENOMEM));
	return EX_OK;
}

static void
use_log_options(const struct config *config)
{
	int r = 0;

	log_set_level(config->log.level);
	if (config->log.target == CONFIG_LOG_STDERR)
		journal_close();
	else if (config->log.target == CONFIG_LOG_JOURNAL)
		r = journal_open();
	if (r < 0)
		log_warning("the journal cannot be reached, logging to stderr: %s", strerror(-r));
}

static int
configure(struct worker *w)
{
	struct problems problems;
	int status = EX_OK, r;

	problems_init(&problems);
	r = settings_load(w->inherited.config_fd, &w->config, &problems);
	if (r < 0) /* the master has checked it all: one problem tells enough */
		status = fail(w, r == -EINVAL ? EX_CONFIG : EX_OSERR, "%s",
			problems_kept(&problems) > 0 ? problems.text[0] : strerror(-r));
	problems_done(&problems);
	fd_close(&w->inherited.config_fd);
	if (status != EX_OK)
		return status;
	use_log_options(w->config);
	w->host.config = w->config;
	w->service_ops = service_find(w->config->service_type);
	if (!w->service_ops)
		return fail(w, EX_CONFIG, "no such service: %s", w->config->service_type);
	return EX_OK;
}

/* The service, and what hands its connections over. */
static int
open_service(struct worker *w)
{
	static const struct channel_handler channel_handler = { .on_outbox = on_outbox,
		.on_inbox = on_inbox };
	static const struct handover_handler handover_handler = {
		.on_taken = on_taken,
		.on_adopted = on_adopted,
		.on_lost = on_lost,
		.on_handed = on_handed,
		.on_stranded = on_stranded,
	};
	int r;

	w->host.slot = w->inherited.slot;
	w->host.generation = w->inherited.generation;
	r = w->service_ops->start(&w->host, &w->service);
	if (r < 0)
		return fail(
			w, EX_OSERR, "the service %s cannot start: %s", w->service_ops->type, strerror(-r));
	handover_init(&w->handover, w->host.base, PRIORITY_HANDOFF, w->service_ops, w->service,
		&handover_handler, w);
	if (w->inherited.handoff_fd < 0)
		return EX_OK;
	w->channel = channel_new(w->host.base, w->inherited.handoff_fd, &channel_handler, w);
	return w->channel ? EX_OK : fail(w, EX_OSERR, "no memory for the handoff channel");
}

static int
open_parts(struct worker *w)
{
	static const struct acceptor_handler acceptor_handler = { .on_connection = on_connection,
		.on_deaf = on_deaf };
	static const struct control_handler control_handler = {
		.on_drain = on_drain,
		.on_stop = on_stop,
		.on_upstream = on_upstream,
		.on_health = on_health,
		.on_addresses = on_addresses,
		.on_end = on_master_gone,
	};

	w->host.counters = counters_map(w->inherited.stats_fd);
	if (!w->host.counters)
		return fail(w, EX_OSERR, "cannot map the counters: %s", strerror(errno));
	fd_close(&w->inherited.stats_fd);
	w->acceptor = acceptor_new(w->host.base, &w->inherited, &acceptor_handler, w);
	w->control = control_pipe_new(w->host.base, w->inherited.control_fd, &control_handler, w);
	if (!w->acceptor || !w->control)
		return fail(w, EX_OSERR, "no memory for the events");
	return open_service(w);
}

static void
start_heartbeat(struct worker *w)
{
	struct timeval interval = clock_timeval(w->config->hang_timeout_us / HEARTBEATS_PER_TIMEOUT);

	if (w->config->hang_timeout_us > 0)
		event_add(w->heartbeat, &interval);
}

/*
 * The last step before connections: all that takes more than serving does has been done. Where there can be none, "auto" goes on without,
 * and says so.
 */
static int
enter_sandbox(struct worker *w)
{
	const unsigned needs = w->service_ops->needs;
	const int mode = w->config->sandbox;
	int r;

	if (mode == CONFIG_SANDBOX_NEVER || (mode == CONFIG_SANDBOX_AUTO && needs & SERVICE_NEEDS_UNKNOWN))
		return EX_OK;
	r = sandbox_enter(needs);
	if (r == 0)
		return EX_OK;
	if (mode == CONFIG_SANDBOX_ALWAYS)
		return fail(w, EX_OSERR, "there can be no sandbox: %s", strerror(-r));
	log_msg(r == -EOPNOTSUPP ? LOG_DEBUG : LOG_INFO, "serving without a sandbox: %s", strerror(-r));
	return EX_OK;
}

static int
worker_start(struct worker *w, const char *version)
{
	int status = open_loop(w);

	if (status == EX_OK)
		status = greet(w, version);
	if (status == EX_OK)
		status = configure(w);
	if (status == EX_OK)
		status = open_parts(w);
	timeslice_copy(getppid(), 0); /* which the master may not be allowed to do */
	if (status == EX_OK)
		status = enter_sandbox(w);
	if (status != EX_OK)
		return status;
	start_heartbeat(w);
	acceptor_start(w->acceptor);
	event_active(w->on_begin, EV_TIMEOUT, 0);
	malloc_trim(0); /* what reading the configuration took */
	return EX_OK;
}

static void
worker_done(struct worker *w)
{
	struct event *const events[] = { w->on_term, w->heartbeat, w->deadline, w->on_begin };

	channel_free(w->channel);
	handover_done(&w->handover);
	if (w->service)
		w->service_ops->stop(w->service);
	acceptor_free(w->acceptor);
	control_pipe_free(w->control);
	status_pipe_free(w->status);
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i])
			event_free(events[i]);
	episode_done(&w->crowd);
	log_pump_free(w->log_pump);
	if (w->host.base)
		event_base_free(w->host.base);
	counters_unmap(w->host.counters);
	config_free(w->config);
	inheritance_done(&w->inherited);
}

int
worker_run(const char *version)
{
	struct worker w = {
		.host = { .ended = on_ended,
			.movable = on_movable,
			.say_upstream = say_upstream,
			.say_addresses = say_addresses },
		.inherited = INHERITANCE_NONE,
	};
	int status;

	if (journal_is_stderr())
		journal_open(); /* without one, stderr it is */
	status = worker_start(&w, version);
	if (status == EX_OK && event_base_dispatch(w.host.base) < 0)
		status = fail(&w, EX_SOFTWARE, "the event loop failed: %s", strerror(errno));
	/* the handler goes in a moment: a late SIGTERM must not turn an orderly end into a death */
	block_sigterm(true);
	worker_done(&w);
	return status;
}
