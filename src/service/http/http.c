/*
 * The service `http`: static files, or a page that says hello world, over the HTTP layer (src/http).
 */
#include "service/services.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/slab.h"
#include "http/handoff.h"
#include "service/http/access_log.h"
#include "service/http/files.h"
#include "service/http/options.h"
#include "service/http/welcome.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct site {
	struct service_host *host;
	struct http_options options;
	struct http_server *server;
	struct slab visitors;
	struct files *files; /* NULL: the welcome page */
	struct welcome welcome;
	struct date_line date;
};

/* What is kept for a connection beside the layer's own state. */
struct visitor {
	struct service_connection host; /* first: the host's part */
	struct site *site;
	struct http_connection *connection;
	char client[]; /* with the access log only */
};

static struct visitor *
visitor_of(struct service_connection *host)
{
	return (struct visitor *)host;
}

static struct visitor *
visitor_new(struct site *site, int fd)
{
	struct visitor *visitor = slab_alloc(&site->visitors);

	if (!visitor)
		return NULL;
	visitor->site = site;
	if (site->options.access_log)
		access_log_client(fd, visitor->client);
	return visitor;
}

static void
visitor_free(struct visitor *visitor)
{
	if (visitor)
		slab_free(&visitor->site->visitors, visitor);
}

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
	struct visitor *visitor = http_connection_data(connection);

	service_hang_up(&visitor->host, http_connection_fd(connection));
	site->host->ended(site->host, &visitor->host, why == HTTP_END_CUT || why == HTTP_END_FAILED);
	visitor_free(visitor);
}

/* No page answers late, so nothing here makes a connection busy for longer than its turn; but a later one might. */
static void
on_released(struct http_connection *connection, void *arg)
{
	struct site *site = arg;
	struct visitor *visitor = http_connection_data(connection);

	site->host->movable(site->host, &visitor->host);
}

/* ---- of service_ops ---- */

static void
site_free(struct site *site)
{
	if (!site)
		return;
	http_server_free(site->server);
	slab_done(&site->visitors);
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
		.on_released = on_released,
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
	slab_init(&site->visitors,
		sizeof(struct visitor) + (site->options.access_log ? ACCESS_LOG_CLIENT_MAX : 0));
	welcome_init(&site->welcome, site->host->slot, site->host->generation);
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

static int
site_accept(void *service, int fd, struct service_connection **ret)
{
	struct site *site = service;
	struct visitor *visitor = visitor_new(site, fd);
	int r = visitor ? http_server_add(site->server, fd, &visitor->connection) : -ENOMEM;

	if (r < 0) {
		visitor_free(visitor);
		return r;
	}
	http_connection_set_data(visitor->connection, visitor);
	*ret = &visitor->host;
	return 0;
}

static void
site_retire(struct service_connection *host)
{
	http_connection_retire(visitor_of(host)->connection);
}

static void
site_cut(struct service_connection *host)
{
	struct visitor *visitor = visitor_of(host);

	if (http_connection_owes(visitor->connection))
		counters_add(visitor->site->host->counters, COUNTER_LOST, 1);
	http_connection_close(visitor->connection);
}

static void
site_stop(void *service)
{
	site_free(service);
}

/* ---- handing over ---- */

/* The fields; see handoff_version. What is 0 or empty is left out. The client's descriptor is followed by the file's. */
enum {
	TAG_INPUT =
		HANDOFF_TAG_SERVICE_FIRST, /* bytes; these and the others are those of struct http_handoff */
	TAG_OUTPUT,                        /* bytes */
	TAG_FILE_OFFSET,                   /* number */
	TAG_FILE_LEFT,                     /* number */
	TAG_REQUESTS,                      /* number */
	TAG_ENDING,                        /* number */
	TAG_PHASE,                         /* number */
	TAG_DUE,                           /* number */
	TAG_CONTINUED,                     /* number: 1 */
	TAG_END
};

static void
put_number(struct handoff_writer *writer, unsigned tag, uint64_t value)
{
	if (value > 0)
		handoff_put_number(writer, tag, value);
}

static void
put_text(struct handoff_writer *writer, unsigned tag, struct http_text text)
{
	if (text.len > 0)
		handoff_put_bytes(writer, tag, text.at, text.len);
}

static int
site_freeze(struct service_connection *host, struct handoff_writer *writer)
{
	struct http_connection *connection = visitor_of(host)->connection;
	struct http_handoff state;
	int r = http_handoff_freeze(connection, &state);

	if (r < 0)
		return r;
	handoff_put_fd(writer, http_connection_fd(connection));
	if (state.file >= 0)
		handoff_put_fd(writer, state.file);
	handoff_writer_service(writer);
	put_text(writer, TAG_INPUT, state.input);
	put_text(writer, TAG_OUTPUT, state.output);
	put_number(writer, TAG_FILE_OFFSET, (uint64_t)state.file_offset);
	put_number(writer, TAG_FILE_LEFT, state.file_left);
	put_number(writer, TAG_REQUESTS, state.requests);
	put_number(writer, TAG_ENDING, state.ending);
	put_number(writer, TAG_PHASE, state.phase);
	put_number(writer, TAG_DUE, state.due_us);
	put_number(writer, TAG_CONTINUED, state.continued);
	return 0;
}

static void
site_thaw(struct service_connection *host)
{
	http_handoff_thaw(visitor_of(host)->connection);
}

static void
site_forget(struct service_connection *host)
{
	struct visitor *visitor = visitor_of(host);

	http_handoff_forget(visitor->connection);
	visitor_free(visitor);
}

/* Numbers as they came, and which fields there were. */
struct fields {
	struct http_text input, output;
	uint64_t number[TAG_END]; /* by tag */
	unsigned seen;            /* a bit for each tag */
};

static int
read_field(struct fields *fields, const struct handoff_field *field)
{
	struct http_text bytes = { field->data, field->len };
	unsigned bit;

	if (field->tag < TAG_INPUT || field->tag >= TAG_END)
		return -EBADMSG;
	bit = 1u << (field->tag - TAG_INPUT);
	if (fields->seen & bit)
		return -EBADMSG;
	fields->seen |= bit;
	switch (field->tag) {
	case TAG_INPUT:
		fields->input = bytes;
		return 0;
	case TAG_OUTPUT:
		fields->output = bytes;
		return 0;
	default:
		return handoff_field_number(field, &fields->number[field->tag]);
	}
}

/* 0 with *ret, whose file is the record's still; -EBADMSG. */
static int
read_state(struct handoff_record *record, struct http_handoff *ret)
{
	struct fields fields = { .seen = 0 };
	const uint64_t *number = fields.number;
	struct handoff_field field;
	int r;

	while ((r = handoff_next(record, &field)) > 0) {
		r = read_field(&fields, &field);
		if (r < 0)
			return r;
	}
	if (r < 0 || record->n_fds < 1 || record->n_fds > 2 || number[TAG_FILE_OFFSET] > INT64_MAX ||
		number[TAG_FILE_LEFT] > INT64_MAX - number[TAG_FILE_OFFSET] ||
		number[TAG_ENDING] > UINT_MAX || number[TAG_PHASE] > UINT_MAX || number[TAG_CONTINUED] > 1)
		return -EBADMSG;
	*ret = (struct http_handoff){
		.input = fields.input,
		.output = fields.output,
		.file = record->n_fds > 1 ? record->fd[1] : -1,
		.file_offset = (off_t)number[TAG_FILE_OFFSET],
		.file_left = number[TAG_FILE_LEFT],
		.requests = number[TAG_REQUESTS],
		.ending = (unsigned)number[TAG_ENDING],
		.phase = (unsigned)number[TAG_PHASE],
		.due_us = number[TAG_DUE],
		.continued = number[TAG_CONTINUED],
	};
	return 0;
}

static int
site_adopt(void *service, struct handoff_record *record, struct service_connection **ret)
{
	struct site *site = service;
	struct visitor *visitor;
	struct http_handoff state;
	int r = read_state(record, &state);

	if (r < 0)
		return r;
	visitor = visitor_new(site, record->fd[0]);
	r = visitor ? http_handoff_adopt(site->server, record->fd[0], &state, &visitor->connection) : -ENOMEM;
	if (r < 0) {
		visitor_free(visitor);
		return r == -EINVAL ? -EBADMSG : r;
	}
	http_connection_set_data(visitor->connection, visitor);
	(void)take_fd(&record->fd[0]);
	if (state.file >= 0)
		(void)take_fd(&record->fd[1]);
	*ret = &visitor->host;
	return 0;
}

const struct service_ops *
service_http(void)
{
	static const struct service_ops ops = {
		.type = "http",
		.needs = SERVICE_NEEDS_FILES,
		.check = http_options_check,
		.start = site_start,
		.accept = site_accept,
		.retire = site_retire,
		.cut = site_cut,
		.stop = site_stop,
		.handoff_version = 1,
		.freeze = site_freeze,
		.thaw = site_thaw,
		.forget = site_forget,
		.adopt = site_adopt,
	};

	return &ops;
}
