/*
 * Reaping children that nobody else knows.
 */
#include "master/stray.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "master/loop.h"

#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

struct stray {
	LIST_ENTRY(stray) entry;
	int pidfd;
	struct event *on_exit;
};

static void
stray_free(struct stray *stray)
{
	LIST_REMOVE(stray, entry);
	if (stray->on_exit)
		event_free(stray->on_exit);
	fd_close(&stray->pidfd);
	free(stray);
}

/* event: the pidfd */
static void
on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	siginfo_t info;

	(void)what;
	if (loop_reap(fd, &info) < 0 || info.si_pid > 0)
		stray_free(arg);
}

static void
stray_add(struct stray_list *list, struct event_base *base, pid_t pid)
{
	struct stray *stray = calloc(1, sizeof(*stray));

	if (!stray)
		return;
	LIST_INSERT_HEAD(list, stray, entry);
	stray->pidfd = pidfd_open(pid, 0);
	if (stray->pidfd >= 0)
		stray->on_exit = loop_on_end(base, stray->pidfd, on_exit_event, stray);
	if (!stray->on_exit || event_add(stray->on_exit, NULL) < 0)
		stray_free(stray);
}

static FILE *
open_children(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	return fopen(path, "re");
}

/* One look at them. How many are there yet. */
static size_t
look_at_adopted(bool (*is_known)(pid_t pid, void *arg), void *arg, bool also_kill)
{
	cleanup_file FILE *children = open_children();
	pid_t session = getsid(0);
	size_t left = 0;
	int pid;

	while (children && fscanf(children, "%d", &pid) == 1) {
		siginfo_t info = { 0 };

		/* what we have started ourselves is waited for by whoever did */
		if (getsid(pid) == session || is_known(pid, arg))
			continue;
		if (also_kill)
			kill(pid, SIGKILL);
		left += waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0;
	}
	return left;
}

/* A child that has ended and is not reaped yet, whoever has to do it; the kernel names always the same. 0: there is none. */
static pid_t
find_ended(void)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

static bool
reap(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid;
}

/*
 * Asked at the end of every child. To look at all of them would cost a roll the square of its workers: only those that have ended are
 * asked for, and all are looked at where one that is somebody else's to reap hides the others.
 */
void
stray_reap_adopted(bool (*is_known)(pid_t pid, void *arg), void *arg)
{
	pid_t session = getsid(0), pid;

	while ((pid = find_ended()) > 0) {
		if (getsid(pid) == session || is_known(pid, arg) || !reap(pid)) {
			(void)look_at_adopted(is_known, arg, false);
			return;
		}
	}
}

void
stray_kill_adopted(bool (*is_known)(pid_t pid, void *arg), void *arg)
{
	const struct timespec pause = { .tv_nsec = US_PER_MS * 1000 };
	uint64_t end_us = clock_now_us() + STRAY_KILL_TIMEOUT_US;
	size_t before = 1, left;

	/* Twice nobody: what the last one left behind has come by then. */
	while (((left = look_at_adopted(is_known, arg, true)) > 0 || before > 0) && clock_now_us() < end_us) {
		before = left;
		if (left > 0)
			nanosleep(&pause, NULL);
	}
}

void
stray_find(
	struct stray_list *list, struct event_base *base, bool (*is_known)(pid_t pid, void *arg), void *arg)
{
	cleanup_file FILE *children = open_children();
	int pid;

	while (children && fscanf(children, "%d", &pid) == 1)
		if (!is_known(pid, arg))
			stray_add(list, base, pid);
}

void
stray_done(struct stray_list *list)
{
	while (!LIST_EMPTY(list))
		stray_free(LIST_FIRST(list));
}
