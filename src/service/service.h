/*
 * What a service is: the code in a worker that talks to clients. One file a service; registry.c
 * lists them.
 *
 * A worker runs one service on one event loop. The host (src/worker) accepts, counts and tells when
 * to drain; the service owns its connections from `accept` until it calls host->ended.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "config/config.h"
#include "config/problem.h"
#include "ipc/counters.h"

#include <event2/event.h>
#include <stdbool.h>

/* What the worker offers to its service. Lives longer than the service does. */
struct service_host {
	struct event_base *base;
	struct counters *counters;
	const struct config *config;
	/*
	 * One connection less: it came to its own end, or was cut. The service has closed the
	 * descriptor.
	 */
	void (*ended)(struct service_host *host, bool cut);
};

struct service_ops {
	const char *type; /* as in `service : { type = …; }` */
	/*
	 * Checks the service's own options (config_read_service), adding to `problems` what is wrong.
	 * Runs in `gracefuld-worker --check`, and before `start`. NULL: it has none.
	 */
	void (*check)(const struct config *config, struct problems *problems);
	/* Starts. 0 with *ret_service, or negative errno, having logged why. */
	int (*start)(struct service_host *host, void **ret_service);
	/*
	 * Takes over a connected, non-blocking descriptor. 0; or negative errno, and the caller
	 * closes it.
	 */
	int (*accept)(void *service, int fd);
	/*
	 * Draining has begun: connections that could end now should; the others go on. Called at
	 * most once. NULL: they all go on.
	 */
	void (*drain)(void *service);
	/* Time is up: closes every connection (each counted through `ended` with cut set). */
	void (*cut)(void *service);
	/* Frees what `start` made; there are no connections any more. */
	void (*stop)(void *service);
};

/* By type; NULL when there is none. */
const struct service_ops *service_find(const char *type);

/*
 * Adds to `problems` what is wrong with the service section: an unknown type ("did you mean"), or
 * what its `check` finds.
 */
void service_check(const struct config *config, struct problems *problems);

#endif
