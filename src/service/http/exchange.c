/*
 * One request and the reply to it.
 */
#include "service/http/exchange.h"

#include "http/status.h"

#include <stdio.h>

#define ALLOW "Allow: GET, HEAD, OPTIONS\r\n"

#define REASON_MAX 64 /* "431 Request Header Fields Too Large\n" */

void
exchange_start(struct exchange *exchange, int status)
{
	exchange->status = status;
	http_reply_start(exchange->connection, status);
	http_reply_lines(exchange->connection, date_line_get(exchange->date));
}

void
exchange_field(struct exchange *exchange, struct http_text name, struct http_text value)
{
	http_reply_field(exchange->connection, name, value);
}

/* How much of a body really goes out. */
static uint64_t
length_of(const struct exchange *exchange, uint64_t len)
{
	bool bodiless =
		exchange->request->verb == HTTP_VERB_HEAD || http_status_is_bodiless(exchange->status);

	return bodiless ? 0 : len;
}

void
exchange_send(struct exchange *exchange, struct http_text body)
{
	exchange->length = length_of(exchange, body.len);
	http_reply_bytes(exchange->connection, body.at, body.len);
}

void
exchange_send_file(struct exchange *exchange, int fd, off_t offset, uint64_t len)
{
	exchange->length = length_of(exchange, len);
	http_reply_file(exchange->connection, fd, offset, len);
}

void
exchange_send_reason(struct exchange *exchange)
{
	struct http_text reason = http_status_reason(exchange->status);
	char text[REASON_MAX];
	int len = snprintf(text, sizeof(text), "%d %.*s\n", exchange->status, (int)reason.len, reason.at);

	exchange_field(exchange, HTTP_TEXT("Content-Type"), HTTP_TEXT("text/plain"));
	exchange_send(exchange, (struct http_text){ text, (size_t)len });
}

void
exchange_error(struct exchange *exchange, int status)
{
	exchange_start(exchange, status);
	if (status == 405)
		http_reply_lines(exchange->connection, HTTP_TEXT(ALLOW));
	exchange_send_reason(exchange);
}

bool
exchange_is_read(struct exchange *exchange)
{
	switch (exchange->request->verb) {
	case HTTP_VERB_GET:
	case HTTP_VERB_HEAD:
		return true;
	case HTTP_VERB_OPTIONS:
		exchange_start(exchange, 204);
		http_reply_lines(exchange->connection, HTTP_TEXT(ALLOW));
		exchange_send(exchange, HTTP_TEXT(""));
		return false;
	default:
		exchange_error(exchange, 405);
		return false;
	}
}
