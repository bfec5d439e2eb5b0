/*
 * Answering a request.
 *
 *     http_reply_start(c, 200);
 *     http_reply_field(c, HTTP_TEXT("Content-Type"), HTTP_TEXT("text/plain"));
 *     http_reply_bytes(c, body, len);
 *
 * The fields Content-Length, Transfer-Encoding and Connection are the layer's own. A request by HEAD is answered like
 * one by GET; the layer leaves the body out, as it does where the status has none (204, 304).
 *
 * None of these calls frees the connection, calls the handler or on_gone, or fails: they write into memory, and what
 * goes wrong is dealt with in the event loop afterwards.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "http/request.h"
#include "http/server.h"

#include <sys/types.h>

/*
 * Told once, from the event loop, if the connection ends before the reply is complete: it must not be touched from
 * then on.
 */
typedef void http_gone_fn(void *arg);

/* Within on_request: the answer comes later, from anywhere. The next request of this connection waits for it. */
void http_reply_defer(struct http_connection *connection, http_gone_fn *on_gone, void *arg);

/* Begins: the status line. */
void http_reply_start(struct http_connection *connection, int status);

/* One field. CR, LF and NUL in a value become spaces. */
void http_reply_field(struct http_connection *connection, struct http_text name, struct http_text value);

/* Fields prepared by the caller: complete lines, "Name: value\r\n" each, which are not looked at. */
void http_reply_lines(struct http_connection *connection, struct http_text lines);

/* Ends with a body from memory, which is copied. `len` may be 0. */
void http_reply_bytes(struct http_connection *connection, const void *body, size_t len);

/* Ends with a part of a file. The descriptor is taken; it should be one of a regular file that has that much. */
void http_reply_file(struct http_connection *connection, int fd, off_t offset, uint64_t len);

/* Ends with a body of unknown length, which http_stream_send adds to, at any time. */
void http_reply_stream(struct http_connection *connection, http_gone_fn *on_gone, void *arg);

/*
 * More of it. Goes out from the event loop. Returns how many bytes wait to be sent to this client now: who sends
 * without end should cut the connection when that becomes too much, or pause. -EPIPE: it has ended, on_gone is about
 * to say so.
 */
ssize_t http_stream_send(struct http_connection *connection, const void *data, size_t len);

/* That was all. */
void http_stream_end(struct http_connection *connection);

/* A whole reply in one. */
void http_reply_text(
	struct http_connection *connection, int status, struct http_text type, struct http_text body);

#endif
