/*
 * One line of JSON for each request.
 *
 * Written by hand: a library would build a tree of values first, which costs more than the request does.
 */
#include "service/http/access_log.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Bytes of a text in the line, escaped. All together with the rest fit into the line. */
#define TARGET_MAX 700
#define OTHER_MAX  200

_Static_assert(ACCESS_LOG_LINE_MAX < LOG_TEXT_MAX, "the log would cut it");
_Static_assert(TARGET_MAX + 5 * OTHER_MAX < ACCESS_LOG_LINE_MAX - 200, "they fit");

void
access_log_client(int fd, char dst[ACCESS_LOG_CLIENT_MAX])
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} address = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t len = sizeof(address);
	char text[INET6_ADDRSTRLEN];
	const char *mapped;

	snprintf(dst, ACCESS_LOG_CLIENT_MAX, "unix");
	if (getpeername(fd, &address.any, &len) < 0)
		return;
	if (address.any.sa_family == AF_INET && inet_ntop(AF_INET, &address.in.sin_addr, text, sizeof(text)))
		snprintf(dst, ACCESS_LOG_CLIENT_MAX, "%s:%u", text, ntohs(address.in.sin_port));
	if (address.any.sa_family != AF_INET6 ||
		!inet_ntop(AF_INET6, &address.in6.sin6_addr, text, sizeof(text)))
		return;
	/* an IPv4 client of a socket for both families */
	mapped = IN6_IS_ADDR_V4MAPPED(&address.in6.sin6_addr) ? strrchr(text, ':') + 1 : NULL;
	if (mapped)
		snprintf(dst, ACCESS_LOG_CLIENT_MAX, "%s:%u", mapped, ntohs(address.in6.sin6_port));
	else
		snprintf(dst, ACCESS_LOG_CLIENT_MAX, "[%s]:%u", text, ntohs(address.in6.sin6_port));
}

/* A line that is being written. What there is no room for is left out; by the limits above there always is. */
struct line {
	char *text; /* of ACCESS_LOG_LINE_MAX bytes */
	size_t len;
};

static void
put(struct line *line, const char *data, size_t len)
{
	if (len >= ACCESS_LOG_LINE_MAX - line->len)
		return;
	memcpy(line->text + line->len, data, len);
	line->len += len;
	line->text[line->len] = '\0';
}

static void
put_words(struct line *line, const char *words)
{
	put(line, words, strlen(words));
}

static void
put_number(struct line *line, const char *name, uint64_t value)
{
	char text[64];

	snprintf(text, sizeof(text), ",\"%s\":%" PRIu64, name, value);
	put_words(line, text);
}

/* One byte within a JSON string; bytes beyond ASCII are taken for Latin-1, so that the line is JSON in any case. */
static size_t
escape(char out[8], unsigned char c)
{
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c >= ' ' && c < 127) {
		out[0] = (char)c;
		return 1;
	}
	return (size_t)snprintf(out, 8, "\\u%04x", c);
}

/* "text", of at most `max` bytes. */
static void
put_text(struct line *line, struct http_text text, size_t max)
{
	size_t used = 0;

	put_words(line, "\"");
	for (size_t i = 0; i < text.len; i++) {
		char one[8];
		size_t n = escape(one, (unsigned char)text.at[i]);

		if (used + n + strlen("...") > max) {
			put_words(line, "...");
			break;
		}
		put(line, one, n);
		used += n;
	}
	put_words(line, "\"");
}

static void
put_named(struct line *line, const char *name, struct http_text text, size_t max)
{
	put_words(line, ",\"");
	put_words(line, name);
	put_words(line, "\":");
	put_text(line, text, max);
}

void
access_log_format(const struct access *access, char dst[ACCESS_LOG_LINE_MAX])
{
	static const struct {
		const char *name;
		struct http_text field;
	} fields[] = { { "agent", { "User-Agent", 10 } }, { "referer", { "Referer", 7 } } };
	const struct http_request *request = access->request;
	struct line line = { .text = dst };

	put_words(&line, "{\"client\":");
	put_text(&line, (struct http_text){ access->client, strlen(access->client) }, OTHER_MAX);
	if (request) {
		put_named(&line, "method", request->method, OTHER_MAX);
		put_named(&line, "target", request->target, TARGET_MAX);
		put_named(&line, "host", request->host, OTHER_MAX);
	}
	put_number(&line, "status", (uint64_t)access->status);
	put_number(&line, "length", access->length);
	for (size_t i = 0; request && i < ARRAY_LEN(fields); i++) {
		const struct http_text *value = http_request_field(request, fields[i].field);

		if (value)
			put_named(&line, fields[i].name, *value, OTHER_MAX);
	}
	put_words(&line, "}");
}

void
access_log_write(const struct access *access)
{
	char line[ACCESS_LOG_LINE_MAX];

	access_log_format(access, line);
	log_info("%s", line);
}
