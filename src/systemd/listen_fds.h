/*
 * The listening sockets that systemd passed (socket activation), each with its name.
 */
#ifndef SYSTEMD_LISTEN_FDS_H
#define SYSTEMD_LISTEN_FDS_H

#include <stddef.h>

struct listen_fds {
	size_t n;
	struct listen_fd {
		int fd;
		char *name;
	} * fd;
};

/*
 * Takes what systemd passed, all close-on-exec, and clears the environment. Once per process. 0, also with
 * none; or negative errno.
 */
int listen_fds_take(struct listen_fds *ret);

/* Closes them, frees the names. */
void listen_fds_done(struct listen_fds *fds);

#endif
