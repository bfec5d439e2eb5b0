/*
 * A process that looks whether a hosted program accepts connections.
 */
#include "master/lookout.h"

#include "base/fd.h"
#include "master/loop.h"
#include "master/spawn.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

struct lookout {
	int pidfd; /* -1: it has been reaped */
	struct event *on_exit;
	lookout_fn *on_found;
	void *arg;
};

/* event: the pidfd */
static void
on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct lookout *l = arg;
	siginfo_t info;

	(void)what;
	if (loop_reap(fd, &info) < 0 || info.si_pid == 0)
		return;
	event_del(l->on_exit);
	fd_close(&l->pidfd);
	l->on_found(info.si_code == CLD_EXITED && info.si_status == 0, l->arg);
}

static int
start_process(
	const char *program, const struct identity *identity, pid_t session, uint64_t inode, int *ret_pidfd)
{
	char session_text[16], inode_text[24];
	const char *const argv[] = { program, "--accepting", session_text, inode_text, NULL };
	const struct spawn spawn = { .argv = argv,
		.listener_names = "",
		.control_fd = -1,
		.status_fd = -1,
		.config_fd = -1,
		.stats_fd = -1,
		.handoff_fd = -1,
		.stdout_fd = -1,
		.identity = identity };
	pid_t pid;

	snprintf(session_text, sizeof(session_text), "%d", (int)session);
	snprintf(inode_text, sizeof(inode_text), "%" PRIu64, inode);
	return spawn_process(&spawn, &pid, ret_pidfd);
}

struct lookout *
lookout_start(struct event_base *base, const char *program, const struct identity *identity, pid_t session,
	uint64_t inode, lookout_fn *on_found, void *arg)
{
	struct lookout *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l)
		return NULL;
	*l = (struct lookout){ .pidfd = -1, .on_found = on_found, .arg = arg };
	r = start_process(program, identity, session, inode, &l->pidfd);
	if (r == 0) {
		l->on_exit = loop_on_end(base, l->pidfd, on_exit_event, l);
		r = l->on_exit && event_add(l->on_exit, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (r == 0)
		return l;
	lookout_free(l);
	errno = -r;
	return NULL;
}

void
lookout_free(struct lookout *l)
{
	if (!l)
		return;
	if (l->on_exit)
		event_free(l->on_exit);
	if (l->pidfd >= 0) {
		/* it does nothing but read what the kernel makes up: it ends at once */
		pidfd_send_signal(l->pidfd, SIGKILL, NULL, 0);
		waitid(P_PIDFD, (id_t)l->pidfd, NULL, WEXITED);
	}
	fd_close(&l->pidfd);
	free(l);
}
