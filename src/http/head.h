/*
 * Finding the end of a request's head, line by line, and refusing lines that could be read in two ways.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/limits.h"

#include <stddef.h>

#define HTTP_CRLF_LEN    2 /* of a line's end */
#define HTTP_VERSION_LEN 8 /* of "HTTP/1.1" */

/* All zero at the beginning. */
struct http_head {
	size_t line;    /* where the first line begins that is not complete yet */
	size_t n_lines; /* complete ones, not counting an empty one before the request line */
	size_t start;   /* of the request line: 0, or 2 behind an empty line */
	size_t end;     /* behind the empty line; 0: not reached */
};

/*
 * Goes on over `data`, which begins where the head does; `len` may grow from call to call, and what was there stays
 * the same. The result does not depend on the pieces in which the bytes came. 0: the head is complete; -EAGAIN: more
 * is needed; else the status to refuse the request with.
 */
int http_head_scan(struct http_head *head, const char *data, size_t len, const struct http_limits *limits);

/* Is this a field line as it must be, CRLF included? 0 or 400. For trailers too. */
int http_head_check_field(const char *line, size_t len);

#endif
