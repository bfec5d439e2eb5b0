/*
 * The service `http`: static files, or a page that says hello world, over the HTTP layer (src/http).
 */
#include "service/services.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "http/server.h"
#include "service/http/access_log.h"
#include "service/http/files.h"
#include "service/http/options.h"
#include "service/http/welcome.h"

#include <errno.h>
#include <string.h>

struct site {
	struct service_host *host;
	struct http_options options;
	struct http_server *server;
	struct files *files; /* NULL: the welcome page */
	struct welcome welcome;
	struct date_line date;
};

/* What is kept for a connection beside the layer's own state. */
struct visitor {
	struct site *site;
	struct http_connection *connection;
	char client[]; /* with the access log only */
};

/* ---- of http_handler ---- */

static void
on_request(struct http_connection *connection, const struct http_request *request, void *arg)
{
	struct site *site = arg;
	struct exchange exchange = { .connection = connection, .request = request, .date = &site->date };

	counters_add(site->host->counters, COUNTER_REQUESTS, 1);
	if (site->files)
		files_answer(site->files, &exchange);
	else
		welcome_answer(&site->welcome, &exchange);
	if (site->options.access_log) {
		const struct visitor *visitor = http_connection_data(connection);

		access_log_write(
			&(struct access){ visitor->client, request, exchange.status, exchange.length });
	}
}

static void
on_refused(struct http_connection *connection, int status, void *arg)
{
	struct site *site = arg;
	const struct visitor *visitor = http_connection_data(connection);

	if (site->options.access_log)
		access_log_write(&(struct access){ visitor->client, NULL, status, 0 });
}

static void
on_traffic(uint64_t received, uint64_t sent, void *arg)
{
	struct site *site = arg;

	counters_add(site->host->counters, COUNTER_RECEIVED, received);
	counters_add(site->host->counters, COUNTER_SENT, sent);
}

static void
on_closed(struct http_connection *connection, enum http_end why, void *arg)
{
	struct site *site = arg;

	free(http_connection_data(connection));
	site->host->ended(site->host, why == HTTP_END_CUT || why == HTTP_END_FAILED);
}

/* ---- of service_ops ---- */

static void
site_free(struct site *site)
{
	if (!site)
		return;
	http_server_free(site->server);
	files_free(site->files);
	http_options_done(&site->options);
	free(site);
}

/* The options have been checked, but a folder can go at any time. */
static int
open_files(struct site *site)
{
	int root = files_open_root(site->options.root);

	if (root < 0) {
		log_error("http: root %s: %s", site->options.root, strerror(-root));
		return root;
	}
	site->files = files_new(root, site->options.index);
	if (site->files)
		return 0;
	close(root);
	return -ENOMEM;
}

static int
site_open(struct site *site)
{
	static const struct http_handler handler = { .name = "http",
		.on_request = on_request,
		.on_closed = on_closed,
		.on_refused = on_refused,
		.on_traffic = on_traffic };
	struct problems problems;
	struct http_limits limits;
	int r;

	problems_init(&problems);
	r = http_options_read(&site->options, site->host->config, &problems);
	problems_done(&problems);
	if (r == 0 && site->options.root)
		r = open_files(site);
	if (r < 0)
		return r;
	welcome_init(&site->welcome, 0, 0);
	http_options_limits(&site->options, &limits);
	site->server = http_server_new(site->host->base, &limits, &handler, site);
	return site->server ? 0 : -errno;
}

static int
site_start(struct service_host *host, void **ret_service)
{
	struct site *site = calloc(1, sizeof(*site));
	int r;

	if (!site)
		return -ENOMEM;
	site->host = host;
	r = site_open(site);
	if (r < 0)
		site_free(site);
	else
		*ret_service = site;
	return r;
}

static struct visitor *
visitor_new(struct site *site, int fd)
{
	size_t client_max = site->options.access_log ? ACCESS_LOG_CLIENT_MAX : 0;
	struct visitor *visitor = calloc(1, sizeof(*visitor) + client_max);

	if (!visitor)
		return NULL;
	visitor->site = site;
	if (client_max > 0)
		access_log_client(fd, visitor->client);
	return visitor;
}

static int
site_accept(void *service, int fd)
{
	struct site *site = service;
	cleanup_free struct visitor *visitor = visitor_new(site, fd);
	int r = visitor ? http_server_add(site->server, fd, &visitor->connection) : -ENOMEM;

	if (r < 0)
		return r;
	http_connection_set_data(visitor->connection, visitor);
	(void)take_ptr(visitor);
	return 0;
}

/* for http_server_each */
static void
retire(struct http_connection *connection, void *arg)
{
	(void)arg;
	http_connection_retire(connection);
}

static void
site_drain(void *service)
{
	struct site *site = service;

	http_server_each(site->server, retire, NULL);
}

static void
site_cut(void *service)
{
	struct site *site = service;

	http_server_cut(site->server);
}

static void
site_stop(void *service)
{
	site_free(service);
}

const struct service_ops *
service_http(void)
{
	static const struct service_ops ops = {
		.type = "http",
		.check = http_options_check,
		.start = site_start,
		.accept = site_accept,
		.drain = site_drain,
		.cut = site_cut,
		.stop = site_stop,
	};

	return &ops;
}
