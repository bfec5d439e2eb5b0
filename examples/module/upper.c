/*
 * upper: a module for gracefuld. Sends back each line that a client sends, numbered and in capitals:
 *
 *	hello      ->  1 HELLO
 *	world      ->  2 WORLD
 *
 * It shows all that a module does: options, counters, the log, and connections that move to another worker in the middle of anything. What
 * moves is the number of lines so far, the beginning of a line whose end has not come yet, and answers that the client has not taken yet.
 *
 * Memory is bounded by taking turns: while anything is unsent, nothing is read.
 */
#include <gracefuld/service.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#ifndef UPPER_VERSION
#define UPPER_VERSION "1.0"
#endif

#define READ_MAX   (16 * 1024)
#define NUMBER_MAX 24 /* bytes of "18446744073709551615 " and a NUL */

/* The fields of a connection that is handed over. A change of their meaning is a change of HANDOFF_VERSION. */
enum { TAG_LINES, TAG_PARTIAL, TAG_UNSENT };
#define HANDOFF_VERSION 1

struct options {
	bool numbers;
	uint64_t max_line;
	const char *prefix;
};

struct server {
	const struct gracefuld_host *host;
	struct options options;
	char buffer[READ_MAX]; /* one for all: what is in it matters during one call only */
};

struct text {
	char *at;
	size_t len;
};

struct connection {
	struct server *server;
	struct gracefuld_connection *handle;
	int fd;
	struct event *readable, *writable; /* one of them is waited for; none while frozen */
	uint64_t lines;
	struct text partial; /* a line without its end */
	struct text unsent;
};

/* ---- options ---- */

static void
read_options(const struct gracefuld_config *config, struct options *ret)
{
	*ret = (struct options){ .numbers = true, .max_line = 4096, .prefix = "" };
	config->boolean(config, "numbers", &ret->numbers);
	config->bytes(config, "max_line", &ret->max_line);
	config->string(config, "prefix", &ret->prefix);
}

static void
upper_check(const struct gracefuld_config *config)
{
	struct options options;

	read_options(config, &options);
	if (options.max_line < 1 || options.max_line > 1024 * 1024)
		config->problem(config, "max_line", "must be 1B to 1MiB");
}

/* ---- connections ---- */

static void
connection_free(struct connection *c)
{
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	free(c->partial.at);
	free(c->unsent.at);
	free(c);
}

static void
connection_close(struct connection *c, bool cut)
{
	const struct gracefuld_host *host = c->server->host;

	event_del(c->readable);
	event_del(c->writable);
	host->close_client(c->handle, c->fd);
	host->ended(c->handle, cut);
	connection_free(c);
}

/* Adds to the end. 0, or -ENOMEM. */
static int
text_add(struct text *text, const char *data, size_t len)
{
	char *at;

	if (len == 0)
		return 0;
	at = realloc(text->at, text->len + len);
	if (!at)
		return -ENOMEM;
	memcpy(at + text->len, data, len);
	text->at = at;
	text->len += len;
	return 0;
}

/* Takes `len` bytes away from the front. */
static void
text_drop(struct text *text, size_t len)
{
	text->len -= len;
	memmove(text->at, text->at + len, text->len);
	if (text->len > 0)
		return;
	free(text->at);
	text->at = NULL;
}

/* Waits for what comes next. 0, or negative errno. */
static int
await(struct connection *c)
{
	if (event_del(c->readable) < 0 || event_del(c->writable) < 0 ||
		event_add(c->unsent.len > 0 ? c->writable : c->readable, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* Sends what goes. 0, or negative errno: the client is gone. */
static int
flush(struct connection *c)
{
	const struct gracefuld_host *host = c->server->host;
	ssize_t n;

	if (c->unsent.len == 0)
		return 0;
	n = send(c->fd, c->unsent.at, c->unsent.len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	host->count(host, GRACEFULD_COUNTER_SENT, (uint64_t)n);
	text_drop(&c->unsent, (size_t)n);
	return 0;
}

/* The line is complete: `partial`, with its newline. */
static int
answer(struct connection *c)
{
	const struct server *server = c->server;
	char number[NUMBER_MAX] = "";
	int r;

	c->lines++;
	if (server->options.numbers)
		snprintf(number, sizeof(number), "%llu ", (unsigned long long)c->lines);
	for (size_t i = 0; i < c->partial.len; i++)
		c->partial.at[i] = (char)toupper((unsigned char)c->partial.at[i]);
	if ((r = text_add(&c->unsent, server->options.prefix, strlen(server->options.prefix))) < 0 ||
		(r = text_add(&c->unsent, number, strlen(number))) < 0 ||
		(r = text_add(&c->unsent, c->partial.at, c->partial.len)) < 0)
		return r;
	text_drop(&c->partial, c->partial.len);
	server->host->count(server->host, GRACEFULD_COUNTER_REQUESTS, 1);
	return 0;
}

static int
take_lines(struct connection *c, const char *data, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t)(newline - data) + 1 : len;
		int r = text_add(&c->partial, data, n);

		if (r == 0 && c->partial.len - (newline != NULL) > c->server->options.max_line)
			r = -EMSGSIZE;
		if (r == 0 && newline)
			r = answer(c);
		if (r < 0)
			return r;
		data += n;
		len -= n;
	}
	return 0;
}

/* Ends the connection when that has failed. */
static void
go_on(struct connection *c, int r)
{
	const struct gracefuld_host *host = c->server->host;

	if (r == 0)
		r = flush(c);
	if (r == 0)
		r = await(c);
	if (r == 0)
		return;
	host->log(host, LOG_DEBUG, "connection %d: %s", c->fd, strerror(-r));
	connection_close(c, false);
}

/* event: there is something to read, or connection_thaw could not go on */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	const struct gracefuld_host *host = c->server->host;
	ssize_t n;

	if (what & EV_TIMEOUT) {
		connection_close(c, true);
		return;
	}
	n = recv(fd, c->server->buffer, READ_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c, false);
		return;
	}
	host->count(host, GRACEFULD_COUNTER_RECEIVED, (uint64_t)n);
	go_on(c, take_lines(c, c->server->buffer, (size_t)n));
}

/* event: there is room for what is unsent */
static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg, 0);
}

/* One that waits for nothing yet. NULL: no memory. */
static struct connection *
connection_new(struct server *server, struct gracefuld_connection *handle, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = server;
	c->handle = handle;
	c->fd = fd;
	c->readable = event_new(server->host->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(server->host->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->readable && c->writable)
		return c;
	connection_free(c);
	return NULL;
}

static int
upper_accept(void *service, struct gracefuld_connection *handle, int fd, void **ret)
{
	struct connection *c = connection_new(service, handle, fd);
	int r = c ? await(c) : -ENOMEM;

	if (r == 0)
		*ret = c;
	else if (c)
		connection_free(c);
	return r;
}

static void
upper_cut(void *connection)
{
	connection_close(connection, true);
}

/* ---- handing over ---- */

static int
upper_freeze(void *connection, struct gracefuld_writer *writer)
{
	struct connection *c = connection;
	const struct gracefuld_host *host = c->server->host;

	event_del(c->readable);
	event_del(c->writable);
	host->put_fd(writer, c->fd);
	host->put_number(writer, TAG_LINES, c->lines);
	if (c->partial.len > 0)
		host->put_bytes(writer, TAG_PARTIAL, c->partial.at, c->partial.len);
	if (c->unsent.len > 0)
		host->put_bytes(writer, TAG_UNSENT, c->unsent.at, c->unsent.len);
	return 0;
}

static void
upper_thaw(void *connection)
{
	struct connection *c = connection;

	/* it may not end in here, so its end comes from the loop */
	if (await(c) < 0)
		event_active(c->readable, EV_TIMEOUT, 0);
}

static void
upper_forget(void *connection)
{
	struct connection *c = connection;

	close(c->fd);
	connection_free(c);
}

/* Each field once at most. */
static int
restore_field(struct connection *c, unsigned tag, const void *data, size_t len)
{
	switch (tag) {
	case TAG_LINES:
		return c->lines > 0 ? -EBADMSG : c->server->host->read_number(data, len, &c->lines);
	case TAG_PARTIAL:
		return c->partial.len > 0 ? -EBADMSG : text_add(&c->partial, data, len);
	case TAG_UNSENT:
		return c->unsent.len > 0 ? -EBADMSG : text_add(&c->unsent, data, len);
	default:
		return -EBADMSG;
	}
}

static int
restore(struct connection *c, struct gracefuld_record *record)
{
	const struct gracefuld_host *host = c->server->host;
	const void *data;
	unsigned tag;
	size_t len;
	int r;

	while ((r = host->next_field(record, &tag, &data, &len)) > 0) {
		r = restore_field(c, tag, data, len);
		if (r < 0)
			return r;
	}
	return r;
}

static int
upper_adopt(void *service, struct gracefuld_connection *handle, struct gracefuld_record *record, void **ret)
{
	struct server *server = service;
	int fd = server->host->take_fd(record, 0), r;
	struct connection *c;

	if (fd < 0)
		return fd;
	c = connection_new(server, handle, fd);
	r = c ? restore(c, record) : -ENOMEM;
	if (r == 0) {
		*ret = c;
		return 0;
	}
	if (c)
		connection_free(c);
	close(fd);
	return r;
}

/* ---- the service ---- */

static int
upper_start(const struct gracefuld_host *host, void **ret_service)
{
	struct server *server = malloc(sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->host = host;
	read_options(host->config, &server->options);
	*ret_service = server;
	return 0;
}

static void
upper_stop(void *service)
{
	free(service);
}

/* No `retire`: clients that can't be handed over may stay until they have had enough, or time is up. */
static const struct gracefuld_service_ops upper_ops = {
	.size = sizeof(upper_ops),
	.handoff_version = HANDOFF_VERSION,
	.check = upper_check,
	.start = upper_start,
	.stop = upper_stop,
	.accept = upper_accept,
	.cut = upper_cut,
	.freeze = upper_freeze,
	.thaw = upper_thaw,
	.forget = upper_forget,
	.adopt = upper_adopt,
};

const struct gracefuld_module gracefuld_module = {
	GRACEFULD_MODULE_HEAD,
	.name = "upper",
	.version = UPPER_VERSION,
	.ops = &upper_ops,
};
