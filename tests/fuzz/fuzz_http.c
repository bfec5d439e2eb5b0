/*
 * Fuzz target: what a client sends to the HTTP layer, over a socket.
 *
 * The first byte says how the rest is cut into pieces. However it is cut, and even if the connection is handed over
 * to another server behind each piece, the client must hear the same, and the handler see the same requests.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "http/handoff.h"
#include "http/reply.h"
#include "http/server.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 16384
/* A request has 18 bytes at least, and its reply 256 at most. */
#define HEARD_MAX (INPUT_MAX / 18 * 256)

struct world {
	struct event_base *base;
	struct http_server *servers[2]; /* that hand connections to each other */
	int file;                       /* of ten bytes */
	struct http_connection *waiting;
	bool streams; /* `waiting` does */
	struct http_connection *found;
};

/* What came of one way to send it. */
struct outcome {
	char *heard;
	size_t len;
	bool eof;
};

static void
on_gone(void *arg)
{
	struct world *w = arg;

	w->waiting = NULL;
}

/*
 * Each byte of the request is in the reply in some way: a sum is enough to see a difference, and doesn't make replies
 * long.
 */
static unsigned
sum(unsigned so_far, struct http_text text)
{
	for (size_t i = 0; i < text.len; i++)
		so_far = so_far * 31 + (unsigned char)text.at[i];
	return so_far * 31 + (unsigned)text.len;
}

static void
answer(struct http_connection *c, const struct http_request *request)
{
	unsigned all = sum(sum(sum(sum(0, request->path), request->query), request->host), request->body);
	char line[16];
	int len;

	for (size_t i = 0; i < request->n_fields; i++)
		all = sum(sum(all, request->fields[i].name), request->fields[i].value);
	len = snprintf(line, sizeof(line), "%08x\n", all);
	http_reply_start(c, 200);
	if (request->n_fields > 0) /* anything may be in a value, but no second line must come of it */
		http_reply_field(c, HTTP_TEXT("X"),
			(struct http_text){ request->fields[0].value.at,
				request->fields[0].value.len < 50 ? request->fields[0].value.len : 50 });
	http_reply_bytes(c, line, (size_t)len);
}

static void
on_request(struct http_connection *c, const struct http_request *request, void *arg)
{
	struct world *w = arg;

	assert(request->path.len > 0 && (request->path.at[0] == '/' || request->path.at[0] == '*'));
	assert(!memchr(request->target.at, '\0', request->target.len));
	if (http_text_equal(request->path, HTTP_TEXT("/l"))) {
		w->waiting = c;
		http_reply_defer(c, on_gone, w);
	} else if (http_text_equal(request->path, HTTP_TEXT("/s"))) {
		w->waiting = c;
		w->streams = true;
		http_reply_start(c, 200);
		http_reply_stream(c, on_gone, w);
	} else if (http_text_equal(request->path, HTTP_TEXT("/f"))) {
		http_reply_start(c, 200);
		http_reply_file(c, fcntl(w->file, F_DUPFD_CLOEXEC, 0), 1, 9);
	} else if (http_text_equal(request->path, HTTP_TEXT("/n"))) {
		http_reply_start(c, 304);
		http_reply_bytes(c, "x", 1);
	} else {
		answer(c, request);
	}
}

static void
begin(struct world *w)
{
	static const struct http_handler handler = { .name = "fuzz", .on_request = on_request };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct http_limits limits;

	assert(sigaction(SIGPIPE, &ignore, NULL) == 0);
	log_set_level(LOG_CRIT);
	http_limits_init(&limits);
	limits.max_head = 512;
	limits.max_target = 128;
	limits.max_fields = 8;
	limits.max_body = 64;
	w->base = event_base_new();
	w->file = fd_sealed_memfd("fuzz", "0123456789", 10);
	assert(w->base && w->file >= 0);
	for (int i = 0; i < 2; i++) {
		w->servers[i] = http_server_new(w->base, &limits, &handler, w);
		assert(w->servers[i]);
	}
}

/* Whoever waits is answered. */
static bool
answer_waiting(struct world *w)
{
	struct http_connection *c = w->waiting;

	w->waiting = NULL;
	if (!c)
		return false;
	if (w->streams) {
		http_stream_send(c, "stream", 6);
		http_stream_end(c);
	} else {
		http_reply_text(c, 200, HTTP_TEXT("text/plain"), HTTP_TEXT("late"));
	}
	w->streams = false;
	return true;
}

/* Runs the loop and hears, until nothing moves any more. */
static void
pump(struct world *w, int client, struct outcome *outcome)
{
	ssize_t n;
	int quiet = 0;

	while (quiet < 2) {
		quiet++;
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		if (answer_waiting(w))
			quiet = 0;
		n = outcome->eof ? -1
		                 : recv(client, outcome->heard + outcome->len, HEARD_MAX - outcome->len, 0);
		assert(n >= 0 || outcome->eof || errno == EAGAIN || errno == ECONNRESET);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			outcome->eof = true;
		if (n > 0) {
			outcome->len += (size_t)n;
			quiet = 0;
		}
		assert(outcome->len < HEARD_MAX);
	}
}

static void
find(struct http_connection *c, void *arg)
{
	struct world *w = arg;

	w->found = c;
}

/* Hands the connection over to the other server, if it can be. */
static void
hop(struct world *w)
{
	struct http_server *to = w->servers[http_server_count(w->servers[0]) > 0];
	struct http_handoff handoff;
	struct http_connection *old, *new = NULL;
	int fd;

	w->found = NULL;
	http_server_each(w->servers[0], find, w);
	http_server_each(w->servers[1], find, w);
	old = w->found;
	if (!old || http_handoff_freeze(old, &handoff) < 0)
		return;
	fd = fcntl(http_connection_fd(old), F_DUPFD_CLOEXEC, 0);
	handoff.file = handoff.file >= 0 ? fcntl(handoff.file, F_DUPFD_CLOEXEC, 0) : -1;
	assert(http_handoff_adopt(to, fd, &handoff, &new) == 0);
	http_handoff_forget(old);
	http_handoff_thaw(new);
}

static void
converse(struct world *w, const uint8_t *data, size_t size, size_t piece, bool hops, struct outcome *outcome)
{
	int ends[2];
	size_t n;

	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	assert(http_server_accept(w->servers[0], ends[0]) == 0);
	while (size > 0 && !outcome->eof) {
		n = size < piece ? size : piece;
		assert(send(ends[1], data, n, MSG_NOSIGNAL) == (ssize_t)n);
		data += n;
		size -= n;
		pump(w, ends[1], outcome);
		if (hops)
			hop(w);
	}
	assert(shutdown(ends[1], SHUT_WR) == 0 || outcome->eof);
	pump(w, ends[1], outcome);
	assert(outcome->eof);
	close(ends[1]);
	assert(http_server_count(w->servers[0]) + http_server_count(w->servers[1]) == 0);
	assert(outcome->len == 0 || memcmp(outcome->heard, "HTTP/1.1 ", 9) == 0);
}

static void
check_same(const struct outcome *a, const struct outcome *b)
{
	assert(a->len == b->len);
	assert(memcmp(a->heard, b->heard, a->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world; /* a loop takes too long to make for each input */
	static char heard[3][HEARD_MAX];
	struct outcome whole = { heard[0], 0, false }, cut = { heard[1], 0, false },
		       handed = { heard[2], 0, false };
	size_t piece;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	if (!world.base)
		begin(&world);
	piece = (size_t)data[0] + 1;
	converse(&world, data + 1, size - 1, size, false, &whole);
	converse(&world, data + 1, size - 1, piece, false, &cut);
	converse(&world, data + 1, size - 1, piece, true, &handed);
	check_same(&whole, &cut);
	check_same(&whole, &handed);
	return 0;
}
