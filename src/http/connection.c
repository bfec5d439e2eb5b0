/*
 * One connection: a turn is what happens to it between two visits to the event loop. It reads once, serves what has
 * come completely, sends once, and then decides what to wait for.
 */
#include "http/connection.h"

#include "base/log.h"
#include "http/status.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The least room for a read: a whole request nearly always. */
#define READ_MIN ((size_t)4 * 1024)

/* And the most: a peer with a large socket buffer doesn't keep the others waiting. */
#define READ_MAX ((size_t)64 * 1024)

/*
 * What is read while the handler still owes an answer; what comes then is pipelined requests, or the news that the
 * client has gone.
 */
#define READ_AHEAD HTTP_BUFFER_FIRST

#define REFUSAL_MAX 64 /* "431 Request Header Fields Too Large\n" */

static void on_event(evutil_socket_t fd, short what, void *arg);

int
http_connection_fd(const struct http_connection *connection)
{
	return connection->fd;
}

void
http_connection_set_data(struct http_connection *connection, void *data)
{
	connection->data = data;
}

void *
http_connection_data(const struct http_connection *connection)
{
	return connection->data;
}

/* The event waits for nothing, or for `interest`. 0, or negative errno. */
static int
assign_event(struct http_connection *connection, short interest)
{
	const struct http_server *server = connection->server;
	struct event *event = &connection->event;
	int priority = server->limits.priority;

	if (event_assign(event, server->base, connection->fd, interest, on_event, connection) < 0)
		return -EINVAL;
	return priority >= 0 && event_priority_set(event, priority) < 0 ? -EINVAL : 0;
}

int
http_connection_new(struct http_server *server, int fd, struct http_connection **ret)
{
	struct http_connection *connection = slab_alloc(&server->memory);

	if (!connection)
		return -ENOMEM;
	connection->server = server;
	connection->fd = fd;
	if (assign_event(connection, 0) < 0) {
		slab_free(&server->memory, connection);
		return -EINVAL;
	}
	connection->phase = HTTP_PHASE_FROZEN;
	http_output_init(&connection->output);
	TAILQ_INSERT_TAIL(&server->connections, connection, link);
	server->n_connections++;
	*ret = connection;
	return 0;
}

/* Frees all but the descriptor. */
static void
connection_dispose(struct http_connection *connection)
{
	struct http_server *server = connection->server;

	http_deadlines_unset(&server->deadlines, &connection->deadline);
	http_turn_queue_leave(&server->turns, &connection->turn);
	event_del(&connection->event);
	TAILQ_REMOVE(&server->connections, connection, link);
	server->n_connections--;
	http_buffer_free(&connection->input);
	http_output_done(&connection->output);
	slab_free(&server->memory, connection);
}

void
http_connection_free(struct http_connection *connection)
{
	int fd = connection->fd;

	connection_dispose(connection); /* first: epoll wants to be told of an open descriptor */
	close(fd);
}

static const char *
end_name(enum http_end why)
{
	static const char *const names[] = {
		[HTTP_END_DONE] = "closed",
		[HTTP_END_LOST] = "lost",
		[HTTP_END_TIMEOUT] = "timed out",
		[HTTP_END_CUT] = "closed by force",
		[HTTP_END_FAILED] = "failed",
	};

	return names[why];
}

void
http_connection_end(struct http_connection *connection, enum http_end why)
{
	struct http_server *server = connection->server;
	http_gone_fn *on_gone = connection->on_gone;

	log_debug("%s: connection %d: %s", server->handler->name, connection->fd, end_name(why));
	http_connection_freeze(connection);
	connection->on_gone = NULL;
	if (on_gone)
		on_gone(connection->gone_arg);
	if (server->handler->on_closed)
		server->handler->on_closed(connection, why, server->arg);
	http_connection_free(connection);
}

/*
 * What the client has to do, and until when, so that it goes on counting in another process, or here, after it was
 * frozen. In GRACE it is what it was before.
 */
static void
note_client_deadline(struct http_connection *connection)
{
	switch (connection->phase) {
	case HTTP_PHASE_IDLE:
	case HTTP_PHASE_HEAD:
	case HTTP_PHASE_BODY:
	case HTTP_PHASE_SEND:
		connection->client_phase = connection->phase;
		connection->client_due_us = connection->deadline.at_us;
		break;
	case HTTP_PHASE_GRACE:
		break;
	default:
		connection->client_phase = HTTP_PHASE_NEW;
		break;
	}
}

void
http_connection_thaw(struct http_connection *connection)
{
	struct http_deadlines *deadlines = &connection->server->deadlines;
	enum http_phase phase = connection->client_phase;

	connection->phase = phase;
	if (phase != HTTP_PHASE_NEW && connection->client_due_us > 0)
		http_deadlines_set_at(deadlines, &connection->deadline, phase, connection->client_due_us);
	else if (phase != HTTP_PHASE_NEW)
		http_deadlines_set(deadlines, &connection->deadline, phase);
	http_connection_wake(connection, EV_READ);
}

void
http_connection_freeze(struct http_connection *connection)
{
	note_client_deadline(connection);
	event_del(&connection->event);
	http_turn_queue_leave(&connection->server->turns, &connection->turn);
	connection->interest = 0;
	connection->phase = HTTP_PHASE_FROZEN;
	http_deadlines_unset(&connection->server->deadlines, &connection->deadline);
}

void
http_connection_close(struct http_connection *connection)
{
	assert(connection->server->turn != connection);
	http_connection_end(connection, HTTP_END_CUT);
}

void
http_connection_cut(struct http_connection *connection)
{
	connection->on_gone = NULL;
	connection->error = -ECANCELED;
	if (connection->server->turn != connection)
		http_connection_wake(connection, 0);
}

/* The end that an error leads to. Our own failures are worth a line in the log, the peer's are not. */
static void
connection_fail(struct http_connection *connection, int error)
{
	enum http_end why = HTTP_END_LOST;

	switch (error) {
	case -ECANCELED:
		why = HTTP_END_CUT;
		break;
	case -ENOMEM:
	case -ENOBUFS:
	case -ENOSPC: /* epoll's limit for each user */
	case -EIO:
	case -EINVAL: /* of sendfile: not a file to be sent so */
	case -ENODATA:
	case -EPROTO:
		why = HTTP_END_FAILED;
		log_warning("%s: a connection had to be cut: %s", connection->server->handler->name,
			error == -ENODATA ? "the file being sent has become shorter" : strerror(-error));
		break;
	default:
		break;
	}
	http_connection_end(connection, why);
}

/* Would reading lead anywhere? */
static bool
may_read(const struct http_connection *connection)
{
	return !connection->eof && (connection->starved || http_buffer_len(&connection->input) < READ_AHEAD);
}

/* May another request be served now, if there is one? */
static bool
may_serve(const struct http_connection *connection)
{
	return !connection->starved && connection->stage == HTTP_STAGE_NONE &&
	       connection->ending == HTTP_ENDING_NONE && connection->error == 0 &&
	       connection->output.file < 0 &&
	       http_buffer_len(&connection->output.bytes) < connection->server->limits.max_unsent;
}

/* Reads once. 0, or negative errno. */
static int
connection_receive(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_buffer *input = &connection->input;
	size_t room;
	ssize_t n;
	int r;

	if (!may_read(connection))
		return 0;
	r = http_buffer_borrow(input, &server->spare_input, READ_MIN);
	if (r < 0)
		return r;
	room = input->size - input->end;
	n = recv(connection->fd, input->data + input->end, room < READ_MAX ? room : READ_MAX, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	connection->eof = n == 0;
	if (n > 0)
		connection->starved = false;
	input->end += (size_t)n;
	server->stats.received += (uint64_t)n;
	if (server->handler->on_traffic)
		server->handler->on_traffic((uint64_t)n, 0, server->arg);
	return 0;
}

/* Answers in the handler's place, and reads no more. */
static void
connection_refuse(struct http_connection *connection, int status)
{
	struct http_text reason = http_status_reason(status);
	char text[REFUSAL_MAX];
	int len = snprintf(text, sizeof(text), "%d %.*s\n", status, (int)reason.len, reason.at);

	log_debug("%s: connection %d: refused: %.*s", connection->server->handler->name, connection->fd,
		len - 1, text);
	connection->server->stats.refused++;
	connection->stage = HTTP_STAGE_ASKED;
	connection->ending = HTTP_ENDING_OURS;
	connection->bodiless = false;
	http_reply_text(connection, status, HTTP_TEXT("text/plain"), (struct http_text){ text, (size_t)len });
	http_buffer_free(&connection->input);
	connection->framing = (struct http_framing){ .checked = false };
	if (connection->server->handler->on_refused)
		connection->server->handler->on_refused(connection, status, connection->server->arg);
}

/* Gives the request to the handler; it takes `len` bytes of the input. */
static void
connection_ask(struct http_connection *connection, const struct http_request *request, size_t len)
{
	struct http_server *server = connection->server;

	connection->stage = HTTP_STAGE_ASKED;
	connection->keep_alive = request->keep_alive;
	connection->is_old = request->minor == 0;
	connection->bodiless = request->verb == HTTP_VERB_HEAD;
	connection->requests++;
	server->stats.requests++;
	server->handler->on_request(connection, request, server->arg);

	/* neither answered nor deferred: an error of the handler, which must not hang the client */
	if (connection->stage == HTTP_STAGE_ASKED && !connection->on_gone && connection->error == 0) {
		connection_refuse(connection, 500);
		return;
	}
	if (connection->stage == HTTP_STAGE_HEAD && !connection->on_gone && connection->error == 0)
		connection->error = -EPROTO;
	connection->framing = (struct http_framing){ .checked = false };
	connection->continued = false;
	http_buffer_consume(&connection->input, len);
}

/*
 * "100 Continue" is said even when the body is there already: the standard allows to leave it out then, but so the
 * answer doesn't depend on the pieces in which a request comes.
 */
static void
connection_continue(struct http_connection *connection)
{
	if (!connection->framing.expects_continue || connection->continued ||
		connection->framing.content_length > connection->server->limits.max_body)
		return;
	http_reply_put(connection, HTTP_TEXT("HTTP/1.1 100 Continue\r\n\r\n"));
	connection->continued = true;
}

/* Serves the next request, if all of it is there. */
static void
connection_serve(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_buffer *input = &connection->input;
	size_t len = http_buffer_len(input);
	int r = -EAGAIN;

	if (len > 0)
		r = http_framing_scan(&connection->framing, http_buffer_bytes(input), len, &server->limits,
			&server->request, &len);
	connection_continue(connection);
	if (r == 0)
		connection_ask(connection, &server->request, len);
	else if (r == -EAGAIN)
		connection->starved = true;
	else
		connection_refuse(connection, r);
}

/* Sends once. 0: all has gone; -EAGAIN: not all; else negative errno. */
static int
connection_send(struct http_connection *connection, bool *ret_progress)
{
	struct http_server *server = connection->server;
	uint64_t sent = 0;
	int r;

	if (!http_output_is_pending(&connection->output))
		return 0;
	r = http_output_send(&connection->output, connection->fd, &sent);
	server->stats.sent += sent;
	if (sent > 0)
		*ret_progress = true;
	if (sent > 0 && server->handler->on_traffic)
		server->handler->on_traffic(0, sent, server->arg);
	return r;
}

/* Serves and sends as much as one turn may. 0, or negative errno. */
static int
connection_work(struct http_connection *connection, bool *ret_progress)
{
	uint64_t before = connection->requests;
	unsigned budget = connection->server->limits.turn_requests;
	int r;

	do {
		for (; budget > 0 && may_serve(connection); budget--)
			connection_serve(connection);
		r = connection->error;
		if (r == 0)
			r = connection_send(connection, ret_progress);
	} while (r == 0 && budget > 0 && may_serve(connection));
	if (connection->requests != before)
		*ret_progress = true;
	return r == -EAGAIN ? 0 : r;
}

/*
 * Is nothing there of another request? Some clients send an empty line behind a body, which is no beginning of one.
 */
static bool
nothing_has_begun(const struct http_connection *connection)
{
	const struct http_head *head = &connection->framing.head;

	return http_buffer_len(&connection->input) == head->start && head->n_lines == 0;
}

/* Which phase follows from all the rest? */
static enum http_phase
connection_next_phase(const struct http_connection *connection)
{
	if (http_output_is_pending(&connection->output))
		return HTTP_PHASE_SEND;
	if (connection->stage != HTTP_STAGE_NONE)
		return HTTP_PHASE_ANSWER;
	if (connection->ending != HTTP_ENDING_NONE)
		return HTTP_PHASE_LINGER;
	if (nothing_has_begun(connection) && connection->retiring)
		return HTTP_PHASE_GRACE;
	if (nothing_has_begun(connection) && connection->requests > 0)
		return HTTP_PHASE_IDLE;
	return connection->framing.checked ? HTTP_PHASE_BODY : HTTP_PHASE_HEAD;
}

/* Has the end come, with nothing more to wait for? */
static bool
connection_is_over(const struct http_connection *connection, enum http_phase next)
{
	switch (next) {
	case HTTP_PHASE_IDLE:
	case HTTP_PHASE_GRACE:
	case HTTP_PHASE_HEAD:
	case HTTP_PHASE_BODY:
		return connection->eof && connection->starved;
	case HTTP_PHASE_ANSWER:
		/*
		 * Half a connection is enough for an answer, but nobody closes only half of one that he wants endless
		 * news on.
		 */
		return connection->eof && connection->stage == HTTP_STAGE_STREAM;
	case HTTP_PHASE_LINGER:
		/*
		 * If the client may still send, closing now would make its kernel throw away the reply that it hasn't
		 * read.
		 */
		return connection->eof ||
		       (connection->ending == HTTP_ENDING_AGREED && http_buffer_len(&connection->input) == 0);
	default:
		return false;
	}
}

/* 0, or negative errno. */
static int
connection_set_interest(struct http_connection *connection, short interest)
{
	struct event *event = &connection->event;

	if (connection->interest == interest)
		return 0;
	connection->interest = 0;
	if (event_del(event) < 0 || assign_event(connection, interest | EV_PERSIST) < 0)
		return -ENOMEM;
	if (interest && event_add(event, NULL) < 0)
		return errno > 0 ? -errno : -ENOMEM;
	connection->interest = interest;
	return 0;
}

/*
 * Enters a phase, or stays in it. `progress`: its deadline counts from now. 0, or negative errno.
 *
 * Where the turn was over before the requests were, the socket's having room is awaited: nearly always it has, so the
 * next turn comes at once, but others get theirs first. (event_active would not do that: it would run before the loop
 * looks at the other sockets.)
 */
static int
connection_set_phase(struct http_connection *connection, enum http_phase phase, bool progress)
{
	short interest = may_read(connection) ? EV_READ : 0;

	if (phase == HTTP_PHASE_SEND || may_serve(connection))
		interest = EV_WRITE;
	if (phase == HTTP_PHASE_LINGER)
		interest = EV_READ;
	if (phase == HTTP_PHASE_GRACE)
		note_client_deadline(connection);
	if (phase != connection->phase || progress)
		http_deadlines_set(&connection->server->deadlines, &connection->deadline, phase);
	connection->phase = phase;
	return connection_set_interest(connection, interest);
}

int
http_connection_begin(struct http_connection *connection)
{
	int r;

	connection->starved = true;
	r = connection_set_phase(connection, HTTP_PHASE_HEAD, true);
	if (r < 0)
		connection_dispose(connection);
	return r;
}

/* All is said: our FIN goes, the client's is awaited. 0, or negative errno. */
static int
connection_say_goodbye(struct http_connection *connection)
{
	http_buffer_free(&connection->input);
	return shutdown(connection->fd, SHUT_WR) < 0 ? -errno : 0;
}

/* The end of a turn: what to wait for? Or it ends here; then false is returned. */
static bool
connection_settle(struct http_connection *connection, int r, bool progress)
{
	struct http_server *server = connection->server;
	enum http_phase next = connection_next_phase(connection);

	if (r == 0 && connection_is_over(connection, next)) {
		http_connection_end(connection, HTTP_END_DONE);
		return false;
	}
	if (r == 0 && next == HTTP_PHASE_LINGER)
		r = connection_say_goodbye(connection);
	http_buffer_settle(&connection->input, &server->spare_input);
	http_buffer_settle(&connection->output.bytes, &server->spare_output);
	if (r == 0)
		r = connection_set_phase(connection, next, progress);
	if (r < 0) {
		connection_fail(connection, r);
		return false;
	}
	return true;
}

/* Throws away what the client still sends. */
static void
connection_discard(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_buffer *input = &connection->input;
	bool over = http_buffer_borrow(input, &server->spare_input, READ_MIN) < 0;
	ssize_t n = 0;

	if (!over) {
		n = recv(connection->fd, input->data, input->size, 0);
		over = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
		http_buffer_settle(input, &server->spare_input);
	}
	if (n > 0) {
		connection->lingered += (size_t)n;
		over = connection->lingered > server->limits.linger_bytes;
	}
	if (connection->error < 0)
		connection_fail(connection, connection->error);
	else if (over)
		http_connection_end(connection, HTTP_END_DONE);
	else if (connection_set_interest(connection, EV_READ) < 0)
		http_connection_end(connection, HTTP_END_FAILED);
}

/* One turn. false: the connection has ended. */
static bool
connection_turn(struct http_connection *connection, short what)
{
	bool progress = false;
	int r = connection->error;

	if (r == 0 && (what & EV_READ))
		r = connection_receive(connection);
	if (r == 0)
		r = connection_work(connection, &progress);
	return connection_settle(connection, r, progress);
}

/* Gives it a turn, and tells the handler what came of it. */
static void
connection_do_turn(struct http_connection *connection, short what)
{
	struct http_server *server = connection->server;
	bool lives = false;

	http_turn_queue_begin(&server->turns);
	server->turn = connection;
	if (connection->phase == HTTP_PHASE_LINGER)
		connection_discard(connection);
	else
		lives = connection_turn(connection, what);
	server->turn = NULL;
	if (lives && connection->released && connection->stage == HTTP_STAGE_NONE) {
		connection->released = false;
		if (server->handler->on_released)
			server->handler->on_released(connection, server->arg);
	}
	http_turn_queue_end(&server->turns);
}

void
http_connection_take_turn(struct http_turn *turn)
{
	struct http_connection *connection =
		(struct http_connection *)((char *)turn - offsetof(struct http_connection, turn));

	connection_do_turn(connection, http_turn_queue_leave(&connection->server->turns, turn));
}

/* event: there is something to read, or room to write; or somebody has woken it */
static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_connection *connection = arg;
	struct http_turn_queue *turns = &connection->server->turns;
	bool woken = what & EV_TIMEOUT;

	(void)fd;
	if (!woken && http_turn_queue_is_busy(turns)) {
		/* it would be told again and again of what it knows */
		event_del(&connection->event);
		connection->interest = 0;
		connection->server->stats.delayed++;
		http_turn_queue_enter(turns, &connection->turn, what);
		return;
	}
	connection_do_turn(connection, what | http_turn_queue_leave(turns, &connection->turn));
}

bool
http_connection_owes(const struct http_connection *connection)
{
	if (connection->stage != HTTP_STAGE_NONE || http_output_is_pending(&connection->output))
		return true;
	return connection->phase != HTTP_PHASE_LINGER && !nothing_has_begun(connection);
}

static bool
connection_is_idle(const struct http_connection *connection)
{
	bool waits = connection->phase == HTTP_PHASE_IDLE || connection->phase == HTTP_PHASE_HEAD;

	return waits && nothing_has_begun(connection);
}

void
http_connection_close_idle(struct http_connection *connection)
{
	if (!connection_is_idle(connection))
		return;
	connection->ending = HTTP_ENDING_OURS;
	connection_settle(connection, connection->error, false);
}

void
http_connection_retire(struct http_connection *connection)
{
	int r;

	connection->retiring = true;
	if (!connection_is_idle(connection))
		return;
	r = connection_set_phase(connection, HTTP_PHASE_GRACE, true);
	if (r < 0)
		connection_fail(connection, r);
}

/*
 * Reads, serves and sends what can be: until it is in another phase, or there is nothing more to read. Bounded, as each phase in which
 * is read has a limit of bytes. 0, or negative errno.
 */
static int
connection_catch_up(struct http_connection *connection, bool *ret_progress)
{
	const uint64_t *received = &connection->server->stats.received;
	uint64_t before;
	int r;

	do {
		before = *received;
		r = connection_receive(connection);
		if (r == 0)
			r = connection_work(connection, ret_progress);
	} while (r == 0 && *received != before && !*ret_progress &&
		 connection_next_phase(connection) == connection->phase);
	return r;
}

/*
 * What is in the socket's buffer would be kept there for minutes, for one who doesn't read it: closing throws it away
 * now.
 */
static void
connection_abandon(struct http_connection *connection)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	http_connection_end(connection, HTTP_END_TIMEOUT);
}

/* Its time is over, and it has nothing to show for it. False: it is freed. */
static bool
connection_give_up(struct http_connection *connection)
{
	connection->server->stats.timeouts++;
	if (connection->phase == HTTP_PHASE_SEND) {
		connection_abandon(connection);
		return false;
	}
	if (nothing_has_begun(connection)) { /* a connection that was never used */
		http_connection_end(connection, HTTP_END_TIMEOUT);
		return false;
	}
	connection_refuse(connection, 408);
	return true;
}

/*
 * Was it the client that took its time, or we? What came at the last moment, or while we stood still or rested, is read and served yet.
 * Only where there is no other request our FIN goes; and one that crosses with it is read and thrown away, so that the client sees an end
 * before any reply, and may ask elsewhere (RFC 9110, 9.2.2), instead of a reset.
 */
static void
connection_expire(struct http_connection *connection)
{
	bool progress = false, lives = true;
	int r = connection_catch_up(connection, &progress);
	enum http_phase next = connection_next_phase(connection);
	bool over = r == 0 && !progress;

	if (over && (next == HTTP_PHASE_GRACE || next == HTTP_PHASE_IDLE))
		connection->ending = HTTP_ENDING_OURS;
	else if (over && next == connection->phase && !connection_is_over(connection, next)) {
		lives = connection_give_up(connection);
		r = lives ? connection_work(connection, &progress) : 0;
	}
	if (lives)
		connection_settle(connection, r, progress);
}

void
http_connection_expire(struct http_deadline *deadline)
{
	struct http_connection *connection =
		(struct http_connection *)((char *)deadline - offsetof(struct http_connection, deadline));
	struct http_server *server = connection->server;

	if (connection->phase == HTTP_PHASE_LINGER) {
		http_connection_end(connection, HTTP_END_DONE);
		return;
	}
	http_turn_queue_begin(&server->turns);
	server->turn = connection;
	connection_expire(connection);
	server->turn = NULL;
	http_turn_queue_end(&server->turns);
}
