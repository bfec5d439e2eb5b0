/*
 * Answering a request: all of it is written into the connection's output, and sent at the end of the connection's
 * turn.
 */
#include "http/reply.h"

#include "base/fd.h"
#include "http/connection.h"
#include "http/status.h"

#include <assert.h>
#include <errno.h>

#define LENGTH_NAME "Content-Length: "

/* The longest line with a number: 20 digits at the most, of 64 bits, to a base of 10 or 16. */
#define NUMBER_LINE_MAX sizeof(LENGTH_NAME "18446744073709551615\r\n")

void
http_reply_put(struct http_connection *connection, struct http_text text)
{
	struct http_buffer *bytes = &connection->output.bytes;
	int r = connection->error;

	if (r == 0)
		r = http_buffer_borrow(bytes, &connection->server->spare_output, text.len);
	connection->error = r;
	if (r < 0 || text.len == 0)
		return;
	memcpy(bytes->data + bytes->end, text.at, text.len);
	bytes->end += text.len;
}

/* A line that is `name`, not longer than LENGTH_NAME, and a number to a base of 10 or 16. By hand: printf would be the dearest part of a small reply. */
static inline void
put_number_line(struct http_connection *connection, struct http_text name, uint64_t n, unsigned base)
{
	char line[NUMBER_LINE_MAX];
	size_t at = sizeof(line);

	line[--at] = '\n';
	line[--at] = '\r';
	do
		line[--at] = "0123456789abcdef"[n % base];
	while (n /= base);
	at -= name.len;
	memcpy(line + at, name.at, name.len);
	http_reply_put(connection, (struct http_text){ line + at, sizeof(line) - at });
}

/* Its output has changed outside of its own turn. Where it waits for the socket anyway, that will do. */
static void
wake(struct http_connection *connection)
{
	bool waits = connection->phase == HTTP_PHASE_SEND && connection->error == 0;

	if (connection->server->turn != connection && !waits)
		http_connection_wake(connection, 0);
}

void
http_reply_defer(struct http_connection *connection, http_gone_fn *on_gone, void *arg)
{
	assert(connection->stage == HTTP_STAGE_ASKED && on_gone);
	connection->on_gone = on_gone;
	connection->gone_arg = arg;
}

void
http_reply_start(struct http_connection *connection, int status)
{
	assert(connection->stage == HTTP_STAGE_ASKED);
	connection->stage = HTTP_STAGE_HEAD;
	connection->status = status;
	if (http_status_is_bodiless(status))
		connection->bodiless = true;
	http_reply_put(connection, http_status_line(status));
}

void
http_reply_lines(struct http_connection *connection, struct http_text lines)
{
	assert(connection->stage == HTTP_STAGE_HEAD);
	http_reply_put(connection, lines);
}

/* What ends a line would make a field, or a whole reply, of the rest (RFC 9110, 5.5). */
static void
blank_line_ends(char *at, size_t len)
{
	static const char ends[] = { '\r', '\n', '\0' };
	char *found;

	for (size_t i = 0; i < sizeof(ends); i++)
		while ((found = memchr(at, ends[i], len)))
			*found = ' ';
}

void
http_reply_field(struct http_connection *connection, struct http_text name, struct http_text value)
{
	assert(connection->stage == HTTP_STAGE_HEAD);
	http_reply_put(connection, name);
	http_reply_put(connection, HTTP_TEXT(": "));
	http_reply_put(connection, value);
	if (connection->error == 0)
		blank_line_ends(
			connection->output.bytes.data + connection->output.bytes.end - value.len, value.len);
	http_reply_put(connection, HTTP_TEXT("\r\n"));
}

/* Ends the head: what it says about the connection, and the empty line. */
static void
end_head(struct http_connection *connection)
{
	const struct http_server *server = connection->server;
	uint64_t max = server->limits.max_requests;

	assert(connection->stage == HTTP_STAGE_HEAD);
	if (connection->ending == HTTP_ENDING_NONE && !connection->keep_alive)
		connection->ending = HTTP_ENDING_AGREED;
	else if (connection->ending == HTTP_ENDING_NONE &&
		 (server->draining || connection->retiring || (max > 0 && connection->requests >= max)))
		connection->ending = HTTP_ENDING_OURS;
	if (connection->ending != HTTP_ENDING_NONE)
		http_reply_put(connection, HTTP_TEXT("Connection: close\r\n\r\n"));
	else if (connection->is_old)
		http_reply_put(connection, HTTP_TEXT("Connection: keep-alive\r\n\r\n"));
	else
		http_reply_put(connection, HTTP_TEXT("\r\n"));
}

/* Ends the head of a reply with a body of known length. */
static void
end_head_with_length(struct http_connection *connection, uint64_t len)
{
	if (!http_status_is_bodiless(connection->status))
		put_number_line(connection, HTTP_TEXT(LENGTH_NAME), len, 10);
	end_head(connection);
}

static void
end_reply(struct http_connection *connection)
{
	connection->stage = HTTP_STAGE_NONE;
	connection->on_gone = NULL;
	if (connection->server->turn != connection)
		connection->released = true;
	wake(connection);
}

void
http_reply_bytes(struct http_connection *connection, const void *body, size_t len)
{
	end_head_with_length(connection, len);
	if (!connection->bodiless)
		http_reply_put(connection, (struct http_text){ body, len });
	end_reply(connection);
}

void
http_reply_file(struct http_connection *connection, int fd, off_t offset, uint64_t len)
{
	end_head_with_length(connection, len);
	if (connection->bodiless || connection->error < 0)
		fd_close(&fd);
	else
		http_output_set_file(&connection->output, fd, offset, len);
	end_reply(connection);
}

void
http_reply_stream(struct http_connection *connection, http_gone_fn *on_gone, void *arg)
{
	assert(on_gone);
	if (connection->is_old)
		connection->keep_alive = false; /* the end of the body is the end of the connection */
	else if (!http_status_is_bodiless(connection->status))
		http_reply_put(connection, HTTP_TEXT("Transfer-Encoding: chunked\r\n"));
	end_head(connection);
	connection->stage = HTTP_STAGE_STREAM;
	connection->on_gone = on_gone;
	connection->gone_arg = arg;
	wake(connection);
}

ssize_t
http_stream_send(struct http_connection *connection, const void *data, size_t len)
{
	assert(connection->stage == HTTP_STAGE_STREAM);
	if (len > 0 && !connection->bodiless) {
		if (!connection->is_old)
			put_number_line(connection, HTTP_TEXT(""), len, 16);
		http_reply_put(connection, (struct http_text){ data, len });
		if (!connection->is_old)
			http_reply_put(connection, HTTP_TEXT("\r\n"));
	}
	wake(connection);
	return connection->error < 0 ? -EPIPE : (ssize_t)http_buffer_len(&connection->output.bytes);
}

void
http_stream_end(struct http_connection *connection)
{
	assert(connection->stage == HTTP_STAGE_STREAM);
	if (!connection->bodiless && !connection->is_old)
		http_reply_put(connection, HTTP_TEXT("0\r\n\r\n"));
	end_reply(connection);
}

void
http_reply_text(struct http_connection *connection, int status, struct http_text type, struct http_text body)
{
	http_reply_start(connection, status);
	http_reply_field(connection, HTTP_TEXT("Content-Type"), type);
	http_reply_bytes(connection, body.at, body.len);
}
