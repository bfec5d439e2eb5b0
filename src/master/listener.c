/*
 * One address that is listened on: opening, growing, closing its sockets.
 */
#include "master/listener.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "master/log_event.h"
#include "master/selector.h"
#include "master/unix_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

/* A TCP address as the kernel wants it. */
struct tcp_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

static void
use_ipv4(struct tcp_address *ret, struct in_addr address, unsigned port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = address,
	};

	memcpy(&ret->sa, &sin, sizeof(sin));
	ret->len = sizeof(sin);
}

static void
use_ipv6(struct tcp_address *ret, struct in6_addr address, unsigned port)
{
	struct sockaddr_in6 sin6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = address,
	};

	memcpy(&ret->sa, &sin6, sizeof(sin6));
	ret->len = sizeof(sin6);
}

/* Is there IPv6 at all? Where not, "all addresses" are those of IPv4. */
static bool
have_ipv6(void)
{
	cleanup_fd int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0;
}

static int
find_tcp_address(const struct config_listen *spec, struct tcp_address *ret)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (!spec->address && (have_ipv6() || spec->ipv6_only))
		use_ipv6(ret, in6addr_any, spec->port);
	else if (!spec->address)
		use_ipv4(ret, (struct in_addr){ INADDR_ANY }, spec->port);
	else if (inet_pton(AF_INET, spec->address, &v4) == 1)
		use_ipv4(ret, v4, spec->port);
	else if (inet_pton(AF_INET6, spec->address, &v6) == 1)
		use_ipv6(ret, v6, spec->port);
	else
		return -EINVAL;
	return 0;
}

/* Like all that workers inherit it is born blocking, as other programs expect it; the master never accepts. */
static int
listen_unix(const struct config_listen *spec, ino_t *ret_inode)
{
	int fd = unix_socket_listen(spec, ret_inode);

	if (fd >= 0)
		fd_set_nonblock(fd, false);
	return fd;
}

/* A bound socket. With `shared`, beside those of the same group. */
static int
bind_tcp(const struct config_listen *spec, const struct tcp_address *address, bool shared)
{
	const int on = 1, v6_only = spec->ipv6_only;
	cleanup_fd int fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return -errno;
	if (address->sa.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address->sa, address->len) < 0)
		return -errno;
	return take_fd(&fd);
}

/*
 * SO_REUSEPORT lets any process of the same account join the group and take a share of the clients: a second
 * daemon started by mistake would do so unnoticed. So the first bind on a port is tried without it.
 */
static int
check_port_free(const struct config_listen *spec, const struct tcp_address *address,
	const struct listener_list *others)
{
	const struct listener *other;
	int fd;

	TAILQ_FOREACH(other, others, entry)
		if (other->port == spec->port)
			return 0;
	fd = bind_tcp(spec, address, false);
	if (fd < 0)
		return fd;
	fd_close(&fd);
	return 0;
}

/* Makes room for n sockets. */
static int
reserve(struct listener *listener, unsigned n)
{
	int *fd = realloc(listener->fd, n * sizeof(*fd));
	bool *live;

	if (!fd)
		return -ENOMEM;
	listener->fd = fd;
	live = realloc(listener->live, n * sizeof(*live));
	if (!live)
		return -ENOMEM;
	listener->live = live;
	return 0;
}

/* Adds TCP sockets until there are n. They listen in ascending order: that makes the selector's indices ours. */
static int
add_tcp(struct listener *listener, const struct config_listen *spec, unsigned n)
{
	struct tcp_address address;
	int r = find_tcp_address(spec, &address);

	if (r == 0)
		r = reserve(listener, n);
	while (r == 0 && listener->n_fd < n) {
		cleanup_fd int fd = bind_tcp(spec, &address, true);

		if (fd < 0)
			return fd;
		if (listener->listening && listen(fd, spec->backlog) < 0)
			return -errno;
		/* a socket that joins a group under a selector gets nothing until it is chosen */
		listener->live[listener->n_fd] = !listener->has_selector;
		listener->fd[listener->n_fd++] = take_fd(&fd);
	}
	return r;
}

static int
open_tcp(struct listener *listener, const struct config_listen *spec, unsigned n,
	const struct listener_list *others)
{
	struct tcp_address address;
	int r = find_tcp_address(spec, &address);

	if (r == 0)
		r = check_port_free(spec, &address, others);
	if (r == 0)
		r = add_tcp(listener, spec, n);
	return r;
}

static int
open_unix(struct listener *listener, const struct config_listen *spec)
{
	int fd, r = reserve(listener, 1);

	if (r < 0)
		return r;
	listener->path = strdup(spec->path);
	if (!listener->path)
		return -ENOMEM;
	fd = listen_unix(spec, &listener->inode);
	if (fd < 0)
		return fd;
	listener->live[listener->n_fd] = true;
	listener->fd[listener->n_fd++] = fd;
	return 0;
}

static int
open_systemd(struct listener *listener, const struct config_listen *spec, const struct listen_fds *passed)
{
	int r = reserve(listener, (unsigned)passed->n + 1);

	listener->borrowed = true;
	for (size_t i = 0; r == 0 && i < passed->n; i++) {
		if (!text_equal(passed->fd[i].name, spec->name))
			continue;
		if (sd_is_socket(passed->fd[i].fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
			return -EPROTOTYPE;
		r = fd_set_nonblock(passed->fd[i].fd, true);
		listener->live[listener->n_fd] = true;
		listener->fd[listener->n_fd++] = passed->fd[i].fd;
	}
	return r == 0 && listener->n_fd == 0 ? -ENOENT : r;
}

/* What an error means to the person who wrote the configuration. */
static const char *
explain(const struct config_listen *spec, int error)
{
	if (spec->kind == CONFIG_LISTEN_SYSTEMD && error == -ENOENT)
		return "systemd passed no socket of that name";
	if (spec->kind == CONFIG_LISTEN_SYSTEMD && error == -EPROTOTYPE)
		return "this socket of systemd's is no listening stream socket (Accept=no is needed)";
	if (spec->kind == CONFIG_LISTEN_UNIX && error == -EEXIST)
		return "the path exists and is no socket";
	if (spec->kind == CONFIG_LISTEN_UNIX && error == -EADDRINUSE)
		return "another process listens there";
	return strerror(-error);
}

static void
add_problem(struct problems *problems, const struct config_listen *spec, const char *address, int error)
{
	problems_add(
		problems, spec->file, spec->line, "cannot listen on %s: %s", address, explain(spec, error));
}

struct listener *
listener_open(const struct config_listen *spec, unsigned n, bool late, const struct listener_list *others,
	const struct listen_fds *passed, struct problems *problems)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r = -ENOMEM;

	if (listener) {
		listener->kind = spec->kind;
		listener->port = spec->kind == CONFIG_LISTEN_TCP ? spec->port : 0;
		listener->listening = !late;
		listener->backlog = (int)spec->backlog;
		listener->address = config_listen_text(spec);
		listener->where = (struct config_listen){
			.kind = spec->kind,
			.address = spec->address ? strdup(spec->address) : NULL,
			.port = spec->port,
			.ipv6_only = spec->ipv6_only,
		};
	}
	if (!listener || !listener->address || (spec->address && !listener->where.address))
		r = -ENOMEM;
	else if (spec->kind == CONFIG_LISTEN_TCP)
		r = open_tcp(listener, spec, n, others);
	else if (spec->kind == CONFIG_LISTEN_UNIX)
		r = open_unix(listener, spec);
	else
		r = open_systemd(listener, spec, passed);
	if (r == 0)
		return listener;
	add_problem(problems, spec, listener && listener->address ? listener->address : "a socket", r);
	listener_close(listener);
	return NULL;
}

/*
 * The path leads nowhere, or to somebody else's socket: another one of ours takes its place. Workers that are there serve the
 * old one, whose clients they have, until they leave.
 */
static int
renew_unix(struct listener *listener, const struct config_listen *spec)
{
	ino_t inode;
	int fd, r = reserve(listener, 2);

	if (r < 0)
		return r;
	fd = listen_unix(spec, &inode);
	if (fd < 0)
		return fd;
	log_event(LOG_NOTICE, EVENT_LISTENER, NULL, "%s was removed or replaced by somebody: bound anew",
		listener->address);
	listener->lost_inode = listener->inode;
	listener->inode = inode;
	listener->live[listener->n_fd] = true;
	listener->fd[listener->n_fd++] = fd;
	return 0;
}

static bool
grow_unix(struct listener *listener, const struct config_listen *spec, struct problems *problems)
{
	int r = 0;

	if (listener->n_fd == 1 && !unix_socket_is_there(listener->path, listener->inode))
		r = renew_unix(listener, spec);
	if (r < 0)
		add_problem(problems, spec, listener->address, r);
	return r == 0;
}

bool
listener_grow(
	struct listener *listener, const struct config_listen *spec, unsigned n, struct problems *problems)
{
	unsigned before = listener->n_fd;
	int r;

	if (listener->kind == CONFIG_LISTEN_UNIX)
		return grow_unix(listener, spec, problems);
	if (listener->kind != CONFIG_LISTEN_TCP || before >= n)
		return true;
	/* what joins must get nothing until it is served, so the present sockets are chosen first */
	if (!listener->has_selector)
		listener->has_selector = selector_attach(listener->fd[0], listener->live, before) == 0;
	r = add_tcp(listener, spec, n);
	if (r == 0)
		return true;
	add_problem(problems, spec, listener->address, r);
	listener_shrink(listener, before);
	return false;
}

void
listener_shrink(struct listener *listener, unsigned n)
{
	if (listener->kind == CONFIG_LISTEN_UNIX && n == 1 && listener->n_fd == 2) {
		unix_socket_unlink(listener->path, listener->inode);
		listener->inode = listener->lost_inode;
		fd_close(&listener->fd[--listener->n_fd]);
	}
	if (listener->kind != CONFIG_LISTEN_TCP)
		return;
	/* from the top: closing any other would give its index to the last */
	while (listener->n_fd > n)
		fd_close(&listener->fd[--listener->n_fd]);
}

/* Who connected to the path's former socket is with the workers, which have it too. */
static void
forget_lost(struct listener *listener)
{
	if (listener->kind != CONFIG_LISTEN_UNIX || listener->n_fd < 2)
		return;
	fd_close(&listener->fd[0]);
	listener->fd[0] = listener->fd[--listener->n_fd];
}

void
listener_apply(struct listener *listener, const struct config_listen *spec)
{
	int r = 0;

	forget_lost(listener);
	if (listener->kind == CONFIG_LISTEN_UNIX)
		r = unix_socket_set_access(listener->path, spec);
	/* on a listening socket, listen only sets the backlog */
	for (unsigned i = 0; listener->kind != CONFIG_LISTEN_SYSTEMD && i < listener->n_fd; i++)
		if (listen(listener->fd[i], spec->backlog) < 0)
			r = -errno;
	if (r < 0)
		log_event(LOG_WARNING, EVENT_LISTENER, NULL, "cannot change the settings of %s: %s",
			listener->address, explain(spec, r));
}

void
listener_select(struct listener *listener, const bool *live, unsigned n)
{
	bool wanted[CONFIG_WORKERS_MAX], changed = false, any = false;

	if (listener->kind != CONFIG_LISTEN_TCP || listener->n_fd < 2)
		return;
	for (unsigned i = 0; i < listener->n_fd; i++) {
		wanted[i] = i < n && live[i];
		any |= wanted[i];
		changed |= wanted[i] != listener->live[i];
	}
	/* what the kernel refuses is tried again when the pool looks next */
	if (!any || !changed || selector_attach(listener->fd[0], wanted, listener->n_fd) < 0)
		return;
	memcpy(listener->live, wanted, listener->n_fd * sizeof(*wanted));
	listener->has_selector = true;
}

void
listener_begin(struct listener *listener)
{
	if (listener->listening)
		return;
	listener->listening = true;
	/* in ascending order: that makes the selector's indices ours */
	for (unsigned i = 0; i < listener->n_fd; i++)
		if (listen(listener->fd[i], listener->backlog) < 0)
			log_event(LOG_ERR, EVENT_LISTENER, NULL, "cannot listen on %s: %s", listener->address,
				strerror(errno));
}

void
listener_hide(struct listener *listener)
{
	for (unsigned i = 0; listener->kind == CONFIG_LISTEN_TCP && i < listener->n_fd; i++)
		selector_hide(listener->fd[i]);
}

void
listener_close(struct listener *listener)
{
	if (!listener)
		return;
	/* the path goes first: who finds it must find somebody who answers */
	if (listener->path && listener->n_fd > 0)
		unix_socket_unlink(listener->path, listener->inode);
	while (listener->n_fd > 0 && !listener->borrowed)
		fd_close(&listener->fd[--listener->n_fd]);
	free(listener->fd);
	free(listener->live);
	free(listener->path);
	free(listener->where.address);
	free(listener->address);
	free(listener);
}

struct listener *
listener_find(const struct listener_list *list, const char *address)
{
	struct listener *listener;

	TAILQ_FOREACH(listener, list, entry)
		if (strcmp(listener->address, address) == 0)
			return listener;
	return NULL;
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_STRING(struct listener, address),
	HERITAGE_NUMBER(struct listener, kind, CONFIG_LISTEN_SYSTEMD),
	HERITAGE_NUMBER(struct listener, port, UINT16_MAX),
	HERITAGE_NUMBER(struct listener, where.kind, CONFIG_LISTEN_SYSTEMD),
	HERITAGE_STRING(struct listener, where.address),
	HERITAGE_NUMBER(struct listener, where.port, UINT16_MAX),
	HERITAGE_BOOL(struct listener, where.ipv6_only),
	HERITAGE_BOOL(struct listener, covered),
	HERITAGE_NUMBER(struct listener, n_committed, CONFIG_WORKERS_MAX),
	HERITAGE_BOOL(struct listener, has_selector),
	HERITAGE_NUMBER(struct listener, backlog, INT_MAX),
	HERITAGE_BOOL(struct listener, listening),
	HERITAGE_STRING(struct listener, path),
	HERITAGE_NUMBER(struct listener, inode, UINT64_MAX),
	HERITAGE_BOOL(struct listener, borrowed),
	HERITAGE_REST("sockets"), /* each { fd, live }; a borrowed one by its place among those passed */
	HERITAGE_END,
};

/* A socket, with the selector's choice. */
struct socket_state {
	int fd;
	unsigned place; /* instead, when it is borrowed */
	bool live;
};

static const struct heritage_field socket_fields[] = {
	HERITAGE_FD(struct socket_state, fd),
	HERITAGE_BOOL(struct socket_state, live),
	HERITAGE_END,
};

static const struct heritage_field borrowed_fields[] = {
	HERITAGE_NUMBER(struct socket_state, place, UINT32_MAX),
	HERITAGE_BOOL(struct socket_state, live),
	HERITAGE_END,
};

json_t *
listener_save(struct heritage *h, const struct listener *listener, const struct listen_fds *passed)
{
	json_t *json = heritage_save(h, fields, listener), *sockets = json_array();

	for (unsigned i = 0; i < listener->n_fd; i++) {
		struct socket_state s = { .fd = listener->fd[i], .live = listener->live[i] };

		while (listener->borrowed && passed->fd[s.place].fd != s.fd)
			s.place++;
		heritage_add(h, sockets,
			heritage_save(h, listener->borrowed ? borrowed_fields : socket_fields, &s));
	}
	heritage_set(h, json, "sockets", sockets);
	return json;
}

static bool
load_sockets(
	struct heritage *h, struct listener *listener, const json_t *sockets, const struct listen_fds *passed)
{
	size_t n = json_array_size(sockets), max = listener->borrowed ? passed->n : CONFIG_WORKERS_MAX;

	if (n == 0 || n > max || reserve(listener, (unsigned)n) < 0)
		return heritage_refuse(h, "%s has no sockets, or too many", listener->address);
	for (size_t i = 0; i < n; i++) {
		struct socket_state s = { .fd = -1 };

		if (!heritage_load(h, listener->borrowed ? borrowed_fields : socket_fields,
			    json_array_get(sockets, i), &s))
			return false;
		if (listener->borrowed && s.place >= passed->n)
			return heritage_refuse(h, "%s has a socket that nobody passed", listener->address);
		listener->live[i] = s.live;
		listener->fd[i] = listener->borrowed ? passed->fd[s.place].fd : s.fd;
		listener->n_fd++;
	}
	return true;
}

static bool
is_sound(const struct listener *listener)
{
	return listener->address && (listener->kind == CONFIG_LISTEN_UNIX) == (listener->path != NULL) &&
	       (listener->kind == CONFIG_LISTEN_SYSTEMD) == listener->borrowed;
}

struct listener *
listener_load(struct heritage *h, const json_t *json, const struct listen_fds *passed)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	bool good;

	if (!listener) {
		heritage_refuse(h, "out of memory");
		return NULL;
	}
	good = heritage_load(h, fields, json, listener) &&
	       (is_sound(listener) || heritage_refuse(h, "a listener is not what it seems")) &&
	       load_sockets(h, listener, json_object_get(json, "sockets"), passed);
	if (h->trial) { /* the path is its owner's */
		free(listener->path);
		listener->path = NULL;
	}
	if (good)
		return listener;
	listener_close(listener);
	return NULL;
}
