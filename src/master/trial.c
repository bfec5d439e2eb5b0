/*
 * Trying a new program.
 */
#include "master/trial.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>

/* Variables of the master alone: a trial tells systemd nothing. */
static const char *const withheld[] = { "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=" };

static void
withhold(char **environment)
{
	size_t used = 0;
	bool is_own;

	for (size_t i = 0; environment[i]; i++) {
		is_own = false;
		for (size_t k = 0; k < ARRAY_LEN(withheld); k++)
			is_own |= strncmp(environment[i], withheld[k], strlen(withheld[k])) == 0;
		if (!is_own)
			environment[used++] = environment[i];
	}
	environment[used] = NULL;
}

/* `program`, the option, and the arguments of the master. */
static const char **
make_arguments(const char *program, char *const *argv)
{
	size_t n = 0;
	const char **arguments;

	while (argv[n])
		n++;
	arguments = calloc(n + 3, sizeof(*arguments));
	if (!arguments)
		return NULL;
	arguments[0] = program;
	arguments[1] = TRIAL_OPTION;
	for (size_t i = 1; i < n; i++)
		arguments[i + 1] = argv[i];
	return arguments;
}

/* In the child, system calls only. Its standard output and error are the pipe; what the trial reads stays open. */
static _Noreturn void
run_child(const char *const *arguments, char *const *environment, const struct heritage *heritage, int output)
{
	struct sigaction def = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;
	bool good = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
	            dup2(output, STDERR_FILENO) >= 0;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &def, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; good && i < heritage->n_read; i++)
		good = fd_set_cloexec(heritage->fd[i], false) == 0;
	if (good)
		execve(arguments[0], (char *const *)(uintptr_t)arguments, environment);
	dprintf(output, "cannot run %s: %s\n", arguments[0], strerror(errno));
	_exit(EX_OSERR);
}

static int
start_process(const char *const *arguments, char *const *environment, const struct heritage *heritage,
	struct checker_process *ret)
{
	cleanup_fd int read_end = -1, write_end = -1;
	int ends[2], r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_end = ends[0];
	write_end = ends[1];
	r = fd_set_nonblock(read_end, true);
	pid = r < 0 ? -1 : fork();
	if (pid == 0)
		run_child(arguments, environment, heritage, write_end);
	if (pid < 0)
		return r < 0 ? r : -errno;
	ret->pidfd = pidfd_open(pid, 0);
	if (ret->pidfd < 0) {
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	ret->output_fd = take_fd(&read_end);
	return 0;
}

struct checker *
trial_start(struct event_base *base, const char *program, char *const *argv, const struct heritage *heritage,
	int state_fd, struct problems *problems, checker_fn *on_done, void *arg)
{
	char **environment = heritage_environment(state_fd);
	const char **arguments = make_arguments(program, argv);
	struct checker_process process = { .pidfd = -1, .output_fd = -1 };
	int r = environment && arguments ? 0 : -ENOMEM;

	if (r == 0) {
		withhold(environment);
		r = start_process(arguments, environment, heritage, &process);
	}
	heritage_environment_free(environment);
	free(arguments);
	if (r == 0)
		return checker_watch(base, program, process, problems, on_done, arg);
	errno = -r;
	return NULL;
}

bool
trial_is_passed(const struct problems *problems)
{
	size_t n = problems_kept(problems);

	/* as its last word: what comes before may be a warning; a crash afterwards is said behind it */
	return n > 0 && problems->n == n && strcmp(problems->text[n - 1], TRIAL_ANSWER) == 0;
}
