/*
 * One line of JSON for each request.
 *
 * Written by hand: a library would build a tree of values first, which costs more than the request does.
 */
#include "service/http/access_log.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Bytes of a text in the line, escaped. All together with the rest fit into the line. */
#define TARGET_MAX 800
#define OTHER_MAX  250

_Static_assert(ACCESS_LOG_LINE_MAX < LOG_TEXT_MAX, "the log would cut it");
_Static_assert(TARGET_MAX + 4 * OTHER_MAX < ACCESS_LOG_LINE_MAX - 150, "they fit");

void
access_log_client(int fd, char dst[ACCESS_LOG_CLIENT_MAX])
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} address;
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

/* Adds ,"name":"text", of at most `max` bytes of text. Returns where it ends. */
static char *
put_text(char *at, const char *name, struct http_text text, size_t max)
{
	size_t used = 0;

	at += sprintf(at, ",\"%s\":\"", name);
	for (size_t i = 0; i < text.len; i++) {
		char one[8];
		size_t n = escape(one, (unsigned char)text.at[i]);

		if (used + n + 3 > max) {
			memcpy(at, "...", 3);
			at += 3;
			break;
		}
		memcpy(at, one, n);
		at += n;
		used += n;
	}
	*at++ = '"';
	return at;
}

void
access_log_format(const struct access *access, char dst[ACCESS_LOG_LINE_MAX])
{
	static const struct {
		const char *name;
		struct http_text field;
	} fields[] = { { "agent", { "User-Agent", 10 } }, { "referer", { "Referer", 7 } } };
	const struct http_request *request = access->request;
	char *at = dst;

	at += sprintf(at, "{\"client\":\"%.*s\"", ACCESS_LOG_CLIENT_MAX, access->client);
	if (request) {
		at = put_text(at, "method", request->method, OTHER_MAX / 8);
		at = put_text(at, "target", request->target, TARGET_MAX);
		at = put_text(at, "host", request->host, OTHER_MAX);
	}
	at += sprintf(at, ",\"status\":%d,\"length\":%" PRIu64, access->status, access->length);
	for (size_t i = 0; request && i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct http_text *value = http_request_field(request, fields[i].field);

		if (value)
			at = put_text(at, fields[i].name, *value, OTHER_MAX);
	}
	*at++ = '}';
	*at = '\0';
}

void
access_log_write(const struct access *access)
{
	char line[ACCESS_LOG_LINE_MAX];

	access_log_format(access, line);
	log_info("%s", line);
}
