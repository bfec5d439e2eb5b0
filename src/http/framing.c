/*
 * Where a request ends: behind its head, behind as many bytes as the head says, or behind the last chunk.
 */
#include "http/framing.h"

#include "http/parser.h"

#include <errno.h>

static int
parse_head(const struct http_framing *framing, const char *data, struct http_request *ret)
{
	size_t start = framing->head.start;
	int r = http_request_parse(ret, data + start, framing->head.end - start);

	return r != 0 ? r : http_request_check(ret);
}

static int
scan_head(struct http_framing *framing, const char *data, size_t len, const struct http_limits *limits,
	struct http_request *ret)
{
	int r = http_head_scan(&framing->head, data, len, limits);

	if (r == 0)
		r = parse_head(framing, data, ret);
	if (r != 0)
		return r;
	if (ret->target.len > limits->max_target)
		return 414;
	framing->checked = true;
	framing->chunked = ret->chunked;
	framing->content_length = ret->content_length;
	framing->expects_continue = ret->expects_continue;
	return 0;
}

/* The body's bytes with their framing: 0 with *ret_len, -EAGAIN, or a status. */
static int
scan_body(struct http_framing *framing, const char *body, size_t len, const struct http_limits *limits,
	size_t *ret_len)
{
	int r;

	if (framing->chunked) {
		r = http_chunked_scan(&framing->chunks, body, len, limits);
		*ret_len = framing->chunks.at;
		return r;
	}
	if (framing->content_length > limits->max_body)
		return 413;
	*ret_len = (size_t)framing->content_length;
	return len < *ret_len ? -EAGAIN : 0;
}

int
http_framing_scan(struct http_framing *framing, char *data, size_t len, const struct http_limits *limits,
	struct http_request *ret, size_t *ret_len)
{
	bool parsed = !framing->checked;
	size_t head_len, body_len = 0;
	int r = parsed ? scan_head(framing, data, len, limits, ret) : 0;

	if (r != 0)
		return r;
	head_len = framing->head.end;
	r = scan_body(framing, data + head_len, len - head_len, limits, &body_len);
	if (r == 0 && !parsed) /* the head came in an earlier piece, and others have been served since */
		r = parse_head(framing, data, ret);
	if (r != 0)
		return r;
	ret->body = (struct http_text){ data + head_len, body_len };
	if (framing->chunked)
		ret->body.len = http_chunked_decode(data + head_len);
	*ret_len = head_len + body_len;
	return 0;
}
