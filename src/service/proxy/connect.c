/*
 * Connecting.
 */
#include "service/proxy/connect.h"

#include "base/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

/* Seconds of silence before a peer is asked whether it is still there; the kernel's own are two hours. */
#define KEEPALIVE_IDLE     60
#define KEEPALIVE_INTERVAL 15

bool
connect_is_own_error(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
	       error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

/* The ports that the kernel chooses from; where it does not tell, it may be all of them. */
static void
read_port_range(unsigned *ret_first, unsigned *ret_last)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (!file || fscanf(file, "%u %u", ret_first, ret_last) != 2) {
		*ret_first = 0;
		*ret_last = UINT16_MAX;
	}
	if (file)
		fclose(file);
}

bool
connect_may_meet_itself(const struct address *address)
{
	unsigned first, last, port;

	if (!address_is_inet(address))
		return false;
	read_port_range(&first, &last);
	/* (both families have the port at the same place) */
	port = ntohs(address->in.sin_port);
	return port >= first && port <= last;
}

static bool
is_connected_to_itself(int fd, const struct address *address)
{
	struct address own;

	if (!address_is_inet(address))
		return false;
	address_of_socket(&own, fd);
	if (own.any.sa_family != address->any.sa_family)
		return false;
	if (own.any.sa_family == AF_INET)
		return own.in.sin_port == address->in.sin_port &&
		       own.in.sin_addr.s_addr == address->in.sin_addr.s_addr;
	return own.in6.sin6_port == address->in6.sin6_port &&
	       IN6_ARE_ADDR_EQUAL(&own.in6.sin6_addr, &address->in6.sin6_addr);
}

int
connect_begin(const struct address *address, bool may_meet_itself, bool *ret_connected)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	*ret_connected = false;
	r = connect(fd, &address->any, address->len) < 0 ? -errno : 0;
	/* on this host it is done when the call returns, only the call does not say so; asking again is cheaper than to wait for it */
	if (r == -EINPROGRESS)
		r = connect(fd, &address->any, address->len) < 0 ? -errno : 0;
	if (r == -EALREADY || r == -EINPROGRESS || r == -EINTR)
		return fd;
	if (r == 0 && may_meet_itself && is_connected_to_itself(fd, address))
		r = -ECONNREFUSED;
	if (r < 0) {
		fd_close(&fd);
		return r;
	}
	*ret_connected = true;
	return fd;
}

int
connect_result(int fd, bool may_meet_itself)
{
	struct address peer;
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error != 0 || !may_meet_itself)
		return -error;
	address_of_peer(&peer, fd);
	return is_connected_to_itself(fd, &peer) ? -ECONNREFUSED : 0;
}

void
connect_be_prompt(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void
connect_keep_alive(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	};

	/* fails at once on a UNIX socket, which needs none of it */
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)) < 0)
			return;
}
