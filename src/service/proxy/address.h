/*
 * Addresses of sockets: IPv4, IPv6, UNIX.
 */
#ifndef SERVICE_PROXY_ADDRESS_H
#define SERVICE_PROXY_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len; /* 0: none */
};

/* A numeric IPv4 or IPv6 address, without brackets. 0 with *ret, or -EINVAL. */
int address_parse(struct address *ret, const char *text, uint16_t port);

/* The address without the port, if it's IPv4 or IPv6; else "". */
#define ADDRESS_TEXT INET6_ADDRSTRLEN
void address_text(char ret[static ADDRESS_TEXT], const struct address *address);

/* A UNIX socket; `path` fits, see ADDRESS_PATH_MAX. */
#define ADDRESS_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)
void address_of_path(struct address *ret, const char *path);

/* Who is at the other end of a socket, and where we are. An IPv4 address within IPv6 is an IPv4 address. */
void address_of_peer(struct address *ret, int fd);
void address_of_socket(struct address *ret, int fd);

/* Of the host, without the port. 0: it is no host's address. */
uint64_t address_hash(const struct address *address);

bool address_is_inet(const struct address *address);

bool address_equal(const struct address *a, const struct address *b);

#endif
