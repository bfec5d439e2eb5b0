/*
 * A module that does what a module should not: -DODD=… says what. Apart from that it sends back what it receives. What is odd about handing
 * over is so for connections that have begun something with "!", and for no others.
 */
#include <gracefuld/service.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What can be odd. */
enum {
	SANE,
	OTHER_ABI,
	SMALL_MODULE,
	SMALL_OPS,
	NO_OPS,
	OTHER_LIBEVENT,
	BAD_NAME,
	NO_CUT,
	NO_ADOPT,
	CRASH_IN_CHECK,
	CRASH_IN_CONSTRUCTOR,
	EXIT_IN_CHECK,
	SWAP_IN_CHECK,
	FAIL_IN_START,
	CRASH_IN_START,
	CRASH_ON_DATA,
	EXECUTE_ON_DATA,
	THREAD_ON_DATA,
	CUT_WITHOUT_END,
	LEFT_OVER_FIELD,
	NO_DESCRIPTOR,
	LARGE_TAG,
	LARGE_FIELDS,
	LEFT_OVER_DESCRIPTOR,
	BUSY,
	LARGER,
};

#ifndef NAME
#define NAME "odd"
#endif
#ifndef HANDOFF_VERSION
#define HANDOFF_VERSION 1
#endif

/* A later header of the same ABI may have more at the end. */
#define MORE (ODD == LARGER ? 64 : 0)

struct connection {
	const struct gracefuld_host *host;
	struct gracefuld_connection *handle;
	struct event *event;
	int fd;
	bool is_odd;
	bool was_busy; /* freeze has said so */
};

static void
crash(void)
{
	abort();
}

__attribute__((constructor)) static void
construct(void)
{
	if (ODD == CRASH_IN_CONSTRUCTOR)
		crash();
}

/* Puts PATH.next into the place of PATH. */
static void
swap(const char *path)
{
	char next[4096];

	snprintf(next, sizeof(next), "%s.next", path);
	if (rename(next, path) < 0)
		abort();
}

static void
odd_check(const struct gracefuld_config *config)
{
	const char *text = "";
	int64_t number = 0;
	double real = 0;
	bool flag = false;
	uint64_t time = 0, bytes = 0;

	if (ODD == CRASH_IN_CHECK)
		crash();
	if (ODD == EXIT_IN_CHECK)
		_exit(3);
	config->string(config, "text", &text);
	if (ODD == SWAP_IN_CHECK)
		swap(text);
	config->integer(config, "number", -5, 5, &number);
	config->real(config, "real", &real);
	config->boolean(config, "flag", &flag);
	config->time(config, "pause", &time);
	config->bytes(config, "room", &bytes);
	if (config->string(config, "inner.text", &text) > 0 && text[0] == 'x')
		config->problem(config, "inner.text", "begins with an %c", 'x');
}

static int
odd_start(const struct gracefuld_host *host, void **ret_service)
{
	if (ODD == CRASH_IN_START)
		crash();
	if (ODD == FAIL_IN_START) {
		host->log(host, 3, "the database is gone");
		return -1;
	}
	*ret_service = (void *)host;
	return 0;
}

static void
odd_stop(void *service)
{
	(void)service;
}

static void
end(struct connection *c, bool cut)
{
	event_free(c->event);
	c->host->close_client(c->handle, c->fd);
	c->host->ended(c->handle, cut);
	free(c);
}

/* What somebody would do who has found a way in; 0: it can't be that this is reached. */
static char
execute(void)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };

	execve("/bin/true", argv, argv + 1);
	return 0;
}

static void *
say(void *arg)
{
	*(char *)arg = 't';
	return NULL;
}

/* Sends back what comes. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	char data[4096];
	ssize_t n = recv(fd, data, sizeof(data), 0);

	(void)what;
	if (n > 0 && ODD == CRASH_ON_DATA)
		crash();
	if (n > 0 && ODD == EXECUTE_ON_DATA)
		data[0] = execute();
	if (n > 0 && ODD == THREAD_ON_DATA) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, say, data) == 0)
			pthread_join(thread, NULL);
	}
	if (n > 0 && data[0] == '!')
		c->is_odd = true;
	if (n <= 0 || send(fd, data, (size_t)n, MSG_NOSIGNAL) != n)
		end(c, false);
	else if (c->was_busy)
		c->host->movable(c->handle);
}

static int
connect_to(const struct gracefuld_host *host, struct gracefuld_connection *handle, int fd, void **ret)
{
	struct connection *c = calloc(1, sizeof(*c));

	*c = (struct connection){ .host = host, .handle = handle, .fd = fd };
	c->event = event_new(host->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	*ret = c;
	return 0;
}

static void
odd_thaw(void *connection)
{
	event_add(((struct connection *)connection)->event, NULL);
}

static int
odd_accept(void *service, struct gracefuld_connection *handle, int fd, void **ret)
{
	int r = connect_to(service, handle, fd, ret);

	odd_thaw(*ret);
	return r;
}

static void
odd_cut(void *connection)
{
	if (ODD != CUT_WITHOUT_END)
		end(connection, true);
}

static int
odd_freeze(void *connection, struct gracefuld_writer *writer)
{
	static char large[17 << 20]; /* more than there may be */
	struct connection *c = connection;

	event_del(c->event);
	if (c->is_odd && ODD == BUSY && !c->was_busy) {
		c->was_busy = true;
		odd_thaw(c);
		return -EBUSY;
	}
	if (!c->is_odd || ODD != NO_DESCRIPTOR)
		c->host->put_fd(writer, c->fd);
	if (c->is_odd && ODD == LEFT_OVER_FIELD)
		c->host->put_number(writer, 7, 1);
	if (c->is_odd && ODD == LARGE_TAG)
		c->host->put_number(writer, 65001, 1);
	if (c->is_odd && ODD == LEFT_OVER_DESCRIPTOR)
		c->host->put_fd(writer, c->fd);
	if (c->is_odd && ODD == LARGE_FIELDS)
		c->host->put_bytes(writer, 7, large, sizeof(large));
	return 0;
}

static void
odd_forget(void *connection)
{
	struct connection *c = connection;

	event_free(c->event);
	close(c->fd);
	free(c);
}

static int
odd_adopt(void *service, struct gracefuld_connection *handle, struct gracefuld_record *record, void **ret)
{
	const struct gracefuld_host *host = service;

	return connect_to(host, handle, host->take_fd(record, 0), ret);
}

static const struct gracefuld_service_ops ops = {
	.size = ODD == SMALL_OPS ? 8 : sizeof(ops) + MORE,
	.handoff_version = HANDOFF_VERSION,
	.check = odd_check,
	.start = odd_start,
	.stop = odd_stop,
	.accept = odd_accept,
	.cut = ODD == NO_CUT ? NULL : odd_cut,
	.freeze = odd_freeze,
	.thaw = odd_thaw,
	.forget = odd_forget,
	.adopt = ODD == NO_ADOPT ? NULL : odd_adopt,
};

const struct gracefuld_module gracefuld_module = {
	.abi = ODD == OTHER_ABI ? GRACEFULD_ABI + 41 : GRACEFULD_ABI,
	.size = ODD == SMALL_MODULE ? 16 : sizeof(gracefuld_module) + MORE,
	.libevent = ODD == OTHER_LIBEVENT ? 0x02000500 : LIBEVENT_VERSION_NUMBER,
	.name = ODD == BAD_NAME ? "a name" : NAME,
	.version = "0.1",
	.ops = ODD == NO_OPS ? NULL : &ops,
};
