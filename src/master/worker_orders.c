/*
 * What a worker is told.
 */
#include "master/worker_orders.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"
#include "ipc/message.h"
#include "master/log_event.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

const struct exec_options *
worker_exec(const struct worker *w)
{
	return w->generation->exec;
}

void
worker_signal(struct worker *w, int sig)
{
	/* ESRCH: it has exited, and pidfd tells in a moment */
	if (pidfd_send_signal(w->pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
		log_event(LOG_ERR, EVENT_WORKER_FAILED, WORKER_ABOUT(w), "cannot signal worker %u: %s",
			w->slot, strerror(errno));
}

void
worker_signal_all(struct worker *w, int sig)
{
	if (!w->hosted || kill(-w->pid, sig) < 0)
		worker_signal(w, sig);
}

/*
 * A line to the worker. The pipe holds 64 KiB and few lines are ever sent, so a full one means a worker that
 * reads nothing; a closed one, that it is going. Either way what counts comes by another road: the deadline,
 * or the reaping.
 */
static void
send_line(struct worker *w, const char *line, size_t len)
{
	ssize_t n;

	do
		n = write(w->control_fd, line, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		log_debug(
			"worker %u did not take \"%.*s\": %s", w->slot, (int)len - 1, line, strerror(errno));
}

void
worker_tell_drain(struct worker *w, uint64_t us)
{
	char line[MESSAGE_MAX];

	if (!worker_exec(w) || worker_exec(w)->drain_pipe)
		send_line(w, line, message_format_drain(line, us));
}

/* The signal goes to the program alone, once: it knows best what to tell its children, and to some a second one means haste. */
void
worker_begin_drain(struct worker *w)
{
	worker_tell_drain(w, w->host->live->drain_timeout_us);
	if (worker_exec(w) && worker_exec(w)->drain_signal > 0)
		worker_signal(w, worker_exec(w)->drain_signal);
}

void
worker_tell_stop(struct worker *w)
{
	char line[MESSAGE_MAX];

	send_line(w, line, message_format_word(line, MESSAGE_STOP));
	worker_signal_all(w, SIGTERM);
}

void
worker_strike(struct worker *w)
{
	if (w->hung)
		worker_signal(w, SIGABRT);
	else
		worker_signal_all(w, SIGKILL);
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
void
worker_tell_upstreams(struct worker *w)
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
