/*
 * The server's side of HTTP/1.1: connections that somebody else has accepted, on an event loop.
 *
 * Requests are read whole (body included, up to a limit), checked, and given to the handler one at a time and in
 * order, though a client may send several without waiting. The handler answers at once or later, through
 * http/reply.h. A connection can be handed over to another process at nearly any moment: see http/handoff.h.
 *
 * SIGPIPE must be ignored by the process: sendfile knows no MSG_NOSIGNAL.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/limits.h"
#include "http/request.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_connection;
struct http_server;

/* Why a connection has ended. */
enum http_end {
	HTTP_END_DONE,    /* the client or we had no more to say */
	HTTP_END_LOST,    /* the client, or the way to it, failed */
	HTTP_END_TIMEOUT, /* a deadline passed */
	HTTP_END_CUT,     /* http_connection_cut, http_server_cut */
	HTTP_END_FAILED,  /* no memory, or a file that could not be sent as promised */
};

struct http_handler {
	const char *name; /* who speaks in the log */
	/*
	 * A request: valid during the call only. Must answer (http_reply_start … its end), or say who will
	 * (http_reply_defer).
	 */
	void (*on_request)(struct http_connection *connection, const struct http_request *request, void *arg);
	/* The connection is closed, and about to be freed. Not for those that were handed over. NULL: never mind. */
	void (*on_closed)(struct http_connection *connection, enum http_end why, void *arg);
	/*
	 * A reply that was deferred or streamed, because of which http_handoff_freeze said -EBUSY, is complete. It
	 * may be tried again, right here. NULL: never mind.
	 */
	void (*on_released)(struct http_connection *connection, void *arg);
	/* The layer has answered in the handler's place. NULL: never mind. */
	void (*on_refused)(struct http_connection *connection, int status, void *arg);
	/* So many bytes were received, or sent. NULL: never mind. */
	void (*on_traffic)(uint64_t received, uint64_t sent, void *arg);
};

/* Only grow. */
struct http_stats {
	uint64_t requests;       /* given to the handler */
	uint64_t refused;        /* answered by the layer itself: bad ones, and those over a limit */
	uint64_t timeouts;       /* deadlines that passed, but for those of idle connections */
	uint64_t received, sent; /* bytes */
	uint64_t delayed;        /* turns that had to wait for a rest: see http_limits */
};

/* `handler` must stay; `limits` is copied. NULL: no memory, or limits that make no sense (errno is EINVAL). */
struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
	const struct http_handler *handler, void *arg);

/* Cuts all connections, and frees. Not from a handler. NULL is fine. */
void http_server_free(struct http_server *server);

/*
 * Serves a connected stream socket (TCP or UNIX), non-blocking and close-on-exec, which it owns from then on.
 * 0; or negative errno, and the descriptor is the caller's still.
 */
int http_server_accept(struct http_server *server, int fd);

/* The same, with the connection in *ret, which is the caller's to use until on_closed. */
int http_server_add(struct http_server *server, int fd, struct http_connection **ret);

/* From now on each reply is its connection's last, and says so. Connections without a request stay open. */
void http_server_drain(struct http_server *server);

/* Ends politely those connections which have no request under way, read or half-read, nor a reply being sent. */
void http_server_close_idle(struct http_server *server);

/* Closes all connections now. Not from a handler. */
void http_server_cut(struct http_server *server);

/* Calls `visit` for each connection; it may cut, freeze or forget that one. */
void http_server_each(
	struct http_server *server, void (*visit)(struct http_connection *connection, void *arg), void *arg);

/* How many there are, frozen ones included. */
size_t http_server_count(const struct http_server *server);

const struct http_stats *http_server_stats(const struct http_server *server);

/*
 * Closes one connection; nobody is told but on_closed, from the event loop. What was deferred or streamed on it is
 * forgotten.
 */
void http_connection_cut(struct http_connection *connection);

/* The same at once: on_closed is called before this returns. Not from a handler. */
void http_connection_close(struct http_connection *connection);

/*
 * Brings it to its end politely: a reply from now on is the last and says so; and where no request has begun, one can
 * come within limits.grace_us, and is served. Then our FIN goes. Not from a handler. on_closed may be called before
 * this returns.
 */
void http_connection_retire(struct http_connection *connection);

/* Would the client miss something if it ended now: the rest of a reply, or the reply to what it has sent of a request? */
bool http_connection_owes(const struct http_connection *connection);

int http_connection_fd(const struct http_connection *connection);

/* A pointer of the handler's own; NULL at first. */
void http_connection_set_data(struct http_connection *connection, void *data);
void *http_connection_data(const struct http_connection *connection);

#endif
