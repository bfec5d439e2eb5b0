/*
 * The listening sockets that systemd passed.
 */
#include "systemd/listen_fds.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <systemd/sd-daemon.h>

int
listen_fds_take(struct listen_fds *ret)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	struct listen_fd *fd;

	*ret = (struct listen_fds){ 0 };
	if (n <= 0)
		return n;
	fd = calloc((size_t)n, sizeof(*fd));
	for (int i = 0; i < n; i++) {
		if (fd)
			fd[i] = (struct listen_fd){ SD_LISTEN_FDS_START + i, names[i] };
		else
			free(names[i]);
	}
	free(names);
	if (!fd)
		return -ENOMEM;
	*ret = (struct listen_fds){ (size_t)n, fd };
	return 0;
}

void
listen_fds_done(struct listen_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++) {
		fd_close(&fds->fd[i].fd);
		free(fds->fd[i].name);
	}
	free(fds->fd);
	*fds = (struct listen_fds){ 0 };
}
