/*
 * A server: what its connections share.
 */
#include "http/server.h"

#include "http/connection.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(HTTP_PHASE_GRACE < HTTP_DEADLINE_LISTS, "each phase has its list of deadlines");

static bool
limits_make_sense(const struct http_limits *limits)
{
	return limits->max_head >= 256 && limits->max_head <= HTTP_HEAD_MAX &&
	       limits->max_fields <= HTTP_FIELDS_MAX && limits->max_unsent > 0 &&
	       limits->max_body <= SIZE_MAX / 8 && limits->turn_requests > 0;
}

/* Those of NEW, ANSWER and FROZEN stay 0: they have no deadline. */
static void
set_timeouts(struct http_server *server)
{
	const struct http_limits *limits = &server->limits;
	uint64_t *timeout_us = server->deadlines.timeout_us;

	timeout_us[HTTP_PHASE_IDLE] = limits->idle_us;
	timeout_us[HTTP_PHASE_HEAD] = limits->head_us;
	timeout_us[HTTP_PHASE_BODY] = limits->body_us;
	timeout_us[HTTP_PHASE_SEND] = limits->send_us;
	timeout_us[HTTP_PHASE_LINGER] = limits->linger_us;
	timeout_us[HTTP_PHASE_GRACE] = limits->grace_us;
}

static int
server_init(struct http_server *server, struct event_base *base, const struct http_limits *limits)
{
	int r = http_deadlines_init(&server->deadlines, base, http_connection_expire);

	TAILQ_INIT(&server->connections);
	server->base = base;
	server->limits = *limits;
	set_timeouts(server);
	if (r == 0)
		r = http_turn_queue_init(&server->turns, base, limits, http_connection_take_turn);
	if (r == 0 && limits->priority >= 0 &&
		event_priority_set(&server->deadlines.timer, limits->priority) < 0)
		r = -EINVAL;
	if (r == 0)
		r = http_buffer_reserve(&server->spare_input, HTTP_BUFFER_FIRST);
	if (r == 0)
		r = http_buffer_reserve(&server->spare_output, HTTP_BUFFER_FIRST);
	return r;
}

struct http_server *
http_server_new(struct event_base *base, const struct http_limits *limits, const struct http_handler *handler,
	void *arg)
{
	struct http_server *server;

	if (!limits_make_sense(limits)) {
		errno = EINVAL;
		return NULL;
	}
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->handler = handler;
	server->arg = arg;
	if (server_init(server, base, limits) < 0) {
		http_server_free(server);
		return NULL;
	}
	return server;
}

void
http_server_free(struct http_server *server)
{
	struct http_connection *connection;

	if (!server)
		return;
	http_server_cut(server);
	while ((connection = TAILQ_FIRST(&server->connections))) /* frozen ones */
		http_connection_free(connection);
	http_deadlines_done(&server->deadlines);
	http_turn_queue_done(&server->turns);
	http_buffer_free(&server->spare_input);
	http_buffer_free(&server->spare_output);
	free(server);
}

int
http_server_add(struct http_server *server, int fd, struct http_connection **ret)
{
	struct http_connection *connection = NULL;
	int r = http_connection_new(server, fd, &connection);

	if (r == 0)
		r = http_connection_begin(connection);
	if (r == 0)
		*ret = connection;
	return r;
}

int
http_server_accept(struct http_server *server, int fd)
{
	struct http_connection *connection;

	return http_server_add(server, fd, &connection);
}

void
http_server_drain(struct http_server *server)
{
	server->draining = true;
}

void
http_server_each(
	struct http_server *server, void (*visit)(struct http_connection *connection, void *arg), void *arg)
{
	struct http_connection *connection, *next;

	for (connection = TAILQ_FIRST(&server->connections); connection; connection = next) {
		next = TAILQ_NEXT(connection, link);
		if (connection->phase != HTTP_PHASE_FROZEN)
			visit(connection, arg);
	}
}

/* for http_server_each */
static void
close_idle(struct http_connection *connection, void *arg)
{
	(void)arg;
	http_connection_close_idle(connection);
}

void
http_server_close_idle(struct http_server *server)
{
	http_server_each(server, close_idle, NULL);
}

/* for http_server_each */
static void
cut(struct http_connection *connection, void *arg)
{
	(void)arg;
	http_connection_end(connection, HTTP_END_CUT);
}

void
http_server_cut(struct http_server *server)
{
	http_server_each(server, cut, NULL);
}

size_t
http_server_count(const struct http_server *server)
{
	return server->n_connections;
}

const struct http_stats *
http_server_stats(const struct http_server *server)
{
	return &server->stats;
}
