/*
 * The connections of a service: raw libevent events, one for each connection.
 */
#include "service/connection.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* The part of an answer that the socket did not take. */
struct unsent {
	size_t at, len; /* at < len: data[at … len) is still to go */
	char data[];
};

/*
 * A connection's whole state is its descriptor and what is unsent: what was read has been answered
 * before the next event.
 */
struct connection {
	struct service_connection host; /* first: the host's part */
	struct event event;             /* waits for EV_READ, or for EV_WRITE while something is unsent; never
			       for both; nor for anything while frozen */
	struct connections *all;
	struct unsent *unsent; /* NULL: none */
};

struct connections {
	struct service_host *host;
	const struct connection_handler *handler;
	/*
	 * one for all: what it holds matters during one callback only. Pages that were never read
	 * into cost nothing.
	 */
	char buffer[CONNECTION_READ_MAX];
};

/* The fields of a handoff; see CONNECTIONS_OPS for their version. */
enum { TAG_UNSENT = HANDOFF_TAG_SERVICE_FIRST /* bytes */ };

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void
connection_free(struct connection *connection)
{
	free(connection->unsent);
	free(connection);
}

static void
connection_close(struct connection *connection, bool cut)
{
	struct service_host *host = connection->all->host;
	int fd = connection_id(connection);

	log_debug(
		"%s: connection %d: closed%s", connection->all->handler->service, fd, cut ? " by force" : "");
	event_del(&connection->event);
	service_close(&connection->host, fd);
	host->ended(host, &connection->host, cut);
	connection_free(connection);
}

/* The client's side has failed, as sides do: it went away, or a router between us did. */
static void
connection_lost(struct connection *connection, int error)
{
	log_debug("%s: connection %d: %s", connection->all->handler->service, connection_id(connection),
		strerror(error));
	connection_close(connection, false);
}

/* Waits for EV_READ or EV_WRITE from now on. 0, or negative errno. */
static int
connection_await(struct connection *connection, short what)
{
	struct event *event = &connection->event;
	struct event_base *base = connection->all->host->base;
	int fd = connection_id(connection);

	if (event_del(event) < 0 ||
		event_assign(event, base, fd, what | EV_PERSIST, on_ready, connection) < 0 ||
		event_add(event, NULL) < 0)
		return errno > 0 ? -errno : -ENOMEM;
	return 0;
}

/* Sends once. How much went, 0 when the socket is full; or negative errno. */
static ssize_t
connection_push(struct connection *connection, const char *data, size_t len)
{
	ssize_t n = send(connection_id(connection), data, len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	counters_add(connection->all->host->counters, COUNTER_SENT, (uint64_t)n);
	return n;
}

/* Keeps a copy of what is to be sent later. */
static int
connection_keep(struct connection *connection, const void *data, size_t len)
{
	struct unsent *unsent = malloc(sizeof(*unsent) + len);

	if (!unsent)
		return -ENOMEM;
	*unsent = (struct unsent){ .len = len };
	memcpy(unsent->data, data, len);
	connection->unsent = unsent;
	return 0;
}

int
connection_send(struct connection *connection, const void *data, size_t len)
{
	ssize_t n;
	int r;

	assert(!connection->unsent);
	n = connection_push(connection, data, len);
	if (n < 0)
		return (int)n;
	if ((size_t)n == len)
		return 0;
	r = connection_keep(connection, (const char *)data + n, len - (size_t)n);
	return r < 0 ? r : connection_await(connection, EV_WRITE);
}

static void
connection_write(struct connection *connection)
{
	struct unsent *unsent = connection->unsent;
	ssize_t n = connection_push(connection, unsent->data + unsent->at, unsent->len - unsent->at);
	int r;

	if (n < 0) {
		connection_lost(connection, (int)-n);
		return;
	}
	unsent->at += (size_t)n;
	if (unsent->at < unsent->len)
		return;
	free(take_ptr(connection->unsent));
	r = connection_await(connection, EV_READ);
	if (r < 0)
		connection_lost(connection, -r);
}

/* Is this the failure of the peer, or of the way to it, rather than our own? */
static bool
is_peer_error(int error)
{
	return error != ENOMEM && error != ENOBUFS && error != ENOSPC;
}

static void
connection_read(struct connection *connection)
{
	struct connections *all = connection->all;
	ssize_t n = recv(connection_id(connection), all->buffer, sizeof(all->buffer), 0);
	int r;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			connection_lost(connection, errno);
		return;
	}
	if (n == 0) {
		/*
		 * nothing is unsent, or we would not be reading: the end of the one side is the end
		 * of both
		 */
		log_debug("%s: connection %d: the client has finished sending", all->handler->service,
			connection_id(connection));
		connection_close(connection, false);
		return;
	}
	counters_add(all->host->counters, COUNTER_RECEIVED, (uint64_t)n);
	r = all->handler->on_data(connection, all->buffer, (size_t)n);
	if (r < 0 && is_peer_error(-r)) {
		connection_lost(connection, -r);
	} else if (r < 0) {
		log_warning("%s: a connection had to be cut: %s", all->handler->service, strerror(-r));
		connection_close(connection, true);
	}
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		connection_close(connection, true); /* see connections_thaw */
	else if (connection->unsent)
		connection_write(connection);
	else
		connection_read(connection);
}

struct service_host *
connection_host(struct connection *connection)
{
	return connection->all->host;
}

int
connection_id(const struct connection *connection)
{
	return event_get_fd(&connection->event);
}

int
connections_start(struct service_host *host, const struct connection_handler *handler, void **ret_service)
{
	struct connections *all = malloc(sizeof(*all));

	if (!all)
		return -ENOMEM;
	/* member by member: the buffer is not to be touched */
	all->host = host;
	all->handler = handler;
	*ret_service = all;
	return 0;
}

/* One that waits for nothing yet. NULL: no memory. */
static struct connection *
connection_new(struct connections *all, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->all = all;
	if (event_assign(
		    &connection->event, all->host->base, fd, EV_READ | EV_PERSIST, on_ready, connection) == 0)
		return connection;
	free(connection);
	return NULL;
}

int
connections_accept(void *service, int fd, struct service_connection **ret)
{
	struct connection *connection = connection_new(service, fd);

	if (!connection)
		return -ENOMEM;
	if (event_add(&connection->event, NULL) < 0) {
		connection_free(connection);
		return errno > 0 ? -errno : -ENOMEM;
	}
	*ret = &connection->host;
	return 0;
}

static struct connection *
connection_of(struct service_connection *host)
{
	return (struct connection *)host;
}

void
connections_cut(struct service_connection *host)
{
	struct connection *connection = connection_of(host);

	if (connection->unsent)
		counters_add(connection->all->host->counters, COUNTER_LOST, 1);
	connection_close(connection, true);
}

/* ---- handing over ---- */

int
connections_freeze(struct service_connection *host, struct handoff_writer *writer)
{
	struct connection *connection = connection_of(host);
	const struct unsent *unsent = connection->unsent;

	event_del(&connection->event);
	handoff_put_fd(writer, connection_id(connection));
	handoff_writer_service(writer);
	if (unsent)
		handoff_put_bytes(writer, TAG_UNSENT, unsent->data + unsent->at, unsent->len - unsent->at);
	return 0;
}

void
connections_thaw(struct service_connection *host)
{
	struct connection *connection = connection_of(host);

	/* where the loop has no room for it the end comes from on_ready, since nobody may be told from here */
	if (connection_await(connection, connection->unsent ? EV_WRITE : EV_READ) < 0)
		event_active(&connection->event, EV_TIMEOUT, 0);
}

void
connections_forget(struct service_connection *host)
{
	struct connection *connection = connection_of(host);

	event_del(&connection->event);
	close(connection_id(connection));
	connection_free(connection);
}

/* Takes the fields of a record. */
static int
connection_restore(struct connection *connection, struct handoff_record *record)
{
	struct handoff_field field;
	int r;

	while ((r = handoff_next(record, &field)) > 0) {
		if (field.tag != TAG_UNSENT || field.len == 0 || connection->unsent)
			return -EBADMSG;
		r = connection_keep(connection, field.data, field.len);
		if (r < 0)
			return r;
	}
	return r;
}

int
connections_adopt(void *service, struct handoff_record *record, struct service_connection **ret)
{
	struct connection *connection;
	int r;

	if (record->n_fds != 1)
		return -EBADMSG;
	connection = connection_new(service, record->fd[0]);
	if (!connection)
		return -ENOMEM;
	r = connection_restore(connection, record);
	if (r < 0) {
		connection_free(connection);
		return r;
	}
	(void)take_fd(&record->fd[0]);
	*ret = &connection->host;
	return 0;
}

void
connections_stop(void *service)
{
	free(service);
}
