/*
 * The master: signals, systemd and the clock on one side, the pool and the reload on the other. It runs no
 * service code and never blocks.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>

/* The command line. */
struct master_options {
	const char *config_path;
	const char *worker_program;
	int log_level; /* -1: as configured */
};

/*
 * The signals that the master handles must be blocked from the first moment on, so that one that comes early
 * waits until it can be served.
 */
void master_block_signals(void);

/* Runs the daemon to its end. Returns the exit status, of sysexits(3). */
int master_run(const struct master_options *options);

/*
 * Checks the configuration, the service's part included; prints each problem as a line on stderr. Returns 0
 * or 78 (EX_CONFIG), or another of sysexits(3).
 */
int master_check(const struct master_options *options);

#endif
