/*
 * Packets with descriptors.
 */
#include "base/socket.h"

#include "base/fd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* What carries descriptors; the header aligns it. */
union rights {
	struct cmsghdr header;
	char space[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
};

int
socket_send(int fd, const void *data, size_t len, const int *fds, size_t n)
{
	union rights rights;
	struct iovec bytes = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (n > SOCKET_FDS_MAX)
		return -E2BIG;
	if (n > 0) {
		memset(&rights, 0, CMSG_SPACE(n * sizeof(*fds)));
		message.msg_control = &rights;
		message.msg_controllen = CMSG_SPACE(n * sizeof(*fds));
		rights.header.cmsg_level = SOL_SOCKET;
		rights.header.cmsg_type = SCM_RIGHTS;
		rights.header.cmsg_len = CMSG_LEN(n * sizeof(*fds));
		memcpy(CMSG_DATA(&rights.header), fds, n * sizeof(*fds));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

bool
socket_may_retry(ssize_t error)
{
	switch (error) {
	case -EAGAIN:
	case -EINTR:
	case -ENOMEM:
	case -ENOBUFS:
	case -ETOOMANYREFS:
		return true;
	default:
		return false;
	}
}

/* Takes the descriptors out of a message, and closes those that there is no room for. False when there were. */
static bool
take_fds(struct msghdr *message, int *fds, size_t *n)
{
	size_t room = *n;
	bool all = true;

	*n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (*n < room) {
				fds[(*n)++] = fd;
				continue;
			}
			all = false;
			fd_close(&fd);
		}
	}
	return all;
}

ssize_t
socket_receive(int fd, void *data, size_t size, int *fds, size_t *n)
{
	union rights rights;
	struct iovec bytes = { .iov_base = data, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights),
	};
	ssize_t len = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int error = errno;
	bool whole;

	if (len < 0) {
		*n = 0;
		return -error;
	}
	whole = take_fds(&message, fds, n) && !(message.msg_flags & MSG_CTRUNC);
	if (whole && !(message.msg_flags & MSG_TRUNC))
		return len;
	while (*n > 0)
		fd_close(&fds[--*n]);
	return whole ? -EMSGSIZE : -EMFILE;
}
