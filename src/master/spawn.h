/*
 * Starting a program under the worker contract (ipc/contract.h): a child, the descriptors in their places, exec.
 */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include "master/identity.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_LISTENERS_MAX 4096 /* descriptors of one worker: addresses times parked slots */

/* What a program gets that was not written for us. */
struct spawn_hosted {
	char *const *environment; /* "NAME=value", NULL at the end; NULL: none */
	const char *directory;    /* NULL: the master's */
	const char *ports;        /* SERVER_STARTER_PORT */
	const char *notify;       /* NOTIFY_SOCKET; NULL: none */
	uint64_t watchdog_us;     /* WATCHDOG_USEC; 0: none */
	int parent_death_signal;  /* when the master dies; 0: none */
};

struct spawn {
	const char *program; /* its path; NULL: argv[0], which is no name to be found in PATH either */
	const char *const *argv;
	const int *listeners;
	size_t n_listeners;
	const char *listener_names; /* LISTEN_FDNAMES */
	int control_fd;             /* -1 for none, like the next four */
	int status_fd; /* also takes `failed` when exec fails; without it that goes to standard output */
	int config_fd;
	int stats_fd;
	int handoff_fd;
	int stdout_fd;                     /* -1: as the master's */
	const struct spawn_hosted *hosted; /* NULL: it is a program of our own */
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
