/*
 * One worker process, from its start until it is reaped.
 */
#include "master/worker.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/text.h"
#include "ipc/contract.h"
#include "master/log_event.h"
#include "master/loop.h"
#include "master/upstreams_heritage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void worker_input(struct worker *w, enum worker_input input, const char *reason);

const char *
worker_name(const struct worker *w, char buf[static 64])
{
	snprintf(buf, 64, "worker %u gen %" PRIu64 " pid %d", w->slot, w->generation->number, (int)w->pid);
	return buf;
}

const char *
worker_end_name(enum worker_end end)
{
	static const char *const names[WORKER_ENDS] = {
		[WORKER_END_STOPPED] = "stopped",
		[WORKER_END_DRAINED] = "drained",
		[WORKER_END_FAILED] = "failed",
		[WORKER_END_EXITED] = "exited",
		[WORKER_END_SIGNALLED] = "signalled",
		[WORKER_END_LATE] = "late",
		[WORKER_END_HUNG] = "hung",
		[WORKER_END_PROTOCOL] = "protocol",
	};

	return names[end];
}

uint64_t
worker_count(struct worker *w, enum counter counter)
{
	uint64_t now = counters_get(w->counters, counter);

	if (counter == COUNTER_CONNECTIONS)
		return now;
	if (now > w->seen[counter])
		w->seen[counter] = now;
	return w->seen[counter];
}

/* What a hosted program wrote last tells more than how it ended. */
static void
add_words(struct worker *w)
{
	char words[OUTPUT_QUOTE_MAX + 2];
	size_t len = strlen(w->failure);

	snprintf(w->failure + len, sizeof(w->failure) - len, "%s", hosted_words(w->hosted, words));
}

/* It is lost: remembers how and why, of several causes the first, since what follows is only its consequence. */
static void __attribute__((format(printf, 3, 4)))
lose(struct worker *w, enum worker_end end, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	w->end = end;
	va_start(ap, fmt);
	vsnprintf(w->failure, sizeof(w->failure), fmt, ap);
	va_end(ap);
	if (w->hosted && end != WORKER_END_FAILED)
		add_words(w);
}

/* What a failing input means. */
static enum worker_end
end_of(const struct worker *w, enum worker_input input)
{
	switch (input) {
	case WORKER_SAYS_FAILED:
		return WORKER_END_FAILED;
	case WORKER_DEADLINE:
		return w->state == WORKER_READY ? WORKER_END_HUNG : WORKER_END_LATE;
	default:
		return WORKER_END_PROTOCOL;
	}
}

static void
send_signal(struct worker *w, int sig)
{
	/* ESRCH: it has exited, and pidfd tells in a moment */
	if (pidfd_send_signal(w->pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
		log_event(LOG_ERR, EVENT_WORKER_FAILED, WORKER_ABOUT(w), "cannot signal worker %u: %s",
			w->slot, strerror(errno));
}

/* To all of a hosted program's processes, as far as they have stayed in its group; the first of them, if there is no group yet. */
static void
send_signal_to_all(struct worker *w, int sig)
{
	if (!w->hosted || kill(-w->pid, sig) < 0)
		send_signal(w, sig);
}

/*
 * A line to the worker. The pipe holds 64 KiB and few lines are ever sent, so a full one means a worker that
 * reads nothing; a closed one, that it is going. Either way what counts comes by another road: the deadline,
 * or the reaping.
 */
static void
send_line(struct worker *w, const char *line, size_t len)
{
	if (write(w->control_fd, line, len) < 0)
		log_debug(
			"worker %u did not take \"%.*s\": %s", w->slot, (int)len - 1, line, strerror(errno));
}

static void
arm(struct event *timer, uint64_t us)
{
	struct timeval tv = clock_timeval(us);

	if (us > 0)
		event_add(timer, &tv);
	else
		event_del(timer);
}

static void
arm_deadline(struct worker *w, uint64_t us)
{
	w->deadline_us = clock_now_us() + us;
	arm(w->on_deadline, us);
}

/* How long it may stay in the state it is in; 0: for ever. */
static uint64_t
state_timeout(const struct worker *w)
{
	switch (w->state) {
	case WORKER_STARTING:
		return w->host->live->roll.ready_timeout_us;
	case WORKER_READY:
		return w->generation->config->hang_timeout_us;
	case WORKER_DRAINING:
		/* a timeout of 0 is over at once, not never */
		return w->host->live->drain_timeout_us > 0 ? w->host->live->drain_timeout_us : 1;
	case WORKER_STOPPING:
		return WORKER_STOP_TIMEOUT_US;
	case WORKER_KILLING:
		return w->hung ? WORKER_ABORT_TIMEOUT_US : WORKER_KILL_INTERVAL_US;
	default:
		return 0;
	}
}

/* How a hosted program is talked to; NULL: it is one of ours. */
static const struct exec_options *
exec_of(const struct worker *w)
{
	return w->generation->exec;
}

/* Does it say on the pipe that it is ready? Else a pipe that is closed means nothing. */
static bool
keeps_to_pipe(const struct worker *w)
{
	return !exec_of(w) || exec_of(w)->ready == EXEC_READY_PIPE;
}

static void
tell_drain(struct worker *w, uint64_t us)
{
	char line[MESSAGE_MAX];

	if (!exec_of(w) || exec_of(w)->drain_pipe)
		send_line(w, line, message_format_drain(line, us));
}

static void
tell_stop(struct worker *w)
{
	char line[MESSAGE_MAX];

	send_line(w, line, message_format_word(line, MESSAGE_STOP));
	send_signal_to_all(w, SIGTERM);
}

/* The signal goes to the program alone, once: it knows best what to tell its children, and to some a second one means haste. */
static void
begin_drain(struct worker *w)
{
	tell_drain(w, w->host->live->drain_timeout_us);
	if (exec_of(w) && exec_of(w)->drain_signal > 0)
		send_signal(w, exec_of(w)->drain_signal);
}

static void
strike(struct worker *w)
{
	if (w->hung)
		send_signal(w, SIGABRT);
	else
		send_signal_to_all(w, SIGKILL);
}

void
worker_drain_upstream(struct worker *w, const struct upstream_record *record)
{
	char line[MESSAGE_MAX];

	send_line(w, line,
		message_format_text(line,
			record->is_drained ? MESSAGE_DRAIN_UPSTREAM : MESSAGE_ENABLE_UPSTREAM, record->name));
}

void
worker_recall_upstream(
	struct worker *w, const struct upstream_record *record, const struct upstream_health *health)
{
	char line[MESSAGE_MAX];

	send_line(w, line, message_format_recall(line, record->name, health));
}

static void
resolve_upstream(struct worker *w, const struct upstream_record *record)
{
	char line[MESSAGE_MAX];

	send_line(w, line, message_format_resolve(line, record->name, record->addresses));
}

/*
 * Before it runs: so it has read this when it accepts its first connection. (If the pipe can't hold it all, orders matter more than
 * what it can find out by itself.)
 */
static void
tell_upstreams(struct worker *w)
{
	const struct upstream_record *record;

	TAILQ_FOREACH(record, &w->host->upstreams->list, entry)
		if (record->is_drained)
			worker_drain_upstream(w, record);
	TAILQ_FOREACH(record, &w->host->upstreams->list, entry) {
		struct upstream_health health = w->host->known_of(record, w->slot, w->host->arg);

		if (health.result_us > 0)
			worker_recall_upstream(w, record, &health);
		if (record->addresses)
			resolve_upstream(w, record);
	}
}

/* What is done to the worker as it enters its state. */
static void
act_on_entry(struct worker *w)
{
	if (w->state == WORKER_DRAINING)
		begin_drain(w);
	else if (w->state == WORKER_STOPPING && !w->drained)
		tell_stop(w);
	else if (w->state == WORKER_KILLING)
		strike(w);
}

static void
forget_process(struct worker *w)
{
	event_del(w->on_exit);
	event_del(w->on_status);
	event_del(w->on_eof_grace);
	fd_close(&w->pidfd);
	fd_close(&w->control_fd);
	fd_close(&w->status_fd);
	fd_close(&w->handoff_fd);
	fd_close(&w->counters_fd);
}

/* The one writer of the state. */
static void
enter_state(struct worker *w, enum worker_state next, const char *reason)
{
	struct event_about about = *WORKER_ABOUT(w);
	char name[64];

	about.from = worker_state_name(w->state);
	about.to = worker_state_name(next);
	about.reason = reason;
	log_event(w->failed && next >= WORKER_STOPPING ? LOG_WARNING : LOG_INFO, EVENT_WORKER_STATE, &about,
		"%s: %s -> %s%s%s%s", worker_name(w, name), worker_state_name(w->state),
		worker_state_name(next), *reason ? " (" : "", reason, *reason ? ")" : "");
	w->state = next;
	w->state_since_us = clock_now_us();
	if (next == WORKER_READY)
		w->ready_since_us = w->state_since_us;
	arm_deadline(w, state_timeout(w));
	if (w->hosted)
		hosted_settle(w->hosted);
	if (next == WORKER_EXITED)
		forget_process(w);
	else
		act_on_entry(w);
	w->host->changed(w->host->arg);
}

static void
worker_input(struct worker *w, enum worker_input input, const char *reason)
{
	const struct worker_transition *t = worker_state_next(w->state, input);
	char name[64];

	if (t->violation) {
		log_event(LOG_ERR, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w),
			"%s: protocol error: said \"%s\" while %s", worker_name(w, name), reason,
			worker_state_name(w->state));
		lose(w, WORKER_END_PROTOCOL, "broke the protocol: said \"%s\" while %s", reason,
			worker_state_name(w->state));
	}
	if (t->failure)
		lose(w, end_of(w, input), "%s", reason);
	if (t->next != w->state)
		enter_state(w, t->next, reason);
}

/* ---- what it says ---- */

static void
become_ready(struct worker *w)
{
	char reason[48];

	if (w->state != WORKER_STARTING) {
		worker_input(w, WORKER_SAYS_READY, "ready");
		return;
	}
	snprintf(reason, sizeof(reason), "after %.1f ms",
		(double)(clock_now_us() - w->started_us) / (double)US_PER_MS);
	worker_input(w, WORKER_SAYS_READY, reason);
}

static void
on_ready(struct worker *w, const struct message *m)
{
	(void)m;
	/* of who is to tell it in another way, it is a word like any other */
	if (keeps_to_pipe(w))
		become_ready(w);
}

static void
on_alive(struct worker *w, const struct message *m)
{
	(void)m;
	if (w->state == WORKER_READY)
		arm_deadline(w, state_timeout(w));
}

static void
take_status(struct worker *w, const char *text)
{
	char name[64];

	snprintf(w->status, sizeof(w->status), "%s", text);
	log_event(LOG_DEBUG, EVENT_WORKER_STATUS, WORKER_ABOUT(w), "%s: %s", worker_name(w, name), w->status);
}

static void
on_worker_status(struct worker *w, const struct message *m)
{
	take_status(w, m->text);
}

/* For programs that have no counter page of their own: their numbers go into the page for them. */
static void
on_stats(struct worker *w, const struct message *m)
{
	char pairs[MESSAGE_MAX], *rest = pairs;
	const char *key;
	uint64_t value;

	snprintf(pairs, sizeof(pairs), "%s", m->text);
	while (message_next_pair(&rest, &key, &value) > 0)
		for (enum counter c = 0; c < COUNTER_COUNT; c++)
			if (strcmp(key, counters_name(c)) == 0)
				atomic_store_explicit(&w->counters->word[c], value, memory_order_relaxed);
}

static void
on_drained(struct worker *w, const struct message *m)
{
	w->drained = true;
	if (!w->failed)
		w->end = WORKER_END_DRAINED;
	w->finished = m->drained.finished;
	w->handed = m->drained.handed;
	w->cut = m->drained.cut;
	worker_input(w, WORKER_SAYS_DRAINED, "drained");
}

static void
on_failed(struct worker *w, const struct message *m)
{
	char reason[sizeof(w->failure)];

	snprintf(reason, sizeof(reason), "failed: %s", m->text);
	worker_input(w, WORKER_SAYS_FAILED, reason);
}

static void
on_upstream(struct worker *w, const struct message *m)
{
	/* (the parser has seen to it that the number is one) */
	w->upstream[m->number] = upstream_records_get(w->host->upstreams, m->text);
}

static void
on_resolved(struct worker *w, const struct message *m)
{
	struct upstream_record *record = w->upstream[m->number];
	char *addresses = record ? strdup(m->addresses) : NULL;

	if (!addresses)
		return;
	free(record->addresses);
	record->addresses = addresses;
}

static void
on_hello(struct worker *w, const struct message *m)
{
	char reason[80];

	w->said_hello = true;
	if (m->hello.version == CONTRACT_VERSION)
		return;
	snprintf(reason, sizeof(reason), "failed: speaks version %" PRIu64 " of the protocol, not %d",
		m->hello.version, CONTRACT_VERSION);
	worker_input(w, WORKER_SAYS_FAILED, reason);
}

static void
on_unknown(struct worker *w, const struct message *m)
{
	char name[64];

	if (w->said_unknown)
		return;
	w->said_unknown = true;
	log_event(LOG_NOTICE, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w),
		"%s: ignored an unknown message: \"%.200s\"; further ones are not logged",
		worker_name(w, name), m->text);
}

/* The line, or what there is of it, breaks the protocol: whatever the worker is, it is not to be trusted. */
static int
reject_line(struct worker *w, const char *line, size_t len, const char *what)
{
	char shown[400], reason[sizeof(w->failure)], name[64];

	text_escape(shown, sizeof(shown), line, len);
	log_event(LOG_ERR, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w), "%s: protocol error: %s: \"%s\"",
		worker_name(w, name), what, shown);
	snprintf(reason, sizeof(reason), "broke the protocol: %s", what);
	event_del(w->on_status);
	worker_input(w, WORKER_PIPE_LOST, reason);
	return -EBADMSG;
}

/* A line_fn. */
static int
on_line(char *line, void *arg)
{
	static void (*const handlers[MESSAGE_TYPES])(struct worker *, const struct message *) = {
		[MESSAGE_UNKNOWN] = on_unknown,
		[MESSAGE_HELLO] = on_hello,
		[MESSAGE_READY] = on_ready,
		[MESSAGE_ALIVE] = on_alive,
		[MESSAGE_STATUS] = on_worker_status,
		[MESSAGE_STATS] = on_stats,
		[MESSAGE_DRAINED] = on_drained,
		[MESSAGE_FAILED] = on_failed,
		[MESSAGE_UPSTREAM] = on_upstream,
		[MESSAGE_RESOLVED] = on_resolved,
	};
	char raw[MESSAGE_MAX];
	struct worker *w = arg;
	struct message message;
	const char *error;

	snprintf(raw, sizeof(raw), "%s", line);
	if (message_parse(line, MESSAGE_TO_MASTER, &message, &error) < 0)
		return reject_line(w, raw, strlen(raw), error);
	/* a child that could not even be started says `failed` in the worker's stead */
	if (w->said_hello == (message.type == MESSAGE_HELLO) && message.type != MESSAGE_FAILED)
		return reject_line(
			w, raw, strlen(raw), w->said_hello ? "hello again" : "the first line must be hello");
	handlers[message.type](w, &message);
	return w->state >= WORKER_KILLING ? -ECANCELED : 0;
}

static enum line_reader_result
read_status(struct worker *w)
{
	enum line_reader_result result = line_reader_read(&w->reader, w->status_fd, on_line, w);

	if (result == LINE_READER_BAD)
		reject_line(w, w->reader.data, w->reader.len,
			w->reader.len == sizeof(w->reader.data) ? "a line without end"
								: "a line with control characters");
	return result;
}

/*
 * Workers that talk without pause would keep the clients of the control socket from being heard, who come behind all
 * else: what is too much goes on as one of them.
 */
static void
heed_clients(struct worker *w, uint64_t worked_us)
{
	bool first = event_get_priority(w->on_status) == LOOP_PRIORITY_DEFAULT;
	uint64_t owed_us = pace_work(w->host->talk, clock_now_us(), first ? worked_us : 0);

	event_priority_set(w->on_status, owed_us > 0 ? LOOP_PRIORITY_CLIENTS : LOOP_PRIORITY_DEFAULT);
}

/* event: the status pipe */
static void
on_status(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t began_us = clock_work_us();
	enum line_reader_result result = read_status(w);

	(void)fd, (void)what;
	switch (result) {
	case LINE_READER_AGAIN:
		heed_clients(w, clock_work_us() - began_us);
		break;
	case LINE_READER_EOF:
	case LINE_READER_ERROR:
		event_del(w->on_status);
		/* mostly the process is just exiting; that tells more than a closed pipe */
		if (keeps_to_pipe(w))
			arm(w->on_eof_grace, WORKER_EOF_GRACE_US);
		break;
	case LINE_READER_BAD:
	case LINE_READER_STOPPED:
		event_del(w->on_status);
		break;
	}
}

/* event: still alive a while after its status pipe was closed */
static void
on_eof_grace(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	worker_input(arg, WORKER_PIPE_LOST, "closed its status pipe");
}

/* ---- what a hosted program says, or not ---- */

/* As long as the operator has not said how long, but never for ever. */
static void
extend(struct worker *w, uint64_t us)
{
	uint64_t now = clock_now_us(), end = w->state_since_us + WORKER_EXTENSIONS * state_timeout(w);

	/* it may be heard before the deadline that is over by now */
	if ((w->state != WORKER_STARTING && w->state != WORKER_STOPPING) || now >= end)
		return;
	if (us < end - now)
		end = now + us;
	if (end > w->deadline_us)
		arm_deadline(w, end - now);
}

static void
say_failed(struct worker *w, const char *why)
{
	if (!worker_state_is_leaving(w->state))
		worker_input(w, WORKER_SAYS_FAILED, why);
}

/* A notify_fn. */
static void
on_notify(const struct notify_message *m, void *arg)
{
	struct worker *w = arg;

	if (m->status)
		take_status(w, m->status);
	if (m->extend_us > 0)
		extend(w, m->extend_us);
	if (m->ready && w->state == WORKER_STARTING)
		become_ready(w);
	if (m->watchdog && w->state == WORKER_READY)
		arm_deadline(w, state_timeout(w));
	if (m->trigger)
		say_failed(w, "failed: says that it hangs (WATCHDOG=trigger)");
	if (m->stopping)
		say_failed(w, "failed: stops by itself (STOPPING=1)");
}

/* A notify_stranger_fn. */
static void
on_stranger(pid_t pid, void *arg)
{
	struct worker *w = arg;
	char name[64];

	if (w->said_unknown)
		return;
	w->said_unknown = true;
	log_event(LOG_WARNING, EVENT_WORKER_PROTOCOL, WORKER_ABOUT(w),
		"%s: ignored what process %d, which is none of its, said to its NOTIFY_SOCKET; more is not logged",
		worker_name(w, name), (int)pid);
}

/* It has not ended for so long, so it may be taken to serve. */
static void
on_alive_time(void *arg)
{
	struct worker *w = arg;

	if (w->state == WORKER_STARTING)
		become_ready(w);
}

static bool
has_ended(const struct worker *w)
{
	siginfo_t info = { 0 };

	return waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid > 0;
}

/* A lookout_fn. Who can't be looked at has mostly just ended, which tells more. */
static void
on_accepting(bool accepts, void *arg)
{
	struct worker *w = arg;

	if (w->state != WORKER_STARTING)
		return;
	if (accepts)
		become_ready(w);
	else if (!has_ended(w))
		say_failed(w, "failed: nobody can look whether it accepts");
}

static struct hosted_host
hosted_host(struct worker *w)
{
	return (struct hosted_host){ .base = w->host->base,
		.outputs = w->host->outputs,
		.talk = w->host->talk,
		.program = w->host->program,
		.identity = &w->generation->identity,
		.on_message = on_notify,
		.on_stranger = on_stranger,
		.on_alive = on_alive_time,
		.on_accepting = on_accepting,
		.arg = w };
}

/* ---- its end ---- */

static const char *
describe_exit(const siginfo_t *info, char *buf, size_t size)
{
	if (info->si_code == CLD_EXITED)
		snprintf(buf, size, "status %d", info->si_status);
	else
		snprintf(buf, size, "signal %d, %s%s", info->si_status, strsignal(info->si_status),
			info->si_code == CLD_DUMPED ? ", core dumped" : "");
	return buf;
}

/* What makes such an end plain, where it looks like none. */
static const char *
explain_exit(const struct worker *w, const siginfo_t *info)
{
	bool quiet = w->hosted && w->state == WORKER_STARTING && info->si_code == CLD_EXITED &&
	             info->si_status == 0;

	return quiet ? " before it was ready (it must stay in the foreground)" : "";
}

/* Says what became of its connections: by its own word, else by what the counter page still has. */
static void
settle_connections(struct worker *w)
{
	char name[64];

	if (!w->drained)
		w->cut = counters_get(w->counters, COUNTER_CONNECTIONS);
	if (!w->drained && w->cut == 0)
		return;
	if (w->drained)
		log_event(LOG_INFO, EVENT_WORKER_DRAINED, WORKER_ABOUT(w),
			"%s: drained: %" PRIu64 " finished, %" PRIu64 " handed over, %" PRIu64 " cut",
			worker_name(w, name), w->finished, w->handed, w->cut);
	else
		log_event(LOG_WARNING, EVENT_WORKER_DRAINED, WORKER_ABOUT(w),
			"%s: died with %" PRIu64 " connections open", worker_name(w, name), w->cut);
}

/*
 * Its children end with it. As long as it is not reaped, its number, which is that of the group, can't become another's.
 */
static void
end_hosted(struct worker *w)
{
	if (!has_ended(w))
		return;
	kill(-w->pid, SIGKILL);
	hosted_end(w->hosted);
}

/* event: the pidfd */
static void
on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	char how[64];
	struct worker *w = arg;
	siginfo_t info = { 0 };

	(void)what;
	if (w->hosted)
		end_hosted(w);
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return;
	/* its last words may be in the pipe yet; a grandchild may hold it open, so no more than it can hold */
	for (int i = 0; i < 16 && w->state < WORKER_KILLING && event_pending(w->on_status, EV_READ, NULL);
		i++)
		if (read_status(w) != LINE_READER_AGAIN)
			break;
	describe_exit(&info, how, sizeof(how));
	if (worker_state_next(w->state, WORKER_REAPED)->failure)
		lose(w, info.si_code == CLD_EXITED ? WORKER_END_EXITED : WORKER_END_SIGNALLED,
			info.si_code == CLD_EXITED ? "exited with %s%s" : "was killed by %s%s", how,
			explain_exit(w, &info));
	settle_connections(w);
	worker_input(w, WORKER_REAPED, how);
}

/*
 * Its time is over; but was it the worker that kept silent? The master may have stood still itself (SIGSTOP, a container that was frozen).
 * Then what the worker has said waits in the pipe; or it stood still too, and gets its time once more.
 */
static bool
is_reprieved(struct worker *w)
{
	bool late = clock_now_us() - w->deadline_us > WORKER_LATENESS_US;
	enum worker_state state = w->state;

	if (state > WORKER_READY)
		return false;
	/* the pipe holds 64 KiB at most */
	for (int i = 0; i < 16 && w->state == state && event_pending(w->on_status, EV_READ, NULL) &&
			!event_pending(w->on_deadline, EV_TIMEOUT, NULL);
		i++)
		on_status(w->status_fd, EV_READ, w);
	if (w->state != state || event_pending(w->on_deadline, EV_TIMEOUT, NULL))
		return true;
	if (late)
		arm_deadline(w, state_timeout(w));
	return late;
}

/* event: the state's time is over */
static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	static const char *const reasons[WORKER_STATES] = {
		[WORKER_STARTING] = "was not ready in time",
		[WORKER_READY] = "hangs: no heartbeat",
		[WORKER_DRAINING] = "drain_timeout",
		[WORKER_STOPPING] = "did not stop in time",
		[WORKER_KILLING] = "is still there",
	};
	struct worker *w = arg;
	char name[64];

	(void)fd, (void)what;
	if (is_reprieved(w))
		return;
	if (w->state != WORKER_KILLING) {
		w->hung = w->state == WORKER_READY;
		worker_input(w, WORKER_DEADLINE, reasons[w->state]);
		return;
	}
	if (!w->hung)
		log_event(LOG_ERR, EVENT_WORKER_FAILED, WORKER_ABOUT(w),
			"%s: still there %.0f s after SIGKILL", worker_name(w, name),
			(double)(clock_now_us() - w->state_since_us) / (double)US_PER_SEC);
	w->hung = false; /* SIGABRT has had its time */
	strike(w);
	arm_deadline(w, state_timeout(w));
}

/* ---- from outside ---- */

/* The descriptors of a worker to be, the child's ends among them. (A hosted program is not given its end of all.) */
struct ends {
	int control[2], status[2], handoff[2], stats;
};

#define ENDS_NONE                                      \
	{                                              \
		{ -1, -1 }, { -1, -1 }, { -1, -1 }, -1 \
	}

static void
ends_close(struct ends *e)
{
	fd_close(&e->control[0]);
	fd_close(&e->control[1]);
	fd_close(&e->status[0]);
	fd_close(&e->status[1]);
	fd_close(&e->handoff[0]);
	fd_close(&e->handoff[1]);
	fd_close(&e->stats);
}

static int
ends_open(struct ends *e)
{
	*e = (struct ends)ENDS_NONE;
	if (pipe2(e->control, O_CLOEXEC) < 0 || pipe2(e->status, O_CLOEXEC) < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->handoff) < 0)
		return -errno;
	e->stats = counters_create();
	return e->stats < 0 ? e->stats : 0;
}

/* Another's program: it gets no text that only we can read, and no channel for handing over. */
static int
start_hosted(struct worker *w, const struct spawn *base, const struct worker_sockets *sockets)
{
	const struct hosted_host host = hosted_host(w);
	struct spawn spawn = *base;
	struct hosted_ends ends;
	int r = 0;

	w->hosted = hosted_new(&host, exec_of(w), &ends);
	if (!w->hosted)
		r = -errno;
	ends.spawn.ports = sockets->ports;
	if (ends.spawn.notify)
		ends.spawn.watchdog_us = w->generation->config->hang_timeout_us;
	spawn.argv = (const char *const *)exec_of(w)->command;
	spawn.program = ends.program;
	spawn.config_fd = spawn.handoff_fd = -1;
	spawn.stdout_fd = ends.output_fd;
	spawn.hosted = &ends.spawn;
	if (r == 0)
		r = spawn_process(&spawn, &w->pid, &w->pidfd);
	if (r == 0)
		r = hosted_begin(w->hosted, exec_of(w), WORKER_ABOUT(w), sockets->fd[0]);
	hosted_ends_done(&ends);
	return r;
}

static int
start_process(struct worker *w, struct ends *e, const struct worker_sockets *sockets)
{
	unsigned open_files = w->generation->config->limits.open_files;
	const char *const argv[] = { w->host->program, NULL };
	const struct spawn spawn = {
		.argv = argv,
		.listeners = sockets->fd,
		.n_listeners = sockets->n,
		.listener_names = sockets->names,
		.control_fd = e->control[0],
		.status_fd = e->status[1],
		.config_fd = w->generation->config_fd,
		.stats_fd = e->stats,
		.handoff_fd = e->handoff[1],
		.stdout_fd = -1,
		.slot = w->slot,
		.generation = w->generation->number,
		.open_files = open_files > 0 ? open_files : w->host->open_files,
		.identity = &w->generation->identity,
	};
	int r = fd_set_nonblock(w->control_fd, true);

	if (r == 0)
		r = fd_set_nonblock(e->status[0], true);
	if (r < 0)
		return r;
	tell_upstreams(w);
	return exec_of(w) ? start_hosted(w, &spawn, sockets) : spawn_process(&spawn, &w->pid, &w->pidfd);
}

/* The events last, so that what fails before leaves nothing to undo but memory. */
static int
make_events(struct worker *w)
{
	struct event_base *base = w->host->base;

	w->on_exit = event_new(base, w->pidfd, EV_READ | EV_PERSIST, on_exit_event, w);
	w->on_status = event_new(base, w->status_fd, EV_READ | EV_PERSIST, on_status, w);
	w->on_deadline = evtimer_new(base, on_deadline, w);
	w->on_eof_grace = evtimer_new(base, on_eof_grace, w);
	if (!w->on_exit || !w->on_status || !w->on_deadline || !w->on_eof_grace)
		return -ENOMEM;
	if (event_add(w->on_exit, NULL) < 0 || event_add(w->on_status, NULL) < 0)
		return -EIO;
	return 0;
}

/* The process runs, but can't be watched: it must not stay. */
static void
kill_unwatched(struct worker *w)
{
	if (w->pidfd < 0)
		return;
	send_signal_to_all(w, SIGKILL);
	waitid(P_PIDFD, (id_t)w->pidfd, NULL, WEXITED);
}

struct worker *
worker_start(const struct worker_host *host, unsigned slot, struct generation *generation,
	const struct worker_sockets *sockets, const char *reason)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct ends ends = ENDS_NONE;
	struct event_about about;
	char name[64];
	int r = -ENOMEM;

	if (w) {
		*w = (struct worker){ .host = host,
			.slot = slot,
			.generation = generation_ref(generation),
			.pidfd = -1,
			.control_fd = -1,
			.status_fd = -1,
			.handoff_fd = -1,
			.counters_fd = -1 };
		line_reader_init(&w->reader);
		r = ends_open(&ends);
	}
	if (r == 0 && !(w->counters = counters_map(ends.stats)))
		r = -errno;
	if (r == 0) {
		w->control_fd = take_fd(&ends.control[1]);
		r = start_process(w, &ends, sockets);
	}
	if (r == 0) {
		w->status_fd = take_fd(&ends.status[0]);
		w->handoff_fd = take_fd(&ends.handoff[0]);
		w->counters_fd = take_fd(&ends.stats);
		r = make_events(w);
	}
	ends_close(&ends);
	if (r < 0) {
		if (w) {
			kill_unwatched(w);
			worker_free(w);
		}
		errno = -r;
		return NULL;
	}
	(void)!getrandom(&w->dice, sizeof(w->dice), GRND_NONBLOCK);
	w->started_us = w->state_since_us = clock_now_us();
	arm_deadline(w, state_timeout(w));
	about = *WORKER_ABOUT(w);
	about.from = "new";
	about.to = worker_state_name(w->state);
	about.reason = reason;
	log_event(LOG_INFO, EVENT_WORKER_STATE, &about, "%s: new -> starting (%s)", worker_name(w, name),
		reason);
	return w;
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_NUMBER(struct worker, slot, CONFIG_WORKERS_MAX - 1),
	HERITAGE_NUMBER(struct worker, state, WORKER_EXITED - 1),
	HERITAGE_NUMBER(struct worker, pid, INT_MAX),
	HERITAGE_NUMBER(struct worker, dice, UINT8_MAX),
	HERITAGE_FD(struct worker, pidfd),
	HERITAGE_FD(struct worker, control_fd),
	HERITAGE_FD(struct worker, status_fd),
	HERITAGE_FD(struct worker, handoff_fd),
	HERITAGE_FD(struct worker, counters_fd),
	HERITAGE_NUMBER(struct worker, heir, INT_MAX),
	HERITAGE_NUMBER(struct worker, started_us, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, state_since_us, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, ready_since_us, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, deadline_us, UINT64_MAX),
	HERITAGE_BOOL(struct worker, said_hello),
	HERITAGE_BOOL(struct worker, said_unknown),
	HERITAGE_BOOL(struct worker, hung),
	HERITAGE_BOOL(struct worker, stale),
	HERITAGE_BOOL(struct worker, leaving_soon),
	HERITAGE_BOOL(struct worker, failed),
	HERITAGE_BOOL(struct worker, failure_counted),
	HERITAGE_NUMBER(struct worker, end, WORKER_ENDS - 1),
	HERITAGE_TEXT(struct worker, failure),
	HERITAGE_TEXT(struct worker, status),
	HERITAGE_NUMBERS(struct worker, seen),
	HERITAGE_BOOL(struct worker, drained),
	HERITAGE_NUMBER(struct worker, finished, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, handed, UINT64_MAX),
	HERITAGE_NUMBER(struct worker, cut, UINT64_MAX),
	HERITAGE_REST("generation"), /* its number; the pool's */
	HERITAGE_REST("line"),       /* what has come of one that is not whole */
	HERITAGE_REST("watched"),
	HERITAGE_REST("upstreams"),
	HERITAGE_REST("hosted"), /* null: it is one of ours */
	HERITAGE_END,
};

/* Which of its events are set. */
struct watched {
	bool status, deadline, eof_grace;
};

static const struct heritage_field watched_fields[] = {
	HERITAGE_BOOL(struct watched, status),
	HERITAGE_BOOL(struct watched, deadline),
	HERITAGE_BOOL(struct watched, eof_grace),
	HERITAGE_END,
};

json_t *
worker_save(struct heritage *h, const struct worker *w)
{
	const struct watched watched = {
		.status = event_pending(w->on_status, EV_READ, NULL),
		.deadline = event_pending(w->on_deadline, EV_TIMEOUT, NULL),
		.eof_grace = event_pending(w->on_eof_grace, EV_TIMEOUT, NULL),
	};
	json_t *json = heritage_save(h, fields, w);

	heritage_set(h, json, "generation", json_integer((json_int_t)w->generation->number));
	/* once nothing is read any more, what is held is no line's beginning */
	heritage_set(h, json, "line", heritage_bytes(w->reader.data, watched.status ? w->reader.len : 0));
	heritage_set(h, json, "watched", heritage_save(h, watched_fields, &watched));
	heritage_set(h, json, "upstreams", upstream_blocks_save(h, w->upstream));
	heritage_set(h, json, "hosted", hosted_save(h, w->hosted));
	return json;
}

static bool
load_line(struct heritage *h, const json_t *json, struct line_reader *reader)
{
	size_t len;
	cleanup_free char *line = heritage_load_bytes(json, &len);

	/* a full reader is at its end: there is no room to go on */
	if (!line || len >= sizeof(reader->data))
		return heritage_refuse(h, "a worker's line is none");
	memcpy(reader->data, line, len);
	reader->len = len;
	return true;
}

/* One that has ended meanwhile makes its pidfd readable, and is found like any other. */
static bool
watch(struct heritage *h, struct worker *w, const struct watched *watched)
{
	uint64_t now = clock_now_us();
	siginfo_t info;

	if (waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return heritage_refuse(h, "worker %u is no child of this process", w->slot);
	w->counters = counters_map(w->counters_fd);
	if (!w->counters)
		return heritage_refuse(h, "the counters of worker %u can't be read", w->slot);
	if (make_events(w) < 0)
		return heritage_refuse(h, "worker %u can't be watched", w->slot);
	if (!watched->status)
		event_del(w->on_status);
	if (watched->deadline)
		arm(w->on_deadline, w->deadline_us > now ? w->deadline_us - now : 1);
	if (watched->eof_grace)
		arm(w->on_eof_grace, WORKER_EOF_GRACE_US);
	return true;
}

static bool
load_hosted(struct heritage *h, struct worker *w, const json_t *json)
{
	const struct hosted_host host = hosted_host(w);
	const struct hosted_past past = {
		.exec = exec_of(w), .starting = w->state == WORKER_STARTING, .started_us = w->started_us
	};

	if (!past.exec)
		return json_is_null(json) || heritage_refuse(h, "worker %u is another program", w->slot);
	return hosted_load(h, &host, WORKER_ABOUT(w), &past, json, &w->hosted);
}

struct worker *
worker_load(
	struct heritage *h, const struct worker_host *host, struct generation *generation, const json_t *json)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct watched watched;

	if (!w) {
		heritage_refuse(h, "out of memory");
		return NULL;
	}
	*w = (struct worker){ .host = host,
		.generation = generation_ref(generation),
		.pidfd = -1,
		.control_fd = -1,
		.status_fd = -1,
		.handoff_fd = -1,
		.counters_fd = -1 };
	if (heritage_load(h, fields, json, w) && load_line(h, json_object_get(json, "line"), &w->reader) &&
		heritage_load(h, watched_fields, json_object_get(json, "watched"), &watched) &&
		upstream_blocks_load(h, json_object_get(json, "upstreams"), host->upstreams, w->upstream) &&
		load_hosted(h, w, json_object_get(json, "hosted")) && (h->trial || watch(h, w, &watched)))
		return w;
	worker_free(w);
	return NULL;
}

void
worker_drain(struct worker *w, const char *reason)
{
	worker_input(w, WORKER_TOLD_DRAIN, reason);
}

void
worker_stop(struct worker *w, const char *reason)
{
	worker_input(w, WORKER_TOLD_STOP, reason);
}

/* A line with a descriptor. A full channel belongs to a worker that reads nothing, and would take over nothing. */
static int
send_fd(struct worker *w, const char *line, size_t len, int fd)
{
	int r = socket_send(w->handoff_fd, line, len, &fd, 1);
	char name[64];

	if (r < 0)
		log_debug("%s did not take \"%.*s\": %s", worker_name(w, name), (int)len - 1, line,
			strerror(-r));
	return r;
}

void
worker_bequeath(struct worker *w, struct worker *heir, unsigned share)
{
	char line[MESSAGE_MAX];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		log_debug("no socket pair to hand over by: %s", strerror(errno));
		return;
	}
	/* where only the first takes its end, the other end is closed, and it sees that */
	if (send_fd(heir, line, message_format_word(line, MESSAGE_INBOX), ends[1]) == 0)
		(void)send_fd(w, line, message_format_outbox(line, share), ends[0]);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	if (heir->slot == w->slot)
		w->heir = heir->pid;
}

void
worker_retime(struct worker *w)
{
	uint64_t past = clock_now_us() - w->state_since_us, whole = w->host->live->drain_timeout_us;

	if (w->state != WORKER_DRAINING)
		return;
	tell_drain(w, whole > past ? whole - past : 0);
	arm_deadline(w, whole > past ? whole - past : 1);
}

bool
worker_is_of(const struct worker *w, const struct generation *generation)
{
	return w->generation == generation && !w->stale;
}

bool
worker_is_seasoned(const struct worker *w, uint64_t settle_us, uint64_t *ret_left)
{
	uint64_t past = clock_now_us() - w->state_since_us;

	*ret_left = 0;
	if (w->state != WORKER_READY)
		return false;
	if (past < settle_us)
		*ret_left = settle_us - past;
	return past >= settle_us;
}

static void
free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void
worker_free(struct worker *w)
{
	free_event(w->on_exit);
	free_event(w->on_status);
	free_event(w->on_deadline);
	free_event(w->on_eof_grace);
	fd_close(&w->pidfd);
	fd_close(&w->control_fd);
	fd_close(&w->status_fd);
	fd_close(&w->handoff_fd);
	fd_close(&w->counters_fd);
	counters_unmap(w->counters);
	hosted_free(w->hosted);
	generation_unref(w->generation);
	free(w);
}
