/*
 * The service `hello`: whatever a client sends, the answer is "hello world", once for each piece
 * that arrives.
 */
#include "service/connection.h"
#include "service/services.h"

#include "base/log.h"
#include "base/text.h"

static const char answer[] = "hello world"; /* without newline: clients count on these eleven bytes */

static void
log_data(const struct connection *connection, const char *data, size_t len)
{
	char shown[256];

	if (log_level() < LOG_DEBUG)
		return;
	text_escape(shown, sizeof(shown), data, len);
	log_debug("hello: connection %d: %zu bytes: %s", connection_id(connection), len, shown);
}

static int
on_data(struct connection *connection, const char *data, size_t len)
{
	log_data(connection, data, len);
	counters_add(connection_host(connection)->counters, COUNTER_REQUESTS, 1);
	return connection_send(connection, answer, sizeof(answer) - 1);
}

static int
hello_start(struct service_host *host, void **ret_service)
{
	static const struct connection_handler handler = { .service = "hello", .on_data = on_data };

	return connections_start(host, &handler, ret_service);
}

const struct service_ops *
service_hello(void)
{
	static const struct service_ops ops = {
		.type = "hello",
		.start = hello_start,
		CONNECTIONS_OPS,
	};

	return &ops;
}
