/*
 * One request and the reply to it: what all pages have in common, and what the access log wants to know.
 */
#ifndef SERVICE_HTTP_EXCHANGE_H
#define SERVICE_HTTP_EXCHANGE_H

#include "http/reply.h"
#include "service/http/date.h"

#include <sys/types.h>

struct exchange {
	struct http_connection *connection;
	const struct http_request *request;
	struct date_line *date;
	/* of the reply, once it was made */
	int status;
	uint64_t length; /* of its body */
};

/* The methods that pages are for: GET and HEAD. Others are answered here. true: go on. */
bool exchange_is_read(struct exchange *exchange);

/* Begins a reply: status line and date. Fields may follow, then one of the ends below. */
void exchange_start(struct exchange *exchange, int status);

void exchange_field(struct exchange *exchange, struct http_text name, struct http_text value);

/* Ends it with a body from memory, or with a part of a file, which takes the descriptor. */
void exchange_send(struct exchange *exchange, struct http_text body);
void exchange_send_file(struct exchange *exchange, int fd, off_t offset, uint64_t len);

/* A whole reply that says its status in words. */
void exchange_error(struct exchange *exchange, int status);

/* The end of one that was begun: the same body. */
void exchange_send_reason(struct exchange *exchange);

#endif
