/*
 * Connecting.
 */
#include "service/proxy/connect.h"

#include "base/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
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

/*
 * A port that nobody listens on, from which the kernel has just chosen to connect to itself: TCP takes the two for each other's
 * peers, and it would be an echo.
 */
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
connect_begin(const struct address *address, bool *ret_connected)
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
	if (r == 0 && is_connected_to_itself(fd, address))
		r = -ECONNREFUSED;
	if (r < 0) {
		fd_close(&fd);
		return r;
	}
	*ret_connected = true;
	return fd;
}

int
connect_result(int fd)
{
	struct address peer;
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error != 0)
		return -error;
	address_of_peer(&peer, fd);
	return is_connected_to_itself(fd, &peer) ? -ECONNREFUSED : 0;
}

void
connect_tune(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	};

	/* fails at once on a UNIX socket, which needs none of it */
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)) < 0)
			return;
}
