/*
 * The service `echo`: sends back what it receives, byte for byte.
 */
#include "service/connection.h"
#include "service/services.h"

static int
on_data(struct connection *connection, const char *data, size_t len)
{
	counters_add(connection_host(connection)->counters, COUNTER_REQUESTS, 1);
	return connection_send(connection, data, len);
}

static int
echo_start(struct service_host *host, void **ret_service)
{
	static const struct connection_handler handler = { .service = "echo", .on_data = on_data };

	return connections_start(host, &handler, ret_service);
}

const struct service_ops *
service_echo(void)
{
	static const struct service_ops ops = {
		.type = "echo",
		.start = echo_start,
		CONNECTIONS_OPS,
	};

	return &ops;
}
