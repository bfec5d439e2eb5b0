/*
 * The PROXY protocol.
 */
#include "service/proxy/proxy_protocol.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- version 1: a line of text ---- */

#define V1_MAX   107 /* with its CR LF */
#define V1_BEGIN "PROXY "

/* The next word of a line in which one space stands between two words. NULL: there is none. */
static char *
next_word(char **rest)
{
	char *word = strsep(rest, " ");

	return word && *word ? word : NULL;
}

/* A port without leading zeros. 0, or -EBADMSG. */
static int
parse_port(const char *word, uint16_t *ret)
{
	uint64_t port;

	if (!word || text_parse_u64(word, &port) < 0 || port > UINT16_MAX || (word[0] == '0' && word[1]))
		return -EBADMSG;
	*ret = (uint16_t)port;
	return 0;
}

static int
parse_v1_addresses(char *rest, bool is_v6, struct proxy_header *ret)
{
	const char *source = next_word(&rest), *destination = next_word(&rest);
	const char *source_port = next_word(&rest), *destination_port = next_word(&rest);
	uint16_t from, to;

	if (!source || !destination || rest || (strchr(source, ':') != NULL) != is_v6 ||
		(strchr(destination, ':') != NULL) != is_v6)
		return -EBADMSG;
	if (parse_port(source_port, &from) < 0 || parse_port(destination_port, &to) < 0 ||
		address_parse(&ret->source, source, from) < 0 ||
		address_parse(&ret->destination, destination, to) < 0)
		return -EBADMSG;
	return 0;
}

/* The line, without its end. */
static int
parse_v1(char *line, struct proxy_header *ret)
{
	char *rest = line + strlen(V1_BEGIN);
	const char *family = next_word(&rest);

	if (family && strcmp(family, "UNKNOWN") == 0)
		return 0; /* whatever stands behind it is to be ignored */
	if (!family || !rest || (strcmp(family, "TCP4") != 0 && strcmp(family, "TCP6") != 0))
		return -EBADMSG;
	return parse_v1_addresses(rest, family[3] == '6', ret);
}

static ssize_t
read_v1(struct proxy_header *ret, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len < V1_MAX ? len : V1_MAX);
	size_t text_len = end ? (size_t)(end - data) - 1 : 0;
	char line[V1_MAX];

	if (!end)
		return len < V1_MAX ? 0 : -EBADMSG;
	if (text_len < strlen(V1_BEGIN) || data[text_len] != '\r' || memchr(data, '\0', text_len))
		return -EBADMSG;
	memcpy(line, data, text_len);
	line[text_len] = '\0';
	return parse_v1(line, ret) < 0 ? -EBADMSG : (ssize_t)text_len + 2;
}

/* ---- version 2: binary ---- */

static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum {
	V2_COMMAND = 12,
	V2_FAMILY = 13,
	V2_LENGTH = 14,
	V2_HEADER = 16,

	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,

	V2_UNKNOWN = 0x00,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_UNIX = 0x31,

	V2_TCP4_LENGTH = 12,
	V2_TCP6_LENGTH = 36,
	V2_UNIX_PATH = 108,
	V2_UNIX_LENGTH = 2 * V2_UNIX_PATH,
	V2_ADDITION = 3, /* type and length */
};

_Static_assert(V2_HEADER + V2_UNIX_LENGTH <= PROXY_PROTOCOL_WRITE_MAX, "the longest that is written");

static unsigned
get_u16(const unsigned char *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void
read_v4(struct address *ret, const unsigned char *host, const unsigned char *port)
{
	*ret = (struct address){ .in = { .sin_family = AF_INET }, .len = sizeof(ret->in) };
	memcpy(&ret->in.sin_addr, host, 4);
	memcpy(&ret->in.sin_port, port, 2);
}

static void
read_v6(struct address *ret, const unsigned char *host, const unsigned char *port)
{
	*ret = (struct address){ .in6 = { .sin6_family = AF_INET6 }, .len = sizeof(ret->in6) };
	memcpy(&ret->in6.sin6_addr, host, 16);
	memcpy(&ret->in6.sin6_port, port, 2);
}

static void
read_unix(struct address *ret, const unsigned char *path)
{
	*ret = (struct address){ .un = { .sun_family = AF_UNIX }, .len = sizeof(ret->un) };
	memcpy(ret->un.sun_path, path, V2_UNIX_PATH);
}

/* The addresses; how long they are, or -EBADMSG. */
static int
read_v2_addresses(struct proxy_header *ret, unsigned family, const unsigned char *body, size_t len)
{
	if (family == V2_UNKNOWN)
		return 0;
	if (family == V2_TCP4 && len >= V2_TCP4_LENGTH) {
		read_v4(&ret->source, body, body + 8);
		read_v4(&ret->destination, body + 4, body + 10);
		return V2_TCP4_LENGTH;
	}
	if (family == V2_TCP6 && len >= V2_TCP6_LENGTH) {
		read_v6(&ret->source, body, body + 32);
		read_v6(&ret->destination, body + 16, body + 34);
		return V2_TCP6_LENGTH;
	}
	if (family == V2_UNIX && len >= V2_UNIX_LENGTH) {
		read_unix(&ret->source, body);
		read_unix(&ret->destination, body + V2_UNIX_PATH);
		return V2_UNIX_LENGTH;
	}
	return -EBADMSG;
}

/* What is added behind the addresses: types and lengths up to the end. Nothing of it is used. */
static bool
are_additions(const unsigned char *at, size_t len)
{
	while (len >= V2_ADDITION) {
		size_t whole = V2_ADDITION + get_u16(at + 1);

		if (whole > len)
			return false;
		at += whole;
		len -= whole;
	}
	return len == 0;
}

static ssize_t
read_v2(struct proxy_header *ret, const unsigned char *data, size_t len)
{
	const unsigned char *body = data + V2_HEADER;
	size_t body_len;
	int n;

	if (len > V2_COMMAND && data[V2_COMMAND] != V2_LOCAL && data[V2_COMMAND] != V2_PROXY)
		return -EBADMSG;
	if (len < V2_HEADER)
		return 0;
	body_len = get_u16(data + V2_LENGTH);
	if (V2_HEADER + body_len > PROXY_PROTOCOL_READ_MAX)
		return -EBADMSG;
	if (len < V2_HEADER + body_len)
		return 0;
	if (data[V2_COMMAND] == V2_LOCAL)
		return (ssize_t)(V2_HEADER +
				 body_len); /* the proxy's own connection; whatever else it says */
	n = read_v2_addresses(ret, data[V2_FAMILY], body, body_len);
	if (n < 0 || (data[V2_FAMILY] != V2_UNKNOWN && !are_additions(body + n, body_len - (size_t)n)))
		return -EBADMSG;
	return (ssize_t)(V2_HEADER + body_len);
}

/* ---- both ---- */

static bool
begins_with(const void *data, size_t len, const void *begin, size_t begin_len)
{
	return memcmp(data, begin, len < begin_len ? len : begin_len) == 0;
}

ssize_t
proxy_protocol_read(struct proxy_header *ret, const void *data, size_t len)
{
	struct proxy_header header = { .source = { .len = 0 } };
	ssize_t n = -EBADMSG;

	if (len == 0)
		return 0;
	if (begins_with(data, len, V1_BEGIN, strlen(V1_BEGIN)))
		n = read_v1(&header, data, len);
	else if (begins_with(data, len, signature, sizeof(signature)))
		n = read_v2(&header, data, len);
	if (n > 0)
		*ret = header;
	return n;
}

static size_t
write_v1(const struct proxy_header *header, unsigned char *buf)
{
	const struct address *source = &header->source, *destination = &header->destination;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	if (!address_is_inet(source))
		return (size_t)sprintf((char *)buf, "PROXY UNKNOWN\r\n");
	if (source->any.sa_family == AF_INET)
		return (size_t)sprintf((char *)buf, "PROXY TCP4 %s %s %u %u\r\n",
			inet_ntop(AF_INET, &source->in.sin_addr, from, sizeof(from)),
			inet_ntop(AF_INET, &destination->in.sin_addr, to, sizeof(to)),
			ntohs(source->in.sin_port), ntohs(destination->in.sin_port));
	return (size_t)sprintf((char *)buf, "PROXY TCP6 %s %s %u %u\r\n",
		inet_ntop(AF_INET6, &source->in6.sin6_addr, from, sizeof(from)),
		inet_ntop(AF_INET6, &destination->in6.sin6_addr, to, sizeof(to)),
		ntohs(source->in6.sin6_port), ntohs(destination->in6.sin6_port));
}

/* The addresses; how long they are, with their family. */
static size_t
write_v2_addresses(const struct proxy_header *header, unsigned char *body, unsigned char *ret_family)
{
	const struct address *source = &header->source, *destination = &header->destination;
	int family = source->len > 0 ? source->any.sa_family : AF_UNSPEC;

	if (family == AF_INET) {
		*ret_family = V2_TCP4;
		memcpy(body, &source->in.sin_addr, 4);
		memcpy(body + 4, &destination->in.sin_addr, 4);
		memcpy(body + 8, &source->in.sin_port, 2);
		memcpy(body + 10, &destination->in.sin_port, 2);
		return V2_TCP4_LENGTH;
	}
	if (family == AF_INET6) {
		*ret_family = V2_TCP6;
		memcpy(body, &source->in6.sin6_addr, 16);
		memcpy(body + 16, &destination->in6.sin6_addr, 16);
		memcpy(body + 32, &source->in6.sin6_port, 2);
		memcpy(body + 34, &destination->in6.sin6_port, 2);
		return V2_TCP6_LENGTH;
	}
	if (family == AF_UNIX) {
		*ret_family = V2_UNIX;
		memcpy(body, source->un.sun_path, V2_UNIX_PATH);
		memcpy(body + V2_UNIX_PATH, destination->un.sun_path, V2_UNIX_PATH);
		return V2_UNIX_LENGTH;
	}
	*ret_family = V2_UNKNOWN;
	return 0;
}

static size_t
write_v2(const struct proxy_header *header, unsigned char *buf)
{
	size_t len = write_v2_addresses(header, buf + V2_HEADER, &buf[V2_FAMILY]);

	memcpy(buf, signature, sizeof(signature));
	buf[V2_COMMAND] = header->source.len > 0 ? V2_PROXY : V2_LOCAL;
	buf[V2_LENGTH] = 0;
	buf[V2_LENGTH + 1] = (unsigned char)len;
	return V2_HEADER + len;
}

size_t
proxy_protocol_write(
	unsigned version, const struct proxy_header *header, unsigned char buf[PROXY_PROTOCOL_WRITE_MAX])
{
	return version == 1 ? write_v1(header, buf) : write_v2(header, buf);
}
