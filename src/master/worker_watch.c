/*
 * The events of a worker: its words, its end, its time.
 */
#include "master/worker_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/log_event.h"
#include "master/loop.h"
#include "master/worker_orders.h"
#include "master/worker_step.h"
#include "master/worker_words.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

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
	bool signalled = info->si_code != CLD_EXITED;
	bool quiet = w->hosted && w->state == WORKER_STARTING && info->si_code == CLD_EXITED &&
	             info->si_status == 0;

	if (signalled && info->si_status == SIGSYS)
		return " (a system call that its sandbox forbids; the kernel's log has its number)";
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
	if (!worker_has_ended(w))
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
	siginfo_t info;

	(void)what;
	if (w->hosted)
		end_hosted(w);
	if (loop_reap(fd, &info) < 0 || info.si_pid == 0)
		return;
	/* its last words may be in the pipe yet; a grandchild may hold it open, so no more than it can hold */
	for (int i = 0; i < 16 && w->state < WORKER_KILLING && event_pending(w->on_status, EV_READ, NULL);
		i++)
		if (worker_read_status(w) != LINE_READER_AGAIN)
			break;
	describe_exit(&info, how, sizeof(how));
	if (worker_state_next(w->state, WORKER_REAPED)->failure)
		worker_lose(w, info.si_code == CLD_EXITED ? WORKER_END_EXITED : WORKER_END_SIGNALLED,
			info.si_code == CLD_EXITED ? "exited with %s%s" : "was killed by %s%s", how,
			explain_exit(w, &info));
	settle_connections(w);
	worker_step(w, WORKER_REAPED, how);
}

/* Is it in that state yet, and its time over? */
static bool
is_overdue(const struct worker *w, enum worker_state state)
{
	return w->state == state && !event_pending(w->on_deadline, EV_TIMEOUT, NULL);
}

/* Hears what it has said and nobody has read yet. */
static void
hear_out(struct worker *w)
{
	enum worker_state state = w->state;

	/* the pipe holds 64 KiB at most … */
	for (int i = 0; i < 16 && is_overdue(w, state) && event_pending(w->on_status, EV_READ, NULL); i++)
		worker_on_status(w->status_fd, EV_READ, w);
	/* … and a socket some hundred messages (net.unix.max_dgram_qlen, net.core.rmem_default) */
	for (int i = 0; i < 512 && is_overdue(w, state) && w->hosted && hosted_hear(w->hosted); i++)
		;
}

/*
 * Its time is over; but was it the worker that kept silent? The master may have stood still itself (SIGSTOP, a container that was frozen).
 * Then what the worker has said waits to be read; or it stood still too, and gets its time once more. But no third time, as a master that
 * is always late would never find out.
 */
static bool
is_reprieved(struct worker *w)
{
	enum worker_state state = w->state;
	bool late = clock_now_us() > w->deadline_us + WORKER_LATENESS_US;

	if (state > WORKER_READY)
		return false;
	hear_out(w);
	if (!is_overdue(w, state))
		return true;
	if (!late || w->reprieved)
		return false;
	worker_arm_deadline(w, worker_timeout(w));
	w->reprieved = true;
	return true;
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
		worker_step(w, WORKER_DEADLINE, reasons[w->state]);
		return;
	}
	if (!w->hung)
		log_event(LOG_ERR, EVENT_WORKER_FAILED, WORKER_ABOUT(w),
			"%s: still there %.0f s after SIGKILL", worker_name(w, name),
			(double)(clock_now_us() - w->state_since_us) / (double)US_PER_SEC);
	w->hung = false; /* SIGABRT has had its time */
	worker_strike(w);
	worker_arm_deadline(w, worker_timeout(w));
}

int
worker_watch(struct worker *w)
{
	struct event_base *base = w->host->base;

	w->on_exit = loop_on_end(base, w->pidfd, on_exit_event, w);
	w->on_status = event_new(base, w->status_fd, EV_READ | EV_PERSIST, worker_on_status, w);
	w->on_deadline = evtimer_new(base, on_deadline, w);
	w->on_eof_grace = evtimer_new(base, worker_on_eof_grace, w);
	if (!w->on_exit || !w->on_status || !w->on_deadline || !w->on_eof_grace)
		return -ENOMEM;
	if (event_add(w->on_exit, NULL) < 0 || event_add(w->on_status, NULL) < 0)
		return -EIO;
	return 0;
}
