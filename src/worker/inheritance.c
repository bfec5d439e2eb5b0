/*
 * Reading what a worker is born with. A descriptor is not only a number that is open: it is looked
 * at, because a worker that talks into the wrong pipe would do worse than one that doesn't start.
 */
#include "worker/inheritance.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/text.h"
#include "ipc/contract.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Every variable of the contract. */
static const char *const variables[] = {
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
};

bool
inheritance_is_there(void)
{
	return getenv(CONTRACT_ENV_CONTROL_FD) || getenv(CONTRACT_ENV_STATUS_FD);
}

/* A number within limits. 0, or -EINVAL with *ret_error. */
static int
take_number(const char *variable, uint64_t min, uint64_t max, uint64_t *ret, char **ret_error)
{
	const char *text = getenv(variable);
	char shown[32];
	uint64_t value;

	if (!text) {
		*ret_error = text_format("%s is not set", variable);
		return -EINVAL;
	}
	if (text_parse_u64(text, &value) < 0 || value < min || value > max) {
		text_escape(shown, sizeof(shown), text, strlen(text));
		*ret_error = text_format("%s: not a number that could be meant: %s", variable, shown);
		return -EINVAL;
	}
	*ret = value;
	return 0;
}

static bool
is_pipe(int fd, int wanted)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	return flags >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
	       ((flags & O_ACCMODE) == wanted || (flags & O_ACCMODE) == O_RDWR);
}

static bool
is_control_pipe(int fd)
{
	return is_pipe(fd, O_RDONLY);
}

static bool
is_status_pipe(int fd)
{
	return is_pipe(fd, O_WRONLY);
}

static bool
is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool
is_socket(int fd, int wanted)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == wanted;
}

/* Bound, but maybe not listening yet: see acceptor.c. */
static bool
is_listener(int fd)
{
	return is_socket(fd, SOCK_STREAM);
}

static bool
is_channel(int fd)
{
	return is_socket(fd, SOCK_SEQPACKET);
}

struct descriptor {
	const char *variable;
	const char *what; /* it should be */
	bool (*is_right)(int fd);
	bool blocks; /* reading or writing it could, so it is made non-blocking */
};

static const struct descriptor control_pipe = { CONTRACT_ENV_CONTROL_FD, "the read end of a pipe",
	is_control_pipe, true };
static const struct descriptor status_pipe = { CONTRACT_ENV_STATUS_FD, "the write end of a pipe",
	is_status_pipe, true };
static const struct descriptor config_file = { CONTRACT_ENV_CONFIG_FD, "a file", is_file, false };
static const struct descriptor stats_file = { CONTRACT_ENV_STATS_FD, "a file", is_file, false };
static const struct descriptor channel = { CONTRACT_ENV_HANDOFF_FD, "a SOCK_SEQPACKET socket", is_channel,
	true };
static const struct descriptor listener = { CONTRACT_ENV_LISTEN_FDS, "a stream socket", is_listener, true };

/* Checks one descriptor and sets its flags. 0, or -EINVAL with *ret_error. */
static int
adopt(const struct descriptor *descriptor, int fd, char **ret_error)
{
	if (!descriptor->is_right(fd)) {
		*ret_error = text_format(
			"%s: descriptor %d is not %s", descriptor->variable, fd, descriptor->what);
		return -EINVAL;
	}
	if (fd_set_cloexec(fd, true) < 0 || (descriptor->blocks && fd_set_nonblock(fd, true) < 0)) {
		*ret_error = text_format(
			"%s: cannot set the flags of descriptor %d: %m", descriptor->variable, fd);
		return -EINVAL;
	}
	return 0;
}

static int
take_descriptor(const struct descriptor *descriptor, int *ret, char **ret_error)
{
	uint64_t fd;
	int r;

	r = take_number(descriptor->variable, CONTRACT_LISTEN_FIRST, INT_MAX, &fd, ret_error);
	if (r == 0)
		r = adopt(descriptor, (int)fd, ret_error);
	if (r == 0)
		*ret = (int)fd;
	return r;
}

/* Names the listeners. 0, or -EINVAL with *ret_error. */
static int
take_names(struct inheritance *ret, char **ret_error)
{
	const char *names = getenv(CONTRACT_ENV_LISTEN_FDNAMES);
	cleanup_free char *copy = names ? strdup(names) : NULL;
	char *rest = copy, *name;
	size_t n = 0;

	while ((name = strsep(&rest, ":"))) {
		if (n < ret->n_listeners && !(ret->listeners[n].name = strdup(name)))
			return -EINVAL;
		n++;
	}
	if (n != ret->n_listeners) {
		*ret_error = text_format("%s: %zu names for %zu listening sockets",
			CONTRACT_ENV_LISTEN_FDNAMES, n, ret->n_listeners);
		return -EINVAL;
	}
	return 0;
}

static int
take_listeners(struct inheritance *ret, char **ret_error)
{
	uint64_t pid = 0, n = 0;
	int r;

	r = take_number(CONTRACT_ENV_LISTEN_PID, 1, INT_MAX, &pid, ret_error);
	if (r == 0 && pid != (uint64_t)getpid()) {
		*ret_error = text_format("%s: meant for process %d, but this is process %d",
			CONTRACT_ENV_LISTEN_PID, (int)pid, (int)getpid());
		return -EINVAL;
	}
	if (r == 0)
		r = take_number(CONTRACT_ENV_LISTEN_FDS, 1, INT_MAX - CONTRACT_LISTEN_FIRST, &n, ret_error);
	/* all are looked at before memory is taken for them: n may be nonsense */
	for (uint64_t i = 0; r == 0 && i < n; i++)
		r = adopt(&listener, CONTRACT_LISTEN_FIRST + (int)i, ret_error);
	if (r < 0)
		return r;
	ret->listeners = calloc((size_t)n, sizeof(*ret->listeners));
	if (!ret->listeners)
		return -EINVAL;
	ret->n_listeners = (size_t)n;
	for (size_t i = 0; i < ret->n_listeners; i++)
		ret->listeners[i].fd = CONTRACT_LISTEN_FIRST + (int)i;
	return take_names(ret, ret_error);
}

/*
 * No descriptor may serve two ends: closing the one would close the other. (Pipes and sockets can't
 * be files.)
 */
static int
check_distinct(const struct inheritance *inheritance, char **ret_error)
{
	if (inheritance->config_fd != inheritance->stats_fd &&
		inheritance->control_fd != inheritance->status_fd)
		return 0;
	*ret_error = text_format("%s, %s, %s, %s: a descriptor is named twice", CONTRACT_ENV_CONTROL_FD,
		CONTRACT_ENV_STATUS_FD, CONTRACT_ENV_CONFIG_FD, CONTRACT_ENV_STATS_FD);
	return -EINVAL;
}

static void
clear_environment(void)
{
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
}

int
inheritance_take(struct inheritance *ret, char **ret_error)
{
	int r;

	*ret = INHERITANCE_NONE;
	*ret_error = NULL;
	r = take_descriptor(&status_pipe, &ret->status_fd, ret_error); /* first, to tell of the others */
	if (r == 0)
		r = take_descriptor(&control_pipe, &ret->control_fd, ret_error);
	if (r == 0)
		r = take_descriptor(&config_file, &ret->config_fd, ret_error);
	if (r == 0)
		r = take_descriptor(&stats_file, &ret->stats_fd, ret_error);
	if (r == 0 && getenv(CONTRACT_ENV_HANDOFF_FD))
		r = take_descriptor(&channel, &ret->handoff_fd, ret_error);
	if (r == 0)
		r = check_distinct(ret, ret_error);
	if (r == 0)
		r = take_number(CONTRACT_ENV_SLOT, 0, UINT32_MAX, &ret->slot, ret_error);
	if (r == 0)
		r = take_number(CONTRACT_ENV_GENERATION, 1, UINT64_MAX, &ret->generation, ret_error);
	if (r == 0)
		r = take_listeners(ret, ret_error);
	clear_environment();
	return r;
}

int
inheritance_take_config(int *ret_fd, char **ret_error)
{
	int r;

	*ret_error = NULL;
	r = take_descriptor(&config_file, ret_fd, ret_error);
	clear_environment();
	return r;
}

void
inheritance_done(struct inheritance *inheritance)
{
	for (size_t i = 0; i < inheritance->n_listeners; i++) {
		fd_close(&inheritance->listeners[i].fd);
		free(inheritance->listeners[i].name);
	}
	free(inheritance->listeners);
	inheritance->listeners = NULL;
	inheritance->n_listeners = 0;
	fd_close(&inheritance->control_fd);
	fd_close(&inheritance->status_fd);
	fd_close(&inheritance->config_fd);
	fd_close(&inheritance->stats_fd);
	fd_close(&inheritance->handoff_fd);
}
