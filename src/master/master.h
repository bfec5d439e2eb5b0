/*
 * The master: signals, systemd and the clock on one side, the pool and the reload on the other. It runs no
 * service code and never blocks.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "master/reload.h"
#include "master/report.h"

#include <stdbool.h>

struct heritage;
struct json_t;
struct master;

/* The command line. */
struct master_options {
	const char *config_path;
	const char *worker_program;
	int log_level; /* -1: as configured */
	/* For a re-exec: the path of this program, from the root on (NULL: not known), and its arguments. */
	const char *program;
	char *const *argv;
	int state_fd; /* where the state is that another image has left in this process; -1: there was none */
};

/*
 * What stands above the master and is told of its life: the control server. Calls come in this order, prepare and its answer
 * for the start and for each reload that brings a configuration.
 */
struct master_extension {
	/* Makes ready what the configuration asks for, beside what is in use. False, with the reasons in `problems`. */
	bool (*prepare)(
		struct master *master, const struct config *config, struct problems *problems, void *arg);
	/* The configuration counts: what was prepared is in use, what was in use before is not. */
	void (*commit)(void *arg);
	/* It does not: what was prepared is given up. */
	void (*discard)(void *arg);
	/*
	 * The last worker has gone: says what is to be said yet, and then ends the event loop (event_base_loopbreak), which
	 * also ends by itself before long.
	 */
	void (*leave)(void *arg);
	/*
	 * The master is about to be replaced in place: describes what the extension's successor needs to go on, for heritage.h, and
	 * stops, unless it is for a `trial`. NULL: no memory.
	 */
	struct json_t *(*save)(struct heritage *heritage, bool trial, void *arg);
	/* It was not: goes on. */
	void (*resume)(void *arg);
	/* Goes on where another has stopped, instead of the first prepare. In a trial there is no master. */
	bool (*restore)(
		struct master *master, struct heritage *heritage, const struct json_t *json, void *arg);
	/* The daemon ends; nothing of the master's may be used any more. */
	void (*done)(void *arg);
	void *arg;
};

/*
 * The signals that the master handles must be blocked from the first moment on, so that one that comes early waits until it can be served.
 */
void master_block_signals(void);

/* Runs the daemon to its end. `extension` may be NULL. Returns the exit status, of sysexits(3). */
int master_run(const struct master_options *options, const struct master_extension *extension);

/*
 * Checks the configuration, the service's part included; prints each problem as a line on stderr. Returns 0 or 78 (EX_CONFIG),
 * or another of sysexits(3).
 */
int master_check(const struct master_options *options);

/*
 * Looks whether the state in options->state_fd could be taken over, touching nothing, and says so on standard output (trial.h).
 * Returns 0, or 65 (EX_DATAERR).
 */
int master_check_state(const struct master_options *options, const struct master_extension *extension);

/* ---- for the extension ---- */

struct event_base *master_base(struct master *master);

/* What there is to report of; to be asked for anew each time. */
struct report master_report(const struct master *master);

/* Where to ask for reloads. */
struct reload *master_reload(struct master *master);

/* Stops as on SIGTERM, or as on SIGQUIT when `now`; `origin` is logged. */
void master_stop(struct master *master, const char *origin, bool now);

/* See pool_drain_upstream. */
int master_drain_upstream(struct master *master, const char *name, bool is_drained);

#endif
