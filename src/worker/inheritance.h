/*
 * What a worker is born with, read strictly: the environment and the descriptors of ipc/contract.h.
 */
#ifndef WORKER_INHERITANCE_H
#define WORKER_INHERITANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inherited_listener {
	int fd;
	char *name; /* of LISTEN_FDNAMES: the address */
};

/*
 * All descriptors are close-on-exec; pipes, the handoff channel and listeners are non-blocking. -1: not there (yet, or
 * any more).
 */
struct inheritance {
	int control_fd; /* pipe, read end */
	int status_fd;  /* pipe, write end */
	int config_fd;
	int stats_fd;
	int handoff_fd; /* SOCK_SEQPACKET; -1 where the master knows no handoff */
	uint64_t slot;
	uint64_t generation;
	struct inherited_listener *listeners;
	size_t n_listeners; /* at least 1 */
};

/* Nothing. */
#define INHERITANCE_NONE                                                                             \
	(struct inheritance)                                                                         \
	{                                                                                            \
		.control_fd = -1, .status_fd = -1, .config_fd = -1, .stats_fd = -1, .handoff_fd = -1 \
	}

/* Has somebody started us under the contract at all, rightly or wrongly? */
bool inheritance_is_there(void);

/*
 * Takes everything, and removes it from the environment, so that no child of ours could take itself
 * for the heir. 0; or -EINVAL when a part is missing or wrong, with *ret_error (to be freed; NULL:
 * no memory) saying which. Then status_fd may be there nevertheless, so that the error can be told;
 * inheritance_done is due in both cases.
 */
int inheritance_take(struct inheritance *ret, char **ret_error);

/* The configuration's descriptor alone: all that --check is given. Else the same. */
int inheritance_take_config(int *ret_fd, char **ret_error);

/* Closes what is left. */
void inheritance_done(struct inheritance *inheritance);

#endif
