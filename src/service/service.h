/*
 * What a service is: the code in a worker that talks to clients. One file a service; registry.c
 * lists them.
 *
 * A worker runs one service on one event loop. The host (src/worker) accepts, counts, decides when a connection is to
 * move to another worker, and tells when to come to an end; the service owns its connections from `accept` or `adopt` until
 * it calls host->ended, or until `forget`.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "config/config.h"
#include "config/problem.h"
#include "ipc/counters.h"
#include "ipc/handoff.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum service_connection_state {
	SERVICE_CONNECTION_ACTIVE,     /* is served */
	SERVICE_CONNECTION_LEAVING,    /* is served until it is its turn to be handed over */
	SERVICE_CONNECTION_QUIESCING,  /* is served until the service says that it can be handed over */
	SERVICE_CONNECTION_IN_TRANSIT, /* frozen: offered to another worker, which has not answered yet */
	SERVICE_CONNECTION_RETIRED,    /* is served to its end here */
	SERVICE_CONNECTION_STATES
};

/* A connection as the host sees it: the first member of each service's own. What is in it is the host's alone. */
struct service_connection {
	TAILQ_ENTRY(service_connection) entry; /* among those of the same state */
	enum service_connection_state state;
	uint64_t id;          /* of the offer, IN_TRANSIT */
	uint64_t accepted_us; /* clock_now_us, by whichever worker it was accepted */
	uint64_t moves;       /* how often it has been handed over */
	bool lent;            /* another process may have a copy of the descriptor still; see service_close */
};

/*
 * Closes a client's descriptor, so that the client hears of it whoever has copies. For all ends but `forget`.
 */
void service_close(const struct service_connection *connection, int fd);

/* The same without closing it, for a service whose descriptors are closed elsewhere, right behind this. */
void service_hang_up(const struct service_connection *connection, int fd);

/* What the worker offers to its service. Lives longer than the service does. */
struct service_host {
	struct event_base *base;
	struct counters *counters;
	const struct config *config;
	uint64_t slot, generation;
	/*
	 * One connection less: it came to its own end, or was cut. The service has closed the
	 * descriptor; it frees the connection after the call.
	 */
	void (*ended)(struct service_host *host, struct service_connection *connection, bool cut);
	/* `freeze` had said -EBUSY: it may be asked again from now on. */
	void (*movable)(struct service_host *host, struct service_connection *connection);
	/*
	 * The block of that number of the counter page is this upstream's. For services that have any, from `start`. NULL: nobody
	 * wants to know.
	 */
	void (*say_upstream)(struct service_host *host, size_t number, const char *name);
	/* What that upstream's name means by now, as in resolve_upstream. NULL as well. */
	void (*say_addresses)(struct service_host *host, size_t number, const char *addresses);
};

/* What a connection's record says of the service that it is of: another one, or another version, can't adopt it. */
struct service_identity {
	const char *type;
	unsigned version; /* of the fields that freeze writes; 0: connections can't be handed over */
};

/* What a service asks of the kernel beyond serving connections: what the sandbox leaves to it (worker/sandbox.h). */
enum service_needs {
	SERVICE_NEEDS_FILES = 2,   /* to read, opened by their names */
	SERVICE_NEEDS_PEERS = 4,   /* to make connections itself */
	SERVICE_NEEDS_UNKNOWN = 8, /* it is not ours */
};

struct service_ops {
	const char *type; /* as in `service : { type = …; }` */
	unsigned needs;   /* enum service_needs, or'ed */
	/*
	 * Checks the service's own options (config_read_service), adding to `problems` what is wrong.
	 * Runs in `gracefuld-worker --check`, and before `start`. NULL: it has none.
	 */
	void (*check)(const struct config *config, struct problems *problems);
	/* Starts. 0 with *ret_service, or negative errno, having logged why. */
	int (*start)(struct service_host *host, void **ret_service);
	/*
	 * Takes over a connected, non-blocking descriptor. 0 with *ret; or negative errno, and the caller
	 * closes it. Must not call host->ended before it returns.
	 */
	int (*accept)(void *service, int fd, struct service_connection **ret);
	/*
	 * The worker drains and the connection can't be handed over: it should come to its end, soon and politely. May call
	 * host->ended. NULL: it goes on until the client ends it.
	 */
	void (*retire)(struct service_connection *connection);
	/* Time is up: closes it, and calls host->ended with `cut`. Works on a frozen one, too. */
	void (*cut)(struct service_connection *connection);
	/*
	 * The operator wants the upstream of that name to get no new connections, or to get them again. One that is not there is nothing
	 * wrong. NULL: the service has none.
	 */
	void (*drain_upstream)(void *service, const char *name, bool is_drained);
	/*
	 * What another worker has found out about the upstream of that name, before this one began or since: the one that this is the
	 * successor of, as a rule. One that is not there is nothing wrong. NULL: the service has none.
	 */
	void (*recall_upstream)(void *service, const char *name, const struct upstream_health *health);
	/*
	 * What the name of that upstream meant when it was last resolved by any worker: numeric addresses, with a blank between them. NULL:
	 * the service has none.
	 */
	void (*resolve_upstream)(void *service, const char *name, const char *addresses);
	/* Frees what `start` made; there are no connections any more. */
	void (*stop)(void *service);

	/*
	 * What its records say, where that is known only once it has started; lives as long as the service. NULL: type and
	 * handoff_version.
	 */
	void (*identify)(void *service, struct service_identity *ret);

	/* ---- handing over; where the version is 0 these are never called, and may be NULL ---- */

	/* Of the fields that freeze writes; another one is refused by the worker that is to adopt them. */
	unsigned handoff_version;
	/*
	 * Stops it (nothing is read, sent or timed from now on, until thaw) and describes it: handoff_put_fd, the client's
	 * descriptor first, and fields from HANDOFF_TAG_SERVICE_FIRST on. Everything read from the client and not answered, and
	 * all that is not sent yet, belongs to the description. May be called after `retire`, too. 0; -EBUSY: not now (host->movable says when),
	 * it goes on; else negative errno: it can't be handed over, and goes on.
	 */
	int (*freeze)(struct service_connection *connection, struct handoff_writer *writer);
	/* A frozen one goes on: it has stayed after all, or it was adopted. May not call host->ended before it returns. */
	void (*thaw)(struct service_connection *connection);
	/*
	 * A frozen one is another process's now, or still: closes our descriptors (no shutdown, which all copies would
	 * feel), and frees. host->ended is not called.
	 */
	void (*forget)(struct service_connection *connection);
	/*
	 * Makes a connection of the description that freeze has written, frozen. 0 with *ret, the descriptors taken (take_fd);
	 * -EBADMSG: there is something in it that is not understood; or other negative errno. Then the descriptors are the caller's.
	 */
	int (*adopt)(void *service, struct handoff_record *record, struct service_connection **ret);
};

/* What the records of a service's connections say; `service` as it was started. */
struct service_identity service_identify(const struct service_ops *ops, void *service);

/* By type; NULL when there is none. */
const struct service_ops *service_find(const char *type);

/*
 * Adds to `problems` what is wrong with the service section: an unknown type ("did you mean"), or
 * what its `check` finds.
 */
void service_check(const struct config *config, struct problems *problems);

#endif
