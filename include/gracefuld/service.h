/*
 * gracefuld/service.h: services in shared objects, which gracefuld-worker loads.
 *
 *	service : { type = "module"; path = "/usr/local/lib/gracefuld/upper.so"; … };
 *
 * A module exports one symbol, `gracefuld_module`. Everything that it calls in gracefuld comes to it as pointers to functions, so it is
 * linked with libevent alone (pkg-config gracefuld). gracefuld-module(3) is the manual, examples/module a complete module.
 *
 * A worker is a process of its own with one thread, one event loop and one service. The host (gracefuld-worker) accepts clients, decides
 * when connections move to another worker, and says when to come to an end; the module owns its connections, from `accept` or `adopt` until
 * it calls `ended`, or until `forget`. All calls, in both directions, are made from the event loop's thread. No function may block.
 *
 * Results are 0 or negative errno, unless something else is said.
 */
#ifndef GRACEFULD_SERVICE_H
#define GRACEFULD_SERVICE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What of this file both sides must agree on. A module of another number is refused. Within one number, structs only grow at their end, by
 * members that can be done without: `size` says how much of a struct its maker knew.
 */
#define GRACEFULD_ABI 1

/* Does *p, made by the other side, have this member? */
#define GRACEFULD_HAS(p, member) ((p)->size >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member))

/* For printf-like functions. */
#define GRACEFULD_PRINTF(n, first) __attribute__((__format__(__printf__, n, first)))

/* What is the host's alone. */
struct gracefuld_connection; /* a connection as the host knows it */
struct gracefuld_writer;     /* the description of a connection, being made */
struct gracefuld_record;     /* a description that has come */

/* ---- options ---- */

/*
 * The module's options: all members of the group `service` but `type` and `path`. A name is that within the group; "tls.key" is the member
 * `key` of the group `tls` in it.
 *
 * The functions return 1 with *ret when the option is given; 0 when it is not, and *ret stays as it was, which is where the default can stand;
 * or negative errno: -EINVAL when its value is wrong. Then the problem has been noted with file and line (in `check`) or logged (later).
 *
 * An option that `check` has asked for is known; all others are reported as unknown when `check` returns.
 */
struct gracefuld_config {
	uint32_t size; /* of this struct */

	/* Text that is not empty and has no control characters. It lives as long as the config. */
	int (*string)(const struct gracefuld_config *config, const char *name, const char **ret);

	/* A whole number, between min and max. */
	int (*integer)(const struct gracefuld_config *config, const char *name, int64_t min, int64_t max,
		int64_t *ret);

	/* Any number. */
	int (*real)(const struct gracefuld_config *config, const char *name, double *ret);

	/* true or false. */
	int (*boolean)(const struct gracefuld_config *config, const char *name, bool *ret);

	/* A time ("250ms", 1.5), up to 365 days, in microseconds. */
	int (*time)(const struct gracefuld_config *config, const char *name, uint64_t *ret_us);

	/* A size ("64KiB", 512), up to 1 TiB, in bytes. */
	int (*bytes)(const struct gracefuld_config *config, const char *name, uint64_t *ret);

	/* Notes what else is wrong with an option: in `check` it rejects the configuration, later it is logged. */
	void (*problem)(const struct gracefuld_config *config, const char *name, const char *format, ...)
		GRACEFULD_PRINTF(3, 4);
};

/* ---- what the host offers ---- */

/* What a module counts; the rest the host counts by itself. */
enum gracefuld_counter {
	GRACEFULD_COUNTER_REQUESTS = 2, /* answers begun, whatever that means for the service */
	GRACEFULD_COUNTER_RECEIVED = 7, /* bytes from clients */
	GRACEFULD_COUNTER_SENT = 8,     /* bytes to clients */
};

/* Given to `start`; lives until `stop` has returned. */
struct gracefuld_host {
	uint32_t size; /* of this struct */
	uint32_t reserved;

	struct event_base *base; /* the worker's loop, for events and timers of the module's */
	const struct gracefuld_config *config;
	uint64_t slot;       /* the worker's place in the pool, from 0 */
	uint64_t generation; /* the number of its configuration, from 1 */

	/*
	 * One connection less: it came to its own end, or (`cut`) was closed by force. The module has closed the client's descriptor by
	 * `close_client`. The handle is gone when this returns; the module frees what is its own.
	 */
	void (*ended)(struct gracefuld_connection *handle, bool cut);

	/* `freeze` had said -EBUSY: it may be asked again from now on. May call `freeze` before it returns. */
	void (*movable)(struct gracefuld_connection *handle);

	/*
	 * Closes the client's descriptor in such a way that the client hears of it, even if another process has a copy for a while. For all
	 * ends but `forget`, where it is close(2).
	 */
	void (*close_client)(struct gracefuld_connection *handle, int fd);

	/* Adds to a counter. */
	void (*count)(const struct gracefuld_host *host, enum gracefuld_counter counter, uint64_t n);

	/* Logs a line. `level`: LOG_ERR … LOG_DEBUG of <syslog.h>. Never waits. */
	void (*log)(const struct gracefuld_host *host, int level, const char *format, ...)
		GRACEFULD_PRINTF(3, 4);

	/* ---- for `freeze`: none of these can fail there and then; what goes wrong ends the offer, and `thaw` follows ---- */

	/* A descriptor, four at most; the client's comes first. It stays the module's. */
	void (*put_fd)(struct gracefuld_writer *writer, int fd);

	/* A field: a tag from 0 to 65000, which only the module knows the meaning of, and its value. All of them: up to 16 MiB. */
	void (*put_number)(struct gracefuld_writer *writer, unsigned tag, uint64_t value);
	void (*put_bytes)(struct gracefuld_writer *writer, unsigned tag, const void *data, size_t len);

	/* ---- for `adopt` ---- */

	/* How many descriptors there are; at least one. */
	size_t (*n_fds)(const struct gracefuld_record *record);

	/*
	 * Takes one, from 0 on; it is the module's from then on, to be closed by close(2) when `adopt` fails after all. It is close-on-exec.
	 * -EBADMSG: there is none, or it was taken before.
	 */
	int (*take_fd)(struct gracefuld_record *record, size_t n);

	/*
	 * The next field, in the order in which they were put. 1 with *ret_tag, *ret_data and *ret_len, which live until `adopt` returns; 0:
	 * there are no more; -EBADMSG.
	 */
	int (*next_field)(
		struct gracefuld_record *record, unsigned *ret_tag, const void **ret_data, size_t *ret_len);

	/* A field's value as the number that put_number wrote. -EBADMSG: it is none. */
	int (*read_number)(const void *data, size_t len, uint64_t *ret);
};

/* ---- what the module does ---- */

struct gracefuld_service_ops {
	uint32_t size; /* of this struct */

	/*
	 * Of the fields that `freeze` writes: workers hand connections to each other only if their modules have one name, and agree on
	 * this. 0: connections can't be handed over; the functions for that may be NULL then.
	 */
	uint32_t handoff_version;

	/*
	 * Asks for every option that there is, and notes what is wrong. Runs in a process of its own before a configuration is accepted,
	 * and in each worker before `start`; leaves nothing behind, and writes nothing to standard output. NULL: it has no options.
	 */
	void (*check)(const struct gracefuld_config *config);

	/* Starts the service, whose own pointer is *ret_service. On failure it has logged why. */
	int (*start)(const struct gracefuld_host *host, void **ret_service);

	/* Frees what `start` has made. There are no connections any more. */
	void (*stop)(void *service);

	/*
	 * Takes over a connected client: a descriptor that is non-blocking and close-on-exec. 0, with the module's own pointer for it in
	 * *ret; or negative errno, and the caller closes it. `handle` is what the module calls the host with. Must not call `ended` before it
	 * returns.
	 */
	int (*accept)(void *service, struct gracefuld_connection *handle, int fd, void **ret);

	/*
	 * The worker is to go, and this connection stays here: it should come to its end soon and politely. May call `ended`. NULL: it goes on
	 * until the client ends it, or until `cut`.
	 */
	void (*retire)(void *connection);

	/* Time is up: closes it, and calls `ended` with `cut` before it returns. A frozen one too. */
	void (*cut)(void *connection);

	/* ---- handing over ---- */

	/*
	 * Stops the connection (nothing is read, sent or timed from now on, until `thaw`) and describes it by put_fd, the client's descriptor
	 * first, put_number and put_bytes. All that was read and is not answered, and all that is not sent, belongs to it. May come after
	 * `retire`, too. -EBUSY: not now, `movable` says when, and it goes on; another error: it can't be handed over, and goes on.
	 */
	int (*freeze)(void *connection, struct gracefuld_writer *writer);

	/* A frozen one goes on: it has stayed, or it was adopted. Must not call `ended` before it returns. */
	void (*thaw)(void *connection);

	/* A frozen one is another worker's: close(2), never shutdown(2), and free it. `ended` is not called. */
	void (*forget)(void *connection);

	/*
	 * Makes a connection of a description, frozen. 0 with *ret, all descriptors taken and all fields read; -EBADMSG: there is something in
	 * it that it doesn't understand, or another error. Then the client stays where it was.
	 */
	int (*adopt)(void *service, struct gracefuld_connection *handle, struct gracefuld_record *record,
		void **ret);
};

/* What a module says of itself. The first two members are in one place for ever. */
struct gracefuld_module {
	uint32_t abi;      /* GRACEFULD_ABI */
	uint32_t size;     /* of this struct */
	uint32_t libevent; /* LIBEVENT_VERSION_NUMBER that it was compiled with */
	uint32_t reserved;

	/*
	 * The name is letters, digits, '-', '_' and '.', 1 to 64 of them; it is what its log lines begin with, and it marks connections that are
	 * handed over. The version is for people.
	 */
	const char *name, *version;
	const struct gracefuld_service_ops *ops;
};

/* The symbol that a module defines. */
extern const struct gracefuld_module gracefuld_module __attribute__((visibility("default")));

/* The first members of it. */
#define GRACEFULD_MODULE_HEAD                                                    \
	.abi = GRACEFULD_ABI, .size = (uint32_t)sizeof(struct gracefuld_module), \
	.libevent = LIBEVENT_VERSION_NUMBER

#ifdef __cplusplus
}
#endif

#endif
