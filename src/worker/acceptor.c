/*
 * Accepting connections.
 */
#include "worker/acceptor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "worker/episode.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Connections for each wake-up of a listener. A wake-up comes once in a round of the loop, so beside
 * many busy connections a small batch starves those who come: with 1,000 of them always busy, 1, 8,
 * 16 and 64 gave 1,300, 2,100, 2,900 and 3,400 new connections a second. (By itself the batch saves
 * nothing: about 34 us of processor time a connection with each.) And those who are there already
 * wait for one batch, here some 150 us.
 */
#define ACCEPT_BATCH 16

/*
 * The most that one queue can hold; a bound that is only met when connections arrive as fast as
 * they are accepted.
 */
#define ACCEPT_DRAIN_MAX SOMAXCONN

/* How long to wait for descriptors or memory. Nothing tells when others give some back. */
#define EXHAUSTED_PAUSE_US (100 * US_PER_MS)

/* How long between two looks at a socket that does not listen yet, see wait_to_listen: at least, and as a part of the time so far. */
#define EARLY_PAUSE_US   (2 * US_PER_MS)
#define EARLY_PAUSE_PART 1000

struct listener {
	struct acceptor *acceptor;
	struct event *event;
	struct event *retry; /* see wait_to_listen */
	int fd;              /* -1: closed */
	char *name;
	bool listens; /* it was seen to */
	uint64_t early_since_us;
};

struct acceptor {
	const struct acceptor_handler *handler;
	void *arg;
	struct event *pause_end;
	struct episode exhaustion;   /* of descriptors or memory */
	bool started, full, pausing; /* accepts when started, and neither of the others */
	bool draining;               /* accepts what waits, full or not, for the last time */
	size_t n_open;               /* listeners with fd >= 0 */
	size_t n_listeners;
	struct listener listeners[];
};

static void
listener_close(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	if (listener->event)
		event_free(listener->event);
	if (listener->retry)
		event_free(listener->retry);
	listener->event = listener->retry = NULL;
	fd_close(&listener->fd);
	listener->acceptor->n_open--;
}

/* Makes the events follow the flags. False when there was no memory to watch one of the sockets. */
static bool
follow_flags(struct acceptor *acceptor)
{
	bool accepts = acceptor->started && !acceptor->full && !acceptor->pausing;
	bool all = true;

	for (size_t i = 0; i < acceptor->n_listeners; i++) {
		struct event *event = acceptor->listeners[i].event;

		if (event && accepts)
			all &= event_add(event, NULL) == 0;
		else if (event)
			event_del(event);
	}
	return all;
}

/*
 * Descriptors or memory have run out: an event that stays ready would make the loop spin, so nobody
 * looks at it for a while.
 */
static void
exhausted(struct acceptor *acceptor, int error)
{
	struct timeval pause = clock_timeval(EXHAUSTED_PAUSE_US);

	if (episode_begin(&acceptor->exhaustion))
		log_warning("cannot accept connections: %s; they wait, it is tried every %d ms",
			strerror(error), (int)(EXHAUSTED_PAUSE_US / US_PER_MS));
	acceptor->pausing = true;
	event_add(acceptor->pause_end, &pause);
	follow_flags(acceptor);
}

/* A socket that is not watched is one whose clients wait for ever: then it is tried again. */
static void
acceptor_update(struct acceptor *acceptor)
{
	if (!follow_flags(acceptor))
		exhausted(acceptor, ENOMEM);
}

/* event: the pause is over */
static void
on_pause_end(evutil_socket_t fd, short what, void *arg)
{
	struct acceptor *acceptor = arg;

	(void)fd;
	(void)what;
	acceptor->pausing = false;
	acceptor_update(acceptor);
	episode_pause(&acceptor->exhaustion);
}

/* An episode_fn */
static void
on_recovered(uint64_t lasted_us, void *arg)
{
	(void)arg;
	log_notice("connections can be accepted again, after %.1f s", (double)lasted_us / US_PER_SEC);
}

/*
 * The socket itself is at fault: it does not listen any more, or is none. Its event would stay
 * ready for ever.
 */
static void
broken(struct listener *listener, int error)
{
	struct acceptor *acceptor = listener->acceptor;

	log_error("cannot accept connections on %s any more: %s", listener->name, strerror(error));
	listener_close(listener);
	if (acceptor->n_open == 0 && !acceptor->draining)
		acceptor->handler->on_deaf(acceptor->arg);
}

/* What may stand in accept4's way. */
enum obstacle {
	OBSTACLE_NONE,      /* the connection had an error of its own, or a signal came: go on with the
			   next */
	OBSTACLE_EMPTY,     /* the queue */
	OBSTACLE_EXHAUSTED, /* descriptors or memory */
	OBSTACLE_BROKEN,    /* the listening socket */
};

static enum obstacle
obstacle_of(int error)
{
	switch (error) {
	case EAGAIN:
		return OBSTACLE_EMPTY;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC: /* epoll's user limit */
		return OBSTACLE_EXHAUSTED;
	case EBADF:
	case EFAULT:
	case EINVAL:
	case ENOTSOCK:
		return OBSTACLE_BROKEN;
	default: /* accept(2): network errors already pending on the new socket, and EPERM of a
		    firewall */
		return OBSTACLE_NONE;
	}
}

/* event: it may listen by now */
static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	acceptor_update(listener->acceptor);
}

/*
 * A socket of an address that a reload brings may not listen before the reload is committed, when all workers are ready. The kernel tells
 * nobody, so it is tried again, ever more seldom, since a roll that failed may leave it so; unless the reload was reverted: then nobody can
 * wait there. (One that has listened before is broken.)
 */
static void
wait_to_listen(struct listener *listener)
{
	uint64_t now = clock_now_us(), part;
	struct timeval pause;

	if (listener->acceptor->draining)
		return;
	if (listener->early_since_us == 0)
		listener->early_since_us = now;
	part = (now - listener->early_since_us) / EARLY_PAUSE_PART;
	pause = clock_timeval(part > EARLY_PAUSE_US ? part : EARLY_PAUSE_US);
	event_del(listener->event);
	event_add(listener->retry, &pause);
}

/* Accepts one and hands it on. */
static enum obstacle
accept_one(struct listener *listener)
{
	struct acceptor *acceptor = listener->acceptor;
	cleanup_fd int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	enum obstacle obstacle = fd < 0 ? obstacle_of(errno) : OBSTACLE_NONE;
	int error = errno, r;

	if (fd >= 0) {
		r = acceptor->handler->on_connection(fd, acceptor->arg);
		if (r == 0)
			take_fd(&fd);
		else
			obstacle = OBSTACLE_EXHAUSTED, error = -r;
	}
	if (obstacle == OBSTACLE_EXHAUSTED)
		exhausted(acceptor, error);
	if (obstacle == OBSTACLE_NONE || obstacle == OBSTACLE_EMPTY)
		listener->listens = true;
	if (obstacle == OBSTACLE_BROKEN && error == EINVAL && !listener->listens)
		wait_to_listen(listener);
	else if (obstacle == OBSTACLE_BROKEN)
		broken(listener, error);
	return obstacle;
}

/* Accepts up to `max`, unless something stops it. */
static void
accept_some(struct listener *listener, int max)
{
	struct acceptor *acceptor = listener->acceptor;

	for (int i = 0; i < max && (acceptor->draining || !acceptor->full); i++)
		if (accept_one(listener) != OBSTACLE_NONE)
			break;
}

/* event: somebody waits in the queue */
static void
on_waiting(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	accept_some(arg, ACCEPT_BATCH);
}

/*
 * No waiting for more bytes before a small answer is sent. Accepted sockets have this from their
 * listener, at no system call for each. A UNIX socket knows no such thing.
 */
static void
set_nodelay(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static bool
does_listen(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

static int
listener_init(struct listener *listener, struct acceptor *acceptor, struct event_base *base,
	struct inherited_listener *inherited)
{
	listener->acceptor = acceptor;
	listener->fd = take_fd(&inherited->fd);
	listener->name = take_ptr(inherited->name);
	acceptor->n_open++;
	/* another worker with the same socket may be faster; programs of others may want it as it was born */
	fd_set_nonblock(listener->fd, true);
	listener->listens = does_listen(listener->fd);
	set_nodelay(listener->fd);
	listener->event = event_new(base, listener->fd, EV_READ | EV_PERSIST, on_waiting, listener);
	listener->retry = evtimer_new(base, on_retry, listener);
	return listener->event && listener->retry ? 0 : -ENOMEM;
}

struct acceptor *
acceptor_new(struct event_base *base, struct inheritance *inheritance, const struct acceptor_handler *handler,
	void *arg)
{
	size_t n = inheritance->n_listeners;
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor) + n * sizeof(struct listener));
	int r = 0;

	if (!acceptor)
		return NULL;
	acceptor->handler = handler;
	acceptor->arg = arg;
	acceptor->n_listeners = n;
	for (size_t i = 0; i < n; i++)
		if (listener_init(&acceptor->listeners[i], acceptor, base, &inheritance->listeners[i]) < 0)
			r = -ENOMEM;
	acceptor->pause_end = evtimer_new(base, on_pause_end, acceptor);
	if (r < 0 || !acceptor->pause_end || event_priority_set(acceptor->pause_end, 0) < 0 ||
		episode_init(&acceptor->exhaustion, base, on_recovered, NULL) < 0) {
		acceptor_free(acceptor);
		return NULL;
	}
	return acceptor;
}

void
acceptor_free(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	acceptor_close(acceptor);
	for (size_t i = 0; i < acceptor->n_listeners; i++)
		free(acceptor->listeners[i].name);
	if (acceptor->pause_end)
		event_free(acceptor->pause_end);
	episode_done(&acceptor->exhaustion);
	free(acceptor);
}

void
acceptor_start(struct acceptor *acceptor)
{
	acceptor->started = true;
	acceptor_update(acceptor);
}

void
acceptor_set_full(struct acceptor *acceptor, bool full)
{
	if (acceptor->full == full)
		return;
	acceptor->full = full;
	acceptor_update(acceptor);
}

void
acceptor_drain(struct acceptor *acceptor)
{
	acceptor->draining = true;
	for (size_t i = 0; i < acceptor->n_listeners; i++)
		if (acceptor->listeners[i].fd >= 0)
			accept_some(&acceptor->listeners[i], ACCEPT_DRAIN_MAX);
	acceptor_close(acceptor);
}

void
acceptor_close(struct acceptor *acceptor)
{
	if (acceptor->pause_end)
		event_del(acceptor->pause_end);
	for (size_t i = 0; i < acceptor->n_listeners; i++)
		listener_close(&acceptor->listeners[i]);
}
