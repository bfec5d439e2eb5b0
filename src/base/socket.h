/*
 * Packets with descriptors, on UNIX sockets.
 */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The kernel takes no more in one packet (SCM_MAX_FD). */
#define SOCKET_FDS_MAX 253

/*
 * Sends one packet with n descriptors, without waiting, and without SIGPIPE. 0; -EAGAIN: there is no room; else negative
 * errno, -ETOOMANYREFS among them: too many descriptors of this user are on their way.
 */
int socket_send(int fd, const void *data, size_t len, const int *fds, size_t n);

/* Does this error (negative errno) of the two say nothing of the socket, so that another attempt may do? */
bool socket_may_retry(ssize_t error);

/*
 * Receives one packet, without waiting, and up to *n descriptors, which are close-on-exec from birth. Its length, 0 at the end
 * of file, or negative errno: -EMSGSIZE: it was longer than `size`, or -EMFILE: there was no room for its descriptors; then it is
 * lost with them. *n is what has come.
 */
ssize_t socket_receive(int fd, void *data, size_t size, int *fds, size_t *n);

#endif
