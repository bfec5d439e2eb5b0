/*
 * Asks the worker program whether it likes a configuration.
 */
#include "master/checker.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "ipc/line_reader.h"
#include "master/loop.h"
#include "master/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>

struct checker {
	const char *program;
	struct problems *problems;
	size_t n_before; /* problems that were there already */
	checker_fn *on_done;
	void *arg;
	int pidfd;
	int output_fd;
	struct line_reader reader;
	struct event *on_exit, *on_output, *on_deadline;
};

static void
checker_free(struct checker *c)
{
	struct event *const events[] = { c->on_exit, c->on_output, c->on_deadline };

	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i])
			event_free(events[i]);
	fd_close(&c->output_fd);
	fd_close(&c->pidfd);
	free(c);
}

/* The one way in which a check ends that is not cancelled. */
static void
finish(struct checker *c)
{
	checker_fn *on_done = c->on_done;
	void *arg = c->arg;

	checker_free(c);
	on_done(arg);
}

/* A line_fn: each line of the output is a problem, its place included. */
static int
on_line(char *line, void *arg)
{
	struct checker *c = arg;

	problems_add(c->problems, NULL, 0, "%s", line);
	return 0;
}

static bool
read_output(struct checker *c)
{
	if (line_reader_read(&c->reader, c->output_fd, on_line, c) == LINE_READER_AGAIN)
		return true;
	event_del(c->on_output);
	return false;
}

/* event: the pipe */
static void
on_output(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	read_output(arg);
}

/* event: the pidfd */
static void
on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct checker *c = arg;
	siginfo_t info;
	char rest[400];

	(void)what;
	if (loop_reap(fd, &info) < 0 || info.si_pid == 0)
		return;
	/* what it said last; the pipe holds 64 KiB at most */
	for (int i = 0; i < 17 && event_pending(c->on_output, EV_READ, NULL); i++)
		if (!read_output(c))
			break;
	if (c->reader.len >
		0) { /* a line without its end, or one with control characters: it is no silence */
		text_escape(rest, sizeof(rest), c->reader.data, c->reader.len);
		problems_add(c->problems, NULL, 0, "%s", rest);
	}
	if (info.si_code != CLD_EXITED)
		problems_add(c->problems, c->program, 0, "the check was killed by signal %d, %s",
			info.si_status, strsignal(info.si_status));
	else if (info.si_status != EX_OK && c->problems->n == c->n_before)
		problems_add(c->problems, c->program, 0, "the check failed with status %d", info.si_status);
	finish(c);
}

/* event: the pidfd of a process that was killed */
static void
on_killed(evutil_socket_t fd, short what, void *arg)
{
	siginfo_t info;

	(void)what, (void)arg;
	loop_reap(fd, &info);
	close(fd);
}

/*
 * event: it takes too long. The answer does not wait for the end of the process, which may be caught in the
 * kernel; from here on its pidfd is the event base's, nobody else knows of it. (When there is no memory even for
 * that, it stays a zombie.)
 */
static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct checker *c = arg;

	(void)fd, (void)what;
	problems_add(c->problems, c->program, 0, "the check did not end within %d s",
		(int)(CHECKER_TIMEOUT_US / US_PER_SEC));
	pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
	event_del(c->on_exit);
	if (event_base_once(event_get_base(c->on_exit), c->pidfd, EV_READ, on_killed, NULL, NULL) == 0)
		take_fd(&c->pidfd);
	finish(c);
}

static int
start_process(const char *program, const struct generation *generation, struct checker_process *ret)
{
	const char *const argv[] = { program, "--check", NULL };
	int ends[2], r;
	pid_t pid;
	struct spawn spawn = {
		.argv = argv,
		.listener_names = "",
		.control_fd = -1,
		.status_fd = -1,
		.config_fd = generation->config_fd,
		.stats_fd = -1,
		.handoff_fd = -1,
		.generation = generation->number,
		.identity = &generation->identity,
	};

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	ret->output_fd = ends[0];
	spawn.stdout_fd = ends[1];
	r = fd_set_nonblock(ends[0], true);
	if (r == 0)
		r = spawn_process(&spawn, &pid, &ret->pidfd);
	close(ends[1]);
	return r;
}

static int
make_events(struct checker *c, struct event_base *base)
{
	struct timeval timeout = clock_timeval(CHECKER_TIMEOUT_US);

	c->on_exit = loop_on_end(base, c->pidfd, on_exit_event, c);
	c->on_output = event_new(base, c->output_fd, EV_READ | EV_PERSIST, on_output, c);
	c->on_deadline = evtimer_new(base, on_deadline, c);
	if (!c->on_exit || !c->on_output || !c->on_deadline)
		return -ENOMEM;
	event_priority_set(c->on_output, LOOP_PRIORITY_CLIENTS); /* it may never end */
	if (event_add(c->on_exit, NULL) < 0 || event_add(c->on_output, NULL) < 0 ||
		event_add(c->on_deadline, &timeout) < 0)
		return -EIO;
	return 0;
}

static void
kill_and_reap(int pidfd)
{
	if (pidfd < 0)
		return;
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	waitid(P_PIDFD, (id_t)pidfd, NULL, WEXITED);
}

struct checker *
checker_watch(struct event_base *base, const char *program, struct checker_process process,
	struct problems *problems, checker_fn *on_done, void *arg)
{
	struct checker *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		kill_and_reap(process.pidfd);
		fd_close(&process.pidfd);
		fd_close(&process.output_fd);
		return NULL;
	}
	*c = (struct checker){ .program = program,
		.problems = problems,
		.n_before = problems->n,
		.on_done = on_done,
		.arg = arg,
		.pidfd = process.pidfd,
		.output_fd = process.output_fd };
	line_reader_init(&c->reader);
	r = make_events(c, base);
	if (r == 0)
		return c;
	checker_cancel(c);
	errno = -r;
	return NULL;
}

struct checker *
checker_start(struct event_base *base, const char *program, const struct generation *generation,
	struct problems *problems, checker_fn *on_done, void *arg)
{
	struct checker_process process = { -1, -1 };
	int r = start_process(program, generation, &process);

	if (r == 0)
		return checker_watch(base, program, process, problems, on_done, arg);
	fd_close(&process.output_fd);
	errno = -r;
	return NULL;
}

void
checker_cancel(struct checker *c)
{
	if (!c)
		return;
	kill_and_reap(c->pidfd);
	checker_free(c);
}
