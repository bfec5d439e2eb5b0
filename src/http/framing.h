/*
 * Where a request ends.
 *
 * Everything here can be worked out again from the request's bytes as they came: what a connection keeps of a request
 * is those bytes, and this is only so as not to read them twice. Therefore a connection can be handed over with any
 * part of a request read.
 */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "http/chunked.h"
#include "http/head.h"
#include "http/request.h"

/* All zero at the beginning of a request. */
struct http_framing {
	struct http_head head;
	bool checked;            /* the head is complete and good; the next three are set */
	bool chunked;            /* the body comes in chunks; else content_length counts */
	bool expects_continue;   /* the client waits for "100 Continue" before it sends the body */
	uint64_t content_length; /* 0: no body */
	struct http_chunked chunks;
};

/*
 * Goes on over `data`, which begins where the request does; `len` may grow from call to call, and what was there
 * stays the same. 0: the request is complete: *ret is filled in, referring to `data`, and it takes *ret_len bytes; a
 * body in chunks has been moved together within these. -EAGAIN: more is needed. Else the status to refuse the request
 * with.
 */
int http_framing_scan(struct http_framing *framing, char *data, size_t len, const struct http_limits *limits,
	struct http_request *ret, size_t *ret_len);

#endif
