/*
 * What the daemon says of itself: one line for "systemctl status", and a page for the log on SIGUSR1.
 */
#ifndef MASTER_REPORT_H
#define MASTER_REPORT_H

#include "master/pool.h"
#include "master/reload.h"

#include <stddef.h>

enum master_state {
	MASTER_STARTING,
	MASTER_RUNNING,
	MASTER_RELOADING,
	MASTER_STOPPING,
};

/* What there is to report of. */
struct report {
	enum master_state state;
	uint64_t started_us, started_wall_us; /* clock_now_us, clock_wall_us */
	const struct pool *pool;
	const struct outcome *last_reload;
};

/* "starting", "running", "reloading", "stopping" */
const char *report_state_name(enum master_state state);

/* One line, cut to size. */
void report_line(const struct report *report, char *buf, size_t size);

/* "[::]:11111, /run/x.sock": what is listened on; cut to size. */
void report_addresses(const struct pool *pool, char *buf, size_t size);

/* The whole, to the log. */
void report_log(const struct report *report);

#endif
