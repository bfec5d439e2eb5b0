/*
 * Addresses of sockets.
 */
#include "service/proxy/address.h"

#include "service/proxy/hash.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

int
address_parse(struct address *ret, const char *text, uint16_t port)
{
	struct address address = { .len = 0 };

	if (strchr(text, ':')) {
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = htons(port);
		address.len = sizeof(address.in6);
		if (inet_pton(AF_INET6, text, &address.in6.sin6_addr) != 1)
			return -EINVAL;
	} else {
		address.in.sin_family = AF_INET;
		address.in.sin_port = htons(port);
		address.len = sizeof(address.in);
		if (inet_pton(AF_INET, text, &address.in.sin_addr) != 1)
			return -EINVAL;
	}
	*ret = address;
	return 0;
}

void
address_text(char ret[static ADDRESS_TEXT], const struct address *address)
{
	const void *host = address->any.sa_family == AF_INET ? (const void *)&address->in.sin_addr
	                                                     : (const void *)&address->in6.sin6_addr;

	ret[0] = '\0';
	if (address_is_inet(address))
		inet_ntop(address->any.sa_family, host, ret, ADDRESS_TEXT);
}

void
address_of_path(struct address *ret, const char *path)
{
	const size_t len = strlen(path);

	*ret = (struct address){ .un = { .sun_family = AF_UNIX } };
	memcpy(ret->un.sun_path, path, len + 1);
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

/* A client of a socket for both families. */
static void
unmap(struct address *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
		return;
	in.sin_port = address->in6.sin6_port;
	memcpy(&in.sin_addr, address->in6.sin6_addr.s6_addr + 12, sizeof(in.sin_addr));
	*address = (struct address){ .in = in, .len = sizeof(in) };
}

typedef int get_fn(int fd, struct sockaddr *address, socklen_t *len);

static void
get(struct address *ret, int fd, get_fn *get_name)
{
	*ret = (struct address){ .len = sizeof(ret->un) };
	if (get_name(fd, &ret->any, &ret->len) < 0)
		ret->len = 0;
	else
		unmap(ret);
}

static int
peer_name(int fd, struct sockaddr *address, socklen_t *len)
{
	return getpeername(fd, address, len);
}

static int
socket_name(int fd, struct sockaddr *address, socklen_t *len)
{
	return getsockname(fd, address, len);
}

void
address_of_peer(struct address *ret, int fd)
{
	get(ret, fd, peer_name);
}

void
address_of_socket(struct address *ret, int fd)
{
	get(ret, fd, socket_name);
}

bool
address_is_inet(const struct address *address)
{
	return address->len > 0 && (address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6);
}

uint64_t
address_hash(const struct address *address)
{
	if (!address_is_inet(address))
		return 0;
	if (address->any.sa_family == AF_INET)
		return hash_bytes(&address->in.sin_addr, sizeof(address->in.sin_addr)) | 1;
	return hash_bytes(&address->in6.sin6_addr, sizeof(address->in6.sin6_addr)) | 1;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return a->len == b->len && memcmp(&a->any, &b->any, a->len) == 0;
}
