/*
 * Starting a program under the worker contract (ipc/contract.h): fork, put the descriptors in their places,
 * exec.
 */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include "master/identity.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_LISTENERS_MAX 4096 /* descriptors of one worker: addresses times parked slots */

struct spawn {
	const char *const *argv; /* argv[0] is the program's path; no search in PATH */
	const int *listeners;
	size_t n_listeners;
	const char *listener_names; /* LISTEN_FDNAMES */
	int control_fd;             /* -1 for none, like the next four */
	int status_fd; /* also takes `failed` when exec fails; without it that goes to standard output */
	int config_fd;
	int stats_fd;
	int handoff_fd;
	int stdout_fd; /* -1: as the master's */
	unsigned slot;
	uint64_t generation;
	unsigned open_files; /* RLIMIT_NOFILE; 0: as it is */
	const struct identity *identity;
};

/*
 * Starts it. 0 with *ret_pid and *ret_pidfd (readable when the process has exited); or negative errno. What
 * fails in the child is told as a `failed` line on its status pipe, followed by exit status 71 (EX_OSERR).
 */
int spawn_process(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd);

#endif
