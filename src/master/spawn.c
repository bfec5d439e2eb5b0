/*
 * Starting a program under the worker contract.
 *
 * The environment is made before the child; between its birth and exec it makes system calls only.
 */
#include "master/spawn.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/timeslice.h"
#include "ipc/contract.h"
#include "ipc/message.h"
#include "master/heritage.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>

/* Variables that belong to the master alone, or are set anew for each worker. */
static const char *const withheld[] = {
	CONTRACT_ENV_LISTEN_FDS,
	CONTRACT_ENV_LISTEN_PID,
	CONTRACT_ENV_LISTEN_FDNAMES,
	CONTRACT_ENV_CONTROL_FD,
	CONTRACT_ENV_STATUS_FD,
	CONTRACT_ENV_CONFIG_FD,
	CONTRACT_ENV_STATS_FD,
	CONTRACT_ENV_HANDOFF_FD,
	CONTRACT_ENV_SLOT,
	CONTRACT_ENV_GENERATION,
	HERITAGE_ENV,
	"SERVER_STARTER_PORT",
	"SERVER_STARTER_GENERATION",
	"EINHORN_FD_COUNT",
	"NOTIFY_SOCKET",
	"WATCHDOG_PID",
	"WATCHDOG_USEC",
	"MAINPID",
};

enum {
	SETTINGS_MAX = 16, /* of our own, but for one a listener */
	PID_DIGITS = 20,
	CHILD_STACK =
		64 * 1024, /* the descriptors of SPAWN_LISTENERS_MAX, and room for a C library's functions */
};

/* The child's environment: the master's strings and the configuration's, borrowed, and our own. */
struct environment {
	char **all; /* NULL at the end */
	char **own;
	size_t n_own, max_own;
	char *pid_digits;      /* in LISTEN_PID=, to be filled in by the child */
	char *watchdog_digits; /* in WATCHDOG_PID=, likewise; NULL: there is none */
};

static bool
is_same_name(const char *setting, const char *other)
{
	size_t len = strcspn(setting, "=");

	return strncmp(setting, other, len) == 0 && (other[len] == '=' || other[len] == '\0');
}

static bool
is_withheld(const char *setting)
{
	for (size_t i = 0; i < ARRAY_LEN(withheld); i++)
		if (is_same_name(setting, withheld[i]))
			return true;
	return strncmp(setting, "EINHORN_FD_", strlen("EINHORN_FD_")) == 0;
}

static bool
is_among(char *const *settings, const char *setting)
{
	for (; settings && *settings; settings++)
		if (is_same_name(setting, *settings))
			return true;
	return false;
}

static void
environment_done(struct environment *env)
{
	for (size_t i = 0; i < env->n_own; i++)
		free(env->own[i]);
	free(env->own);
	free(env->all);
}

/* Adds one of our own; takes `setting`, which is NULL when there was no memory for it. */
static int
environment_add(struct environment *env, char *setting)
{
	if (!setting)
		return -ENOMEM;
	assert(env->n_own < env->max_own);
	env->own[env->n_own++] = setting;
	return 0;
}

/* One whose value is the process's number. */
static int
environment_add_pid(struct environment *env, const char *name, char **ret_digits)
{
	char *setting = text_format("%s=%*s", name, PID_DIGITS, "");

	*ret_digits = setting ? strchr(setting, '=') + 1 : NULL;
	return environment_add(env, setting);
}

static int
add_descriptor(struct environment *env, const char *name, int source, int *next_fd)
{
	if (source < 0)
		return 0;
	return environment_add(env, text_format("%s=%d", name, (*next_fd)++));
}

/* The contract, as we have it. */
static int
add_contract(struct environment *env, const struct spawn *spawn)
{
	int fd = CONTRACT_LISTEN_FIRST + (int)spawn->n_listeners;

	if (environment_add_pid(env, CONTRACT_ENV_LISTEN_PID, &env->pid_digits) < 0 ||
		environment_add(env, text_format("LISTEN_FDS=%zu", spawn->n_listeners)) < 0 ||
		environment_add(env, text_format("LISTEN_FDNAMES=%s", spawn->listener_names)) < 0 ||
		add_descriptor(env, CONTRACT_ENV_CONTROL_FD, spawn->control_fd, &fd) < 0 ||
		add_descriptor(env, CONTRACT_ENV_STATUS_FD, spawn->status_fd, &fd) < 0 ||
		add_descriptor(env, CONTRACT_ENV_CONFIG_FD, spawn->config_fd, &fd) < 0 ||
		add_descriptor(env, CONTRACT_ENV_STATS_FD, spawn->stats_fd, &fd) < 0 ||
		add_descriptor(env, CONTRACT_ENV_HANDOFF_FD, spawn->handoff_fd, &fd) < 0 ||
		environment_add(env, text_format("GRACEFULD_SLOT=%u", spawn->slot)) < 0 ||
		environment_add(env, text_format("GRACEFULD_GENERATION=%" PRIu64, spawn->generation)) < 0)
		return -ENOMEM;
	return 0;
}

/* The same sockets in the words of Server::Starter and of einhorn, and what systemd says beside them. */
static int
add_hosted(struct environment *env, const struct spawn *spawn)
{
	const struct spawn_hosted *hosted = spawn->hosted;

	if (environment_add(env, text_format("SERVER_STARTER_PORT=%s", hosted->ports)) < 0 ||
		environment_add(env, text_format("SERVER_STARTER_GENERATION=%" PRIu64, spawn->generation)) <
			0 ||
		environment_add(env, text_format("EINHORN_FD_COUNT=%zu", spawn->n_listeners)) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < spawn->n_listeners; i++)
		if (environment_add(env, text_format("EINHORN_FD_%zu=%zu", i, CONTRACT_LISTEN_FIRST + i)) < 0)
			return -ENOMEM;
	if (hosted->notify && environment_add(env, text_format("NOTIFY_SOCKET=%s", hosted->notify)) < 0)
		return -ENOMEM;
	if (hosted->watchdog_us == 0)
		return 0;
	if (environment_add_pid(env, "WATCHDOG_PID", &env->watchdog_digits) < 0)
		return -ENOMEM;
	return environment_add(env, text_format("WATCHDOG_USEC=%" PRIu64, hosted->watchdog_us));
}

static size_t
count(char *const *settings)
{
	size_t n = 0;

	while (settings && settings[n])
		n++;
	return n;
}

/* The master's, but for what the configuration sets; then that; then what is ours to say. */
static int
merge(struct environment *env, char *const *more)
{
	size_t used = 0;

	env->all = calloc(count(environ) + count(more) + env->n_own + 1, sizeof(*env->all));
	if (!env->all)
		return -ENOMEM;
	for (char **setting = environ; *setting; setting++)
		if (!is_withheld(*setting) && !is_among(more, *setting))
			env->all[used++] = *setting;
	for (; more && *more; more++)
		if (!is_withheld(*more))
			env->all[used++] = *more;
	memcpy(env->all + used, env->own, env->n_own * sizeof(*env->own));
	return 0;
}

static int
environment_init(struct environment *env, const struct spawn *spawn)
{
	*env = (struct environment){ .max_own = SETTINGS_MAX + spawn->n_listeners };
	env->own = calloc(env->max_own, sizeof(*env->own));
	if (!env->own || add_contract(env, spawn) < 0 || (spawn->hosted && add_hosted(env, spawn) < 0))
		return -ENOMEM;
	return merge(env, spawn->hosted ? spawn->hosted->environment : NULL);
}

/*
 * Lines the descriptors up from 3 on and closes all others. In two rounds, because a source may stand where
 * another one has to go: first all are copied out of the way, then into place, where they lose close-on-exec.
 */
static int
place_descriptors(const struct spawn *spawn)
{
	const int rest[] = { spawn->control_fd, spawn->status_fd, spawn->config_fd, spawn->stats_fd,
		spawn->handoff_fd };
	int n = (int)spawn->n_listeners, high[SPAWN_LISTENERS_MAX + ARRAY_LEN(rest)];
	int floor = CONTRACT_LISTEN_FIRST + n + (int)ARRAY_LEN(rest);

	for (int i = 0; i < n; i++)
		if ((high[i] = fcntl(spawn->listeners[i], F_DUPFD_CLOEXEC, floor)) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_LEN(rest); i++)
		if (rest[i] >= 0 && (high[n++] = fcntl(rest[i], F_DUPFD_CLOEXEC, floor)) < 0)
			return -errno;
	for (int i = 0; i < n; i++)
		if (dup2(high[i], CONTRACT_LISTEN_FIRST + i) < 0)
			return -errno;
	if (close_range(CONTRACT_LISTEN_FIRST + (unsigned)n, ~0u, 0) < 0)
		return -errno;
	return 0;
}

/* Standard input from nowhere, standard output where it is wanted. */
static int
place_standard(const struct spawn *spawn)
{
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	if (spawn->stdout_fd >= 0 && dup2(spawn->stdout_fd, STDOUT_FILENO) < 0)
		return -errno;
	if (spawn->hosted && dup2(spawn->stdout_fd, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

/*
 * /dev/stderr is opened anew by who writes to it by that name, which takes the pipe's owner. Who may not give it away has no other account
 * either, or the name has to do without.
 */
static void
give_output(const struct identity *to)
{
	if (to->change)
		(void)!fchown(STDOUT_FILENO, to->uid, to->gid);
}

/* The master blocks and ignores signals, which exec would pass on. */
static void
reset_signals(void)
{
	struct sigaction def = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &def, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
limit_open_files(unsigned n)
{
	struct rlimit limit;

	if (n == 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = n;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static void
write_pid(char *digits)
{
	unsigned pid = (unsigned)getpid();
	int n = 0;

	for (unsigned rest = pid; rest > 0; rest /= 10)
		n++;
	digits[n] = '\0';
	for (; n > 0; pid /= 10)
		digits[--n] = (char)('0' + pid % 10);
}

/* Why execve has failed. Of a script that is there, it is not this name that is missing. */
static const char *
describe_exec(const char *program, int error)
{
	return error == ENOENT && access(program, F_OK) == 0 ? "its interpreter is missing" : strerror(error);
}

/*
 * Says why this process never came to be what it should: on the status pipe in the words of the contract; one
 * that has none, as a plain line where its output is read.
 */
static _Noreturn void
fail_in_child(int status_fd, const char *what, const char *program, const char *error)
{
	char text[512], line[MESSAGE_MAX];

	snprintf(text, sizeof(text), "cannot %s %s: %s", what, program, error);
	if (status_fd >= 0)
		(void)!write(status_fd, line, message_format_text(line, MESSAGE_FAILED, text));
	else
		dprintf(STDOUT_FILENO, "%s\n", text);
	_exit(EX_OSERR);
}

/* As the account that it is now: root may not look into every folder, and whoever changes accounts loses this signal. */
static int
settle(const struct spawn_hosted *hosted, pid_t master)
{
	if (hosted->directory && chdir(hosted->directory) < 0)
		return -errno;
	if (hosted->parent_death_signal == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, hosted->parent_death_signal) < 0)
		return -errno;
	return getppid() == master ? 0 : -ESRCH; /* it died before */
}

/* What the child is to become. */
struct child {
	const struct spawn *spawn;
	struct environment *env;
	pid_t master;
};

/* The child's whole life. It returns to nobody. */
static int
run_child(void *arg)
{
	const struct child *child = arg;
	const struct spawn *spawn = child->spawn;
	const char *program = spawn->program ? spawn->program : spawn->argv[0];
	/* where place_descriptors puts the status pipe; until then the master's own copy serves */
	int status_fd = spawn->status_fd, r;

	/* until it is ready: others serve meanwhile */
	if (!spawn->hosted)
		timeslice_lengthen();
	reset_signals();
	write_pid(child->env->pid_digits);
	if (child->env->watchdog_digits)
		write_pid(child->env->watchdog_digits);
	/* a session of its own, so that nothing of it is ever in the master's; it can't fail, as no leader is born */
	if (spawn->hosted)
		setsid();
	r = place_standard(spawn);
	if (r < 0)
		fail_in_child(status_fd, "prepare", program, strerror(-r));
	r = place_descriptors(spawn);
	if (r < 0)
		fail_in_child(status_fd, "pass descriptors to", program, strerror(-r));
	if (status_fd >= 0)
		status_fd = CONTRACT_LISTEN_FIRST + (int)spawn->n_listeners + (spawn->control_fd >= 0);
	r = limit_open_files(spawn->open_files);
	if (r < 0)
		fail_in_child(status_fd, "set limits.open_files for", program, strerror(-r));
	if (spawn->hosted)
		give_output(spawn->identity);
	r = identity_assume(spawn->identity, !spawn->hosted);
	if (r < 0)
		fail_in_child(status_fd, "change the account for", program, strerror(-r));
	r = spawn->hosted ? settle(spawn->hosted, child->master) : 0;
	if (r < 0)
		fail_in_child(status_fd, "enter the folder of", program, strerror(-r));
	execve(program, (char *const *)(uintptr_t)spawn->argv, child->env->all);
	fail_in_child(status_fd, "run", program, describe_exec(program, errno));
}

/*
 * Starts the child with all signals blocked: one that comes before it is what it is to be waits until then. (The master has no
 * handlers, which would write into a pipe that both share: a SIGTERM to a worker that was just born would stop the master.)
 *
 * A child that is to become our own program borrows the master's memory until exec, as posix_spawn(3) does it: a copy would have to be
 * made of the page tables, and then of each page that either one writes. The master
 * stands still meanwhile, so this is not for a program of others, whose folder may be on a file system that does not answer. For both:
 * the child has the master's descriptors and signal handlers as copies, and a stack of its own.
 */
static int
start_child(struct child *child, pid_t *ret_pid, int *ret_pidfd)
{
	int borrowed = child->spawn->hosted ? 0 : CLONE_VM | CLONE_VFORK, r;
	cleanup_free char *stack = malloc(CHILD_STACK);
	sigset_t all, before;

	if (!stack)
		return -ENOMEM;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	/* its end is 16-byte aligned, as malloc's blocks are */
	r = clone(run_child, stack + CHILD_STACK, borrowed | CLONE_PIDFD | SIGCHLD, child, ret_pidfd);
	r = r < 0 ? -errno : r;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	*ret_pid = r;
	return 0;
}

int
spawn_process(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd)
{
	struct environment env;
	struct child child = { .spawn = spawn, .env = &env, .master = getpid() };
	int r = -E2BIG;

	if (spawn->n_listeners > SPAWN_LISTENERS_MAX)
		return r;
	r = environment_init(&env, spawn);
	if (r == 0)
		r = start_child(&child, ret_pid, ret_pidfd);
	environment_done(&env);
	return r;
}
