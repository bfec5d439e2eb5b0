/*
 * A server on a real event loop, and a client.
 */
#include "http_fixture.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "http/target.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Longer than any deadline of a test; a test that gets here has failed. And one that doesn't even do that. */
#define PATIENCE_S 20
#define LIFETIME_S 100

#define REPLY_MAX (16u * 1024 * 1024)

static long
parameter(const struct http_request *request, const char *name)
{
	char value[32];

	return http_target_query(request->query, name, value, sizeof(value)) > 0 ? atol(value) : 0;
}

static void
on_gone(void *arg)
{
	struct fixture *f = arg;

	f->n_gone++;
	f->asked = NULL;
}

static void
answer_big(struct http_connection *c, size_t len)
{
	cleanup_free char *body = malloc(len + 1);

	assert_non_null(body);
	for (size_t i = 0; i < len; i++)
		body[i] = FIXTURE_BYTE(i);
	http_reply_start(c, 200);
	http_reply_bytes(c, body, len);
}

static void
answer_file(struct fixture *f, struct http_connection *c, const struct http_request *request)
{
	http_reply_start(c, 200);
	http_reply_field(c, HTTP_TEXT("X-File"), HTTP_TEXT("yes"));
	http_reply_file(c, fcntl(f->file, F_DUPFD_CLOEXEC, 0), parameter(request, "from"),
		(uint64_t)parameter(request, "len"));
}

#define SHOW(text) (int)(text).len, (text).at

static void
answer_seen(struct http_connection *c, const struct http_request *request)
{
	char line[512];
	int len = snprintf(line, sizeof(line), "%.*s %.*s %.*s %.*s 1.%u [%.*s]\n", SHOW(request->method),
		SHOW(request->path), SHOW(request->query), SHOW(request->host), request->minor,
		SHOW(request->body));

	http_reply_text(c, 200, HTTP_TEXT("text/plain"), (struct http_text){ line, (size_t)len });
}

static void
on_request(struct http_connection *c, const struct http_request *request, void *arg)
{
	struct fixture *f = arg;
	struct http_text path = request->path;

	f->n_asked++;
	f->asked = c;
	if (http_text_equal(path, HTTP_TEXT("/later"))) {
		http_reply_defer(c, on_gone, f);
	} else if (http_text_equal(path, HTTP_TEXT("/stream"))) {
		http_reply_start(c, 200);
		http_reply_stream(c, on_gone, f);
	} else if (http_text_equal(path, HTTP_TEXT("/file"))) {
		answer_file(f, c, request);
	} else if (http_text_equal(path, HTTP_TEXT("/big"))) {
		answer_big(c, (size_t)parameter(request, "len"));
	} else if (http_text_equal(path, HTTP_TEXT("/status"))) {
		http_reply_start(c, (int)parameter(request, "code"));
		http_reply_bytes(c, "body", 4);
	} else if (http_text_equal(path, HTTP_TEXT("/cut"))) {
		http_connection_cut(c);
	} else if (http_text_equal(path, HTTP_TEXT("/half"))) {
		http_reply_start(c, 200);
	} else if (http_text_equal(path, HTTP_TEXT("/split"))) {
		http_reply_start(c, 200);
		http_reply_field(c, HTTP_TEXT("X"), HTTP_TEXT("a\r\nEvil: b\0c"));
		http_reply_bytes(c, NULL, 0);
	} else if (!http_text_equal(path, HTTP_TEXT("/none"))) {
		answer_seen(c, request);
	}
}

static void
on_closed(struct http_connection *c, enum http_end why, void *arg)
{
	struct fixture *f = arg;

	f->n_closed++;
	f->why = why;
	if (f->asked == c)
		f->asked = NULL;
}

static void
on_released(struct http_connection *c, void *arg)
{
	struct fixture *f = arg;

	f->n_released++;
	if (f->on_released)
		f->on_released(c);
}

const struct http_handler fixture_handler = {
	.name = "test", .on_request = on_request, .on_closed = on_closed, .on_released = on_released
};

void
fixture_limits(struct http_limits *limits)
{
	http_limits_init(limits);
	limits->head_us = limits->body_us = limits->idle_us = limits->send_us = limits->linger_us = 0;
}

static int
make_file(void)
{
	int fd = memfd_create("http-test", MFD_CLOEXEC);
	char *data = malloc(FIXTURE_FILE_LEN);

	assert_true(fd >= 0);
	assert_non_null(data);
	for (size_t i = 0; i < FIXTURE_FILE_LEN; i++)
		data[i] = FIXTURE_BYTE(i);
	assert_int_equal(fd_write_all(fd, data, FIXTURE_FILE_LEN), 0);
	free(data);
	return fd;
}

struct fixture *
fixture_new(const struct http_limits *limits)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(sigaction(SIGPIPE, &ignore, NULL), 0);
	alarm(LIFETIME_S); /* ends the program by SIGALRM */
	assert_non_null(f);
	f->base = event_base_new();
	assert_non_null(f->base);
	f->server = http_server_new(f->base, limits, &fixture_handler, f);
	assert_non_null(f->server);
	f->reply = calloc(1, REPLY_MAX + 1);
	assert_non_null(f->reply);
	f->client = -1;
	f->file = make_file();
	return f;
}

void
fixture_free(struct fixture *f)
{
	alarm(0);
	http_server_free(f->server);
	event_base_free(f->base);
	fd_close(&f->client);
	fd_close(&f->file);
	free(f->reply);
	free(f);
}

void
fixture_forget_reply(struct fixture *f)
{
	f->reply_len = 0;
	f->reply[0] = '\0';
}

static void
forget_client(struct fixture *f)
{
	fd_close(&f->client);
	fixture_forget_reply(f);
	f->eof = false;
	f->error = 0;
}

int
fixture_pair(struct fixture *f, int sndbuf)
{
	int ends[2];

	forget_client(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	if (sndbuf > 0)
		assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)), 0);
	f->client = ends[1];
	return ends[0];
}

void
fixture_connect(struct fixture *f, int sndbuf)
{
	assert_int_equal(http_server_accept(f->server, fixture_pair(f, sndbuf)), 0);
}

void
fixture_connect_tcp(struct fixture *f)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	cleanup_fd int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd;

	forget_client(f);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	f->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->client, (struct sockaddr *)&address, len), 0);
	assert_int_equal(fd_set_nonblock(f->client, true), 0);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(http_server_accept(f->server, fd), 0);
}

void
fixture_send(struct fixture *f, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len > 0) {
		n = send(f->client, at, len, MSG_NOSIGNAL);
		if (n < 0) { /* full: the server has to read, and perhaps to write before that */
			assert_int_equal(errno, EAGAIN);
			fixture_work(f, REPLY_MAX);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}

void
fixture_say(struct fixture *f, const char *text)
{
	fixture_send(f, text, strlen(text));
}

void
fixture_shutdown(struct fixture *f)
{
	assert_int_equal(shutdown(f->client, SHUT_WR), 0);
}

void
fixture_close(struct fixture *f)
{
	fd_close(&f->client);
}

void
fixture_reset(struct fixture *f)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(setsockopt(f->client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	fd_close(&f->client);
}

static size_t
read_some(struct fixture *f, size_t max)
{
	size_t room = REPLY_MAX - f->reply_len;
	ssize_t n;

	if (f->client < 0 || f->eof || f->error || max == 0)
		return 0;
	n = recv(f->client, f->reply + f->reply_len, max < room ? max : room, 0);
	if (n < 0) {
		if (errno != EAGAIN)
			f->error = errno;
		return 0;
	}
	f->eof = n == 0;
	f->reply_len += (size_t)n;
	f->reply[f->reply_len] = '\0';
	return (size_t)n;
}

size_t
fixture_work(struct fixture *f, size_t max)
{
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
	return read_some(f, max);
}

void
fixture_pump(struct fixture *f)
{
	/* twice without any movement: what the client took may have woken the server */
	for (int quiet = 0; quiet < 2;)
		quiet = fixture_work(f, REPLY_MAX) > 0 ? 0 : quiet + 1;
}

/* event: has waited too long */
static void
on_impatience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* event: the client has something to read */
static void
on_client(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	(void)fd;
	(void)what;
	read_some(f, REPLY_MAX);
}

/* Runs the loop until `f->eof` (or an error), or until so many are closed. */
static void
wait_for(struct fixture *f, bool eof, unsigned n_closed)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	bool impatient = false;
	struct event *timer = evtimer_new(f->base, on_impatience, &impatient);
	struct event *client =
		f->client < 0 ? NULL : event_new(f->base, f->client, EV_READ | EV_PERSIST, on_client, f);

	assert_int_equal(event_add(timer, &patience), 0);
	if (client)
		assert_int_equal(event_add(client, NULL), 0);
	while (!impatient && (eof ? !f->eof && !f->error : f->n_closed < n_closed)) {
		assert_true(event_base_loop(f->base, EVLOOP_ONCE) >= 0);
		if (client && (f->eof || f->error))
			event_del(client);
	}
	event_free(timer);
	if (client)
		event_free(client);
	assert_false(impatient);
}

void
fixture_wait_closed(struct fixture *f, unsigned n)
{
	wait_for(f, false, n);
}

void
fixture_wait_eof(struct fixture *f)
{
	wait_for(f, true, 0);
}
