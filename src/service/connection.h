/*
 * The connections of a service that answers bytes with bytes: reading, sending what goes at once
 * and keeping the rest, the client's FIN, the end. What a service adds is one function that is
 * given the bytes.
 *
 * Memory is bounded by taking turns: while anything is left to send, nothing is read. So a
 * connection holds at most the unsent part of one answer, and an idle one no buffer at all. And
 * work is bounded: one read of at most CONNECTION_READ_MAX and one send for each time that the
 * event loop finds the connection ready, so a fast client doesn't keep the others waiting.
 */
#ifndef SERVICE_CONNECTION_H
#define SERVICE_CONNECTION_H

#include "service/service.h"

#include <stddef.h>

/*
 * The size that costs least: a gigabyte echoed in pieces of up to 16, 64, 128 and 256 KiB took 760,
 * 580, 600 and 620 ms of processor time.
 */
#define CONNECTION_READ_MAX (64 * 1024)

struct connection;

struct connection_handler {
	const char *service; /* who speaks in the log */
	/*
	 * Bytes have come: never none, gone when the call returns. Answers with connection_send, at
	 * most once. Returns 0, or negative errno to have the connection closed by force.
	 */
	int (*on_data)(struct connection *connection, const char *data, size_t len);
};

/*
 * Sends what goes at once and keeps a copy of the rest, which is sent as the client makes room.
 * From on_data only. 0, or negative errno, to be returned by on_data.
 */
int connection_send(struct connection *connection, const void *data, size_t len);

/* What the connection's service was started with. */
struct service_host *connection_host(struct connection *connection);

/* The number that names it in the log: its descriptor. */
int connection_id(const struct connection *connection);

/* The rest of a service, as struct service_ops has it; `service` is what connections_start made. */
int connections_start(
	struct service_host *host, const struct connection_handler *handler, void **ret_service);
int connections_accept(void *service, int fd, struct service_connection **ret);
void connections_cut(struct service_connection *connection);
int connections_freeze(struct service_connection *connection, struct handoff_writer *writer);
void connections_thaw(struct service_connection *connection);
void connections_forget(struct service_connection *connection);
int connections_adopt(void *service, struct handoff_record *record, struct service_connection **ret);
void connections_stop(void *service);

/* The entries of struct service_ops that are the same for all services of this kind. */
#define CONNECTIONS_OPS                                                                 \
	.accept = connections_accept, .cut = connections_cut, .stop = connections_stop, \
	.handoff_version = 1, .freeze = connections_freeze, .thaw = connections_thaw,   \
	.forget = connections_forget, .adopt = connections_adopt

#endif
