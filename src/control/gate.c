/*
 * One address where the control server is asked.
 */
#include "control/gate.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pace.h"
#include "master/loop.h"
#include "master/unix_socket.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define GATE_BACKLOG 64
/* Accepted per wake-up: a flood must leave the loop to workers and signals … */
#define GATE_BATCH 4
/* … and the processor to everybody: a tenth of the time; of rest, so much may be owed. */
#define GATE_REST      9
#define GATE_CREDIT_US (100 * US_PER_MS)
/* How long nothing is accepted when there is no descriptor or memory for it. */
#define GATE_PAUSE_US (100 * US_PER_MS)

struct gate {
	char *address;
	int fd;
	bool is_unix;
	bool short_of; /* of descriptors or memory, since the queue was last accepted empty */
	ino_t inode;
	struct pace pace;
	struct event *on_readable, *on_pause_over;
	gate_fn *on_connection;
	void *arg;
};

/* Closed, and nowhere yet. */
static struct gate *
gate_make(void)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		return NULL;
	gate->fd = -1;
	gate->pace = (struct pace){ .rest = GATE_REST, .credit_us = GATE_CREDIT_US };
	return gate;
}

static struct gate *
gate_new(const char *address)
{
	struct gate *gate = gate_make();

	if (!gate)
		return NULL;
	gate->address = strdup(address);
	if (gate->address)
		return gate;
	gate_close(gate);
	errno = ENOMEM;
	return NULL;
}

/* Hands it out, or gives it up for that error. */
static struct gate *
finish(struct gate *gate, int fd)
{
	if (fd >= 0) {
		gate->fd = fd;
		return gate;
	}
	gate_close(gate);
	errno = -fd;
	return NULL;
}

struct gate *
gate_unix(const struct config_listen *spec)
{
	struct gate *gate = gate_new(spec->path);

	if (!gate)
		return NULL;
	gate->is_unix = true;
	return finish(gate, unix_socket_listen(spec, &gate->inode));
}

/* Cuts "[::1]:9125" apart, in place. */
static bool
split_address(char *address, char **ret_host, char **ret_port)
{
	char *colon = strrchr(address, ':');

	if (!colon || colon == address || !colon[1])
		return false;
	*colon = '\0';
	*ret_port = colon + 1;
	*ret_host = address;
	if (*address != '[')
		return strchr(address, ':') == NULL;
	if (colon[-1] != ']')
		return false;
	colon[-1] = '\0';
	*ret_host = address + 1;
	return true;
}

static int
listen_tcp(const struct addrinfo *info)
{
	const int on = 1;
	cleanup_fd int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, GATE_BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

struct gate *
gate_tcp(const char *address)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct gate *gate = gate_new(address);
	cleanup_free char *copy = strdup(address);
	struct addrinfo *info;
	char *host, *port;
	int fd;

	if (!gate || !copy)
		return gate ? finish(gate, -ENOMEM) : NULL;
	if (!split_address(copy, &host, &port) || getaddrinfo(host, port, &hints, &info) != 0)
		return finish(gate, -EINVAL);
	fd = listen_tcp(info);
	freeaddrinfo(info);
	return finish(gate, fd);
}

const char *
gate_address(const struct gate *gate)
{
	return gate->address;
}

bool
gate_is_there(const struct gate *gate)
{
	return !gate->is_unix || unix_socket_is_there(gate->address, gate->inode);
}

int
gate_set_access(const struct gate *gate, mode_t mode, gid_t gid)
{
	return unix_socket_give(gate->address, (uid_t)-1, gid == (gid_t)-1 ? getegid() : gid, mode);
}

static void
pause_accepting(struct gate *gate, uint64_t us)
{
	struct timeval tv = clock_timeval(us);

	if (us == 0)
		return;
	event_del(gate->on_readable);
	event_add(gate->on_pause_over, &tv);
}

static void
note_shortage(struct gate *gate)
{
	if (!gate->short_of) /* said once for a shortage, not ten times a second */
		log_warning("control: cannot accept on %s: %s", gate->address, strerror(errno));
	gate->short_of = true;
	pause_accepting(gate, GATE_PAUSE_US);
}

/* event: the pause is over */
static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = clock_timeval(GATE_PAUSE_US);
	struct gate *gate = arg;

	(void)fd, (void)what;
	if (event_add(gate->on_readable, NULL) < 0) /* no memory for a moment */
		event_add(gate->on_pause_over, &again);
}

static void
accept_some(struct gate *gate)
{
	for (int i = 0; i < GATE_BATCH; i++) {
		int fd = accept4(gate->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			gate->on_connection(fd, gate->arg);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return note_shortage(gate);
		else if (errno == EAGAIN) {
			gate->short_of = false;
			return;
		}
	}
}

/* event: somebody knocks */
static void
on_readable(evutil_socket_t listener, short what, void *arg)
{
	struct gate *gate = arg;
	uint64_t began_us = clock_work_us();

	(void)listener, (void)what;
	accept_some(gate);
	if (!gate->short_of)
		pause_accepting(gate, pace_work(&gate->pace, clock_now_us(), clock_work_us() - began_us));
}

int
gate_open(struct gate *gate, struct event_base *base, gate_fn *on_connection, void *arg)
{
	if (gate->on_readable)
		return 0;
	gate->on_connection = on_connection;
	gate->arg = arg;
	gate->on_pause_over = evtimer_new(base, on_pause_over, gate);
	gate->on_readable = event_new(base, gate->fd, EV_READ | EV_PERSIST, on_readable, gate);
	if (!gate->on_readable || !gate->on_pause_over ||
		event_priority_set(gate->on_readable, LOOP_PRIORITY_CLIENTS) < 0 ||
		event_add(gate->on_readable, NULL) < 0)
		return -ENOMEM;
	return 0;
}

void
gate_close(struct gate *gate)
{
	if (!gate)
		return;
	if (gate->on_readable)
		event_free(gate->on_readable);
	if (gate->on_pause_over)
		event_free(gate->on_pause_over);
	if (gate->is_unix && gate->fd >= 0)
		unix_socket_unlink(gate->address, gate->inode);
	fd_close(&gate->fd);
	free(gate->address);
	free(gate);
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_STRING(struct gate, address),
	HERITAGE_FD(struct gate, fd),
	HERITAGE_BOOL(struct gate, is_unix),
	HERITAGE_BOOL(struct gate, short_of),
	HERITAGE_NUMBER(struct gate, inode, UINT64_MAX),
	HERITAGE_END,
};

json_t *
gate_save(struct heritage *h, const struct gate *gate)
{
	return heritage_save(h, fields, gate);
}

struct gate *
gate_load(struct heritage *h, const json_t *json)
{
	struct gate *gate = gate_make();

	if (!gate) {
		heritage_refuse(h, "out of memory");
		return NULL;
	}
	if (heritage_load(h, fields, json, gate) &&
		(gate->address || heritage_refuse(h, "a control address has no name")))
		return gate;
	gate_close(gate);
	return NULL;
}
