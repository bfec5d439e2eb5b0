/*
 * The lines of a head.
 *
 * Whatever another program on the way may read differently is refused here; afterwards, lines are only split (parser.c). So this is where
 * these are found:
 *
 *  - lines that end in a bare LF; a bare CR, which some take for the end of a line
 *  - lines folded into the next one (RFC 9112, 5.2)
 *  - white space before the colon, and within a name: a "Content-Length :" that some see and others don't
 *  - any number of empty lines, CRs and LFs before the request line; one empty line is what the standard wants to be
 *    ignored
 *  - a request line with more than one space between its parts, without a version, or with a version like "HXYZ/1.1"
 *  - methods ended by other characters than a space
 *  - control characters, NUL among them, in a value
 */
#include "http/head.h"

#include "http/chars.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/*
 * What a request line has beside the target: a method (the longest that is known has 7 letters), two spaces, the
 * version.
 */
#define REQUEST_LINE_EXTRA 64

/* A complete line ends in CRLF, and has no other CR. */
static bool
is_ended_well(const char *line, size_t len)
{
	return len >= HTTP_CRLF_LEN && memchr(line, '\r', len) == line + len - HTTP_CRLF_LEN;
}

/* method SP target SP "HTTP/" digit "." digit; the target's characters are looked at later. */
static int
check_request_line(const char *line, size_t len)
{
	size_t method = http_chars_span(line, len, HTTP_CHARS_TOKEN);
	const char *version;

	len -= HTTP_CRLF_LEN;
	if (method == 0 || len < method + sizeof("  ") + HTTP_VERSION_LEN - 1 || line[method] != ' ')
		return 400;
	version = line + len - HTTP_VERSION_LEN;
	if (memcmp(version, "HTTP/", 5) != 0 || !isdigit((unsigned char)version[5]) || version[6] != '.' ||
		!isdigit((unsigned char)version[7]))
		return 400;
	/* the second space, with at least one character between the two, and no third */
	if (memchr(line + method + 1, ' ', len - method - 1) != version - 1 ||
		version - 1 == line + method + 1)
		return 400;
	return 0;
}

/* A line that is ended well. */
static int
check_field(const char *line, size_t len)
{
	size_t name = http_chars_span(line, len, HTTP_CHARS_TOKEN), rest = len - name - HTTP_CRLF_LEN;

	if (name == 0 || line[name] != ':')
		return 400;
	return http_chars_span(line + name, rest, HTTP_CHARS_VALUE) == rest ? 0 : 400;
}

int
http_head_check_field(const char *line, size_t len)
{
	return is_ended_well(line, len) ? check_field(line, len) : 400;
}

/* One complete line. Sets head->end at the last one. */
static int
check_line(struct http_head *head, const char *line, size_t len)
{
	bool empty = len == HTTP_CRLF_LEN;

	if (!is_ended_well(line, len))
		return 400;
	if (head->n_lines == 0 && empty) {
		if (head->start > 0)
			return 400;
		head->start = HTTP_CRLF_LEN;
		return 0;
	}
	if (empty) {
		head->end = head->line + len;
		return 0;
	}
	return head->n_lines++ == 0 ? check_request_line(line, len) : check_field(line, len);
}

/*
 * Limits, and what can be told from a line's beginning; `len` is what there is of the current line. Must give the
 * same for any longer beginning of the same line, so that the pieces in which it comes make no difference.
 */
static int
check_beginning(const struct http_head *head, const char *line, size_t len, const struct http_limits *limits)
{
	size_t max_line = limits->max_target + REQUEST_LINE_EXTRA;

	if (max_line > limits->max_head)
		max_line = limits->max_head;
	/* what the first byte tells comes first; and it spares those who speak TLS to us the wait for a line's end */
	if (head->n_lines == 0 && len > 0 && line[0] != '\r' &&
		http_chars_span(line, 1, HTTP_CHARS_TOKEN) == 0)
		return 400;
	if (head->n_lines == 0 && len > max_line)
		return 414;
	if (head->line + len > limits->max_head ||
		(head->n_lines > limits->max_fields && len > 0 && line[0] != '\r'))
		return 431;
	return 0;
}

int
http_head_scan(struct http_head *head, const char *data, size_t len, const struct http_limits *limits)
{
	while (head->end == 0) {
		const char *line = data + head->line;
		const char *lf = len > head->line ? memchr(line, '\n', len - head->line) : NULL;
		size_t n = lf ? (size_t)(lf + 1 - line) : len - head->line;
		int r = check_beginning(head, line, n, limits);

		if (r == 0 && !lf)
			return -EAGAIN;
		if (r == 0)
			r = check_line(head, line, n);
		if (r != 0)
			return r;
		head->line += n;
	}
	return 0;
}
