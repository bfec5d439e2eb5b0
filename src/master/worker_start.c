/*
 * How a worker comes to be.
 */
#include "master/worker.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/log_event.h"
#include "master/worker_orders.h"
#include "master/worker_step.h"
#include "master/worker_watch.h"
#include "master/worker_words.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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
	const struct hosted_host host = worker_hosted_host(w);
	struct spawn spawn = *base;
	struct hosted_ends ends;
	int r = 0;

	w->hosted = hosted_new(&host, worker_exec(w), &ends);
	if (!w->hosted)
		r = -errno;
	ends.spawn.ports = sockets->ports;
	if (ends.spawn.notify)
		ends.spawn.watchdog_us = w->generation->config->hang_timeout_us;
	spawn.argv = (const char *const *)worker_exec(w)->command;
	spawn.program = ends.program;
	spawn.config_fd = spawn.handoff_fd = -1;
	spawn.stdout_fd = ends.output_fd;
	spawn.hosted = &ends.spawn;
	if (r == 0)
		r = spawn_process(&spawn, &w->pid, &w->pidfd);
	if (r == 0)
		r = hosted_begin(w->hosted, worker_exec(w), WORKER_ABOUT(w), sockets->fd[0]);
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
	worker_tell_upstreams(w);
	return worker_exec(w) ? start_hosted(w, &spawn, sockets) : spawn_process(&spawn, &w->pid, &w->pidfd);
}

/* The process runs, but can't be watched: it must not stay. */
static void
kill_unwatched(struct worker *w)
{
	if (w->pidfd < 0)
		return;
	worker_signal_all(w, SIGKILL);
	waitid(P_PIDFD, (id_t)w->pidfd, NULL, WEXITED);
}

struct worker *
worker_start(const struct worker_host *host, unsigned slot, struct generation *generation,
	const struct worker_sockets *sockets, const char *reason)
{
	struct worker *w = worker_new(host, generation);
	struct ends ends = ENDS_NONE;
	struct event_about about;
	char name[64];
	int r = -ENOMEM;

	if (w) {
		w->slot = slot;
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
		r = worker_watch(w);
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
	worker_arm_deadline(w, worker_timeout(w));
	about = *WORKER_ABOUT(w);
	about.from = "new";
	about.to = worker_state_name(w->state);
	about.reason = reason;
	log_event(LOG_INFO, EVENT_WORKER_STATE, &about, "%s: new -> starting (%s)", worker_name(w, name),
		reason);
	return w;
}
