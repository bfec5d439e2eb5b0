/*
 * hammer - a load generator that classifies every failure and never retries.
 *
 * Built to measure what the clients of a server see while the server reloads.
 *
 *   - One ATTEMPT is one request (or, in stream mode, one message).  An attempt
 *     ends in exactly one of: ok, one failure kind, or `inflight_at_end`.  So
 *         attempts == ok + failed_total + inflight_at_end
 *     holds for every run, and is printed as "accounting_exact".
 *   - A failed attempt is never retried: the slot goes on with a NEW attempt.
 *   - Before a request is sent on a reused connection the socket is peeked at:
 *     a FIN or RST which has already arrived is `closed_idle`/`reset_idle`, which a
 *     careful client survives.  What is counted as `lost_request` is therefore only
 *     the race that no client can avoid.
 *
 * Failure kinds (F) and other ends of a connection (C, not failures):
 *   F connect_refused     connect(): ECONNREFUSED
 *   F connect_reset       connection reset before we saw it established
 *   F connect_timeout     not established within --connect-timeout (or ETIMEDOUT)
 *   F connect_other       any other connect() error
 *   F reset_before_reply  1st request of a connection: RST, no byte of reply seen
 *   F eof_before_reply    1st request of a connection: FIN, no byte of reply seen
 *   F lost_request        the same, RST or FIN, on a REUSED connection (request n > 1)
 *   F eof_mid_reply       FIN in the middle of a reply
 *   F reset_mid_reply     RST in the middle of a reply
 *   F bad_reply           unparsable, wrong status, wrong content, surplus bytes
 *   F timeout             no whole reply within --timeout
 *   F client_error        our own fault (EADDRNOTAVAIL, EMFILE, ...)
 *   C closed_idle         server sent FIN while we had nothing outstanding
 *   C reset_idle          server sent RST while we had nothing outstanding
 *   C polite_close        HTTP reply carried "Connection: close"
 *   C reset_after_reply   (new) RST instead of FIN, after the whole reply
 *   C no_close            (new) server did not close within --timeout after the reply
 *
 * Design: each thread owns its connections, an epoll set (edge-triggered, one
 * epoll_ctl per connection, and one more where a server sends faster than we
 * read, so that the others have their turn) and a binary heap of lazy timers.
 * No locks; the results are merged after the threads have been joined.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------ options */

enum mode { M_NEW, M_KEEPALIVE, M_HOLD, M_STREAM };
enum proto { P_HTTP, P_ECHO, P_FIXED };
static const char *const mode_name[] = { "new", "keepalive", "hold", "stream" };
static const char *const proto_name[] = { "http", "echo", "fixed" };

static struct {
	enum mode mode;
	enum proto proto;
	struct sockaddr_storage addr;
	socklen_t addrlen;
	char target[256];
	int conns, threads;
	double duration;   /* seconds */
	uint64_t requests; /* stop after so many attempts; 0 = no limit */
	uint64_t timeout, conn_timeout, drain, backoff, think, split, period; /* ns */
	double rate; /* attempts/s over all connections; 0 = closed loop */
	double ramp; /* hold: connections opened per second */
	int sources; /* number of source addresses 127.0.0.1 .. 127.0.0.N */
	size_t size; /* echo: bytes per request / stream: bytes per message */
	int depth;   /* stream: messages in flight */
	const char *path, *host, *expect, *send_text;
	size_t expect_len;
	bool series, client_close, reconnect;
	const char *ready_file, *trace_file;
	int samples;
	uint64_t seed;
} opt = {
	.mode = M_NEW,
	.proto = P_HTTP,
	.conns = 64,
	.threads = 1,
	.duration = 5,
	.timeout = 5000000000ull,
	.conn_timeout = 5000000000ull,
	.drain = 2000000000ull,
	.backoff = 10000000ull,
	.period = 5000000000ull,
	.ramp = 5000,
	.sources = 1,
	.size = 64,
	.depth = 1,
	.path = "/",
	.host = "localhost",
	.send_text = "hello\r\n",
	.samples = 8,
	.seed = 1,
};

/* ------------------------------------------------------------------ counters */

enum kind {
	K_CONNECT_REFUSED,
	K_CONNECT_RESET,
	K_CONNECT_TIMEOUT,
	K_CONNECT_OTHER,
	K_RESET_BEFORE,
	K_EOF_BEFORE,
	K_LOST_REQUEST,
	K_EOF_MID,
	K_RESET_MID,
	K_BAD_REPLY,
	K_TIMEOUT,
	K_CLIENT_ERROR,
	K_FAILURES, /* the kinds above are failures of an attempt */
	K_CLOSED_IDLE = K_FAILURES,
	K_RESET_IDLE,
	K_POLITE_CLOSE,
	K_RESET_AFTER,
	K_NO_CLOSE,
	K_COUNT
};
static const char *const kind_name[K_COUNT] = {
	"connect_refused",
	"connect_reset",
	"connect_timeout",
	"connect_other",
	"reset_before_reply",
	"eof_before_reply",
	"lost_request",
	"eof_mid_reply",
	"reset_mid_reply",
	"bad_reply",
	"timeout",
	"client_error",
	"closed_idle",
	"reset_idle",
	"polite_close",
	"reset_after_reply",
	"no_close",
};

/* Log-linear histogram of nanoseconds: 128 sub-buckets per octave, error < 0.8 %. */
#define H_SUB_BITS 7
#define H_SUB      (1u << H_SUB_BITS)
#define H_BUCKETS  ((64 - H_SUB_BITS) * H_SUB)

struct hist {
	uint64_t n, max;
	double sum;
	uint64_t b[H_BUCKETS];
};

static unsigned
hist_index(uint64_t v)
{
	if (v < H_SUB)
		return (unsigned)v;
	unsigned shift = 63 - (unsigned)__builtin_clzll(v) - (H_SUB_BITS - 1);
	/* v >> shift is in [H_SUB/2, H_SUB) */
	return shift * (H_SUB / 2) + (unsigned)(v >> shift);
}

static uint64_t
hist_value(unsigned i) /* upper edge of bucket i */
{
	if (i < H_SUB)
		return i;
	unsigned shift = i / (H_SUB / 2) - 1;
	uint64_t top = i - (uint64_t)shift * (H_SUB / 2);
	return ((top + 1) << shift) - 1;
}

static void
hist_add(struct hist *h, uint64_t v)
{
	h->b[hist_index(v)]++;
	h->n++;
	h->sum += (double)v;
	if (v > h->max)
		h->max = v;
}

static uint64_t
hist_quantile(const struct hist *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->n), seen = 0;
	if (h->n == 0)
		return 0;
	if (want >= h->n)
		want = h->n - 1;
	for (unsigned i = 0; i < H_BUCKETS; i++) {
		seen += h->b[i];
		if (seen > want) {
			uint64_t v = hist_value(i);
			return v < h->max ? v : h->max;
		}
	}
	return h->max;
}

#define TICK_NS 100000000ull /* the time series: one slot per 100 ms */
struct tick {
	uint32_t ok, failed, closed;
	uint64_t max_lat;
};

struct sample {
	double t;
	enum kind kind;
	int err, conn;
	uint64_t reqno;
};

/* --trace: an answer, when it came and how long it had been waited for. */
#define TRACED_MAX (1u << 20) /* of a thread; more are not kept */
struct traced {
	uint64_t at, latency; /* ns; at: since t0 */
};

struct stats {
	uint64_t attempts, ok, inflight, connects, kinds[K_COUNT];
	uint64_t bytes_rx, bytes_tx, corrupt_streams, streams_lost, inflight_bytes_lost;
	uint64_t unix_eagain, syn_resent, status[6];
	uint64_t messages_least;        /* stream: of the slot that had the fewest back */
	uint64_t opened, alive_at_end;  /* hold: got their first reply / still open */
	uint64_t lost_first, lost_last; /* ns since start; hold */
	uint64_t stall_max;             /* how late our own loop came to a timer, ns */
	struct hist lat, conn_lat;
	struct sample *samples;
	int nsamples;
};

/* --------------------------------------------------------------- connections */

enum state {
	S_OFF, /* no socket; the timer says when the next attempt starts */
	S_CONNECTING,
	S_SENDING, /* part of the request is still to be written */
	S_READING, /* request sent, whole reply not yet seen */
	S_IDLE,    /* connected, nothing outstanding */
	S_CLOSING, /* mode new: reply complete, the server should close */
	S_STREAM,
	S_DONE, /* finished for good */
};

enum hstate { H_STATUS, H_HEADER, H_BODY, H_CHUNK_SIZE, H_CHUNK_DATA, H_CHUNK_END, H_TRAILER, H_BODY_EOF };

struct conn {
	int fd, id;
	enum state st;
	/* timer: `due` is the truth, `key` is where we sit in the heap (lazy: key <= due) */
	uint64_t due, key;
	int heap_pos;     /* -1: not in the heap */
	uint64_t t_start; /* start of the attempt (latency is counted from here) */
	uint64_t t_conn, t_sched;
	uint64_t reqno; /* requests begun on this connection */
	bool attempt;   /* an attempt is outstanding */
	bool split_wait, opened;
	size_t tx_off, rx_n;           /* bytes of request sent / bytes of reply seen */
	uint64_t seed, tx_pos, rx_pos; /* pattern; stream positions */
	uint64_t msgs_sent, msgs_ok;
	uint64_t messages; /* stream: all that came back, over each connection of the slot */
	uint64_t *sent_at; /* stream: ring of send times, opt.depth long */
	/* http parser */
	enum hstate hs;
	int status;
	bool chunked, has_len, close, v10;
	uint64_t body_left, body_n;
	int linelen;
	char line[200];
};

struct worker {
	pthread_t tid;
	int ep, index, nconns;
	struct conn *conns;
	struct conn **heap;
	int nheap;
	uint64_t max_attempts, rng;
	bool stopping;
	struct stats s;
	struct tick *ticks;
	struct traced *traced;
	uint32_t ntraced;
	int nopened;
	char buf[65536];
};

static char *req_buf; /* http/fixed: the request, the same for all */
static size_t req_len;
static int nticks;
static int total_opened; /* atomic */

static volatile sig_atomic_t stop_now; /* SIGTERM, SIGINT: end early, and report */
static void
on_stop(int sig)
{
	(void)sig;
	stop_now = 1;
}
static atomic_flag first_ok = ATOMIC_FLAG_INIT;
static uint64_t t0; /* start of the run, CLOCK_MONOTONIC */

static uint64_t
now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("hammer: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static uint64_t
mix64(uint64_t x) /* splitmix64's finaliser */
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t
rnd(struct worker *w)
{
	return w->rng = mix64(w->rng);
}

/* The byte at position pos of the stream `seed`: positions are addressable, so any part of
 * a message can be produced or checked at any time without keeping it. */
static void
pattern(uint64_t seed, uint64_t pos, unsigned char *out, size_t n)
{
	while (n) {
		uint64_t v = mix64(seed ^ (pos >> 3));
		unsigned k = pos & 7;
		for (; k < 8 && n; k++, n--, pos++)
			*out++ = (unsigned char)(v >> (8 * k));
	}
}

static bool
pattern_check(uint64_t seed, uint64_t pos, const unsigned char *in, size_t n)
{
	unsigned char tmp[4096];
	while (n) {
		size_t k = n < sizeof tmp ? n : sizeof tmp;
		pattern(seed, pos, tmp, k);
		if (memcmp(tmp, in, k))
			return false;
		in += k, pos += k, n -= k;
	}
	return true;
}

/* -------------------------------------------------------------------- timers */

static void
heap_put(struct worker *w, int i, struct conn *c)
{
	w->heap[i] = c;
	c->heap_pos = i;
}

static void
heap_up(struct worker *w, int i)
{
	struct conn *c = w->heap[i];
	for (; i > 0 && w->heap[(i - 1) / 2]->key > c->key; i = (i - 1) / 2)
		heap_put(w, i, w->heap[(i - 1) / 2]);
	heap_put(w, i, c);
}

static void
heap_down(struct worker *w, int i)
{
	struct conn *c = w->heap[i];
	for (;;) {
		int k = 2 * i + 1;
		if (k >= w->nheap)
			break;
		if (k + 1 < w->nheap && w->heap[k + 1]->key < w->heap[k]->key)
			k++;
		if (w->heap[k]->key >= c->key)
			break;
		heap_put(w, i, w->heap[k]);
		i = k;
	}
	heap_put(w, i, c);
}

#define NEVER UINT64_MAX

static void
timer_set(struct worker *w, struct conn *c, uint64_t due)
{
	c->due = due;
	if (c->heap_pos < 0) {
		if (due == NEVER)
			return;
		c->key = due;
		heap_put(w, w->nheap++, c);
		heap_up(w, c->heap_pos);
	} else if (due < c->key) {
		c->key = due;
		heap_up(w, c->heap_pos);
	} /* later: left alone, corrected when it comes up */
}

static struct conn *
timer_pop(struct worker *w, uint64_t now)
{
	while (w->nheap && w->heap[0]->key <= now) {
		struct conn *c = w->heap[0];
		if (c->due > now && c->due != NEVER) {
			c->key = c->due;
			heap_down(w, 0);
			continue;
		}
		struct conn *last = w->heap[--w->nheap];
		c->heap_pos = -1;
		if (last != c) {
			heap_put(w, 0, last);
			heap_down(w, 0);
		}
		if (c->due != NEVER) {
			if (now - c->due > w->s.stall_max && c->due >= t0)
				w->s.stall_max = now - c->due;
			return c;
		}
	}
	return NULL;
}

/* ------------------------------------------------------------------ counting */

static struct tick *
tick_at(struct worker *w, uint64_t t)
{
	uint64_t i = (t - t0) / TICK_NS;
	return &w->ticks[i < (uint64_t)nticks ? i : (uint64_t)nticks - 1];
}

static void
note(struct worker *w, struct conn *c, enum kind k, int err, uint64_t n)
{
	uint64_t t = now_ns();
	w->s.kinds[k] += n;
	if (k < K_FAILURES)
		tick_at(w, t)->failed += (uint32_t)n;
	else
		tick_at(w, t)->closed += (uint32_t)n;
	if (k != K_POLITE_CLOSE && w->s.nsamples < opt.samples)
		w->s.samples[w->s.nsamples++] =
			(struct sample){ (double)(t - t0) / 1e9, k, err, c->id, c->reqno };
	if (opt.mode == M_HOLD) {
		if (!w->s.lost_first)
			w->s.lost_first = t - t0;
		w->s.lost_last = t - t0;
	}
}

/* Opens the books on an attempt, and closes them as ok or as failed. */
static void
attempt_begin(struct worker *w, struct conn *c, uint64_t t)
{
	c->attempt = true;
	c->t_start = t;
	w->s.attempts++;
	w->s.inflight++;
}

/* Says once, to whoever waits for the load to be on, that the server has answered. */
static void
tell_first_ok(uint64_t t)
{
	if (!atomic_flag_test_and_set(&first_ok))
		fprintf(stderr, "hammer: first reply at %.3f s\n", (double)(t - t0) / 1e9);
}

static void
attempt_ok(struct worker *w, struct conn *c, uint64_t t)
{
	uint64_t lat = t > c->t_start ? t - c->t_start : 0;
	if (w->s.ok == 0)
		tell_first_ok(t);
	struct tick *k = tick_at(w, t);
	c->attempt = false;
	w->s.inflight--;
	w->s.ok++;
	hist_add(&w->s.lat, lat);
	if (w->traced && w->ntraced < TRACED_MAX)
		w->traced[w->ntraced++] = (struct traced){ t - t0, lat };
	k->ok++;
	if (lat > k->max_lat)
		k->max_lat = lat;
}

static void
conn_shut(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd); /* also leaves the epoll set */
	c->fd = -1;
}

static void next_cycle(struct worker *w, struct conn *c, uint64_t t, uint64_t delay);

/* The outstanding attempt failed: book it, drop the connection, go on with the next. */
static void
fail(struct worker *w, struct conn *c, enum kind k, int err)
{
	note(w, c, k, err, 1);
	if (c->attempt) {
		c->attempt = false;
		w->s.inflight--;
	}
	conn_shut(c);
	next_cycle(w, c, now_ns(), k <= K_CONNECT_OTHER || k == K_CLIENT_ERROR ? opt.backoff : 0);
}

/* The server ended a connection on which nothing was outstanding. */
static void
ended_idle(struct worker *w, struct conn *c, enum kind k, int err)
{
	uint64_t due = c->due;
	note(w, c, k, err, 1);
	conn_shut(c);
	if (opt.mode == M_HOLD && !opt.reconnect) {
		c->st = S_DONE;
		timer_set(w, c, NEVER);
		return;
	}
	c->st = S_OFF; /* reconnects when its next request is due */
	timer_set(w, c, due == NEVER ? now_ns() : due);
}

/* -------------------------------------------------------------- http replies */

static void
http_reset(struct conn *c)
{
	c->hs = H_STATUS;
	c->status = 0;
	c->chunked = c->has_len = c->close = c->v10 = false;
	c->body_left = c->body_n = 0;
	c->linelen = 0;
}

static bool
body_ok(struct conn *c, const char *p, size_t n)
{
	if (opt.expect && c->status == 200) {
		if (c->body_n + n > opt.expect_len || memcmp(opt.expect + c->body_n, p, n))
			return false;
	}
	c->body_n += n;
	return true;
}

static bool
body_end_ok(struct conn *c)
{
	return !opt.expect || c->body_n == opt.expect_len;
}

/* Collects one line; true when it is complete (then c->line holds it, without CRLF). */
static bool
take_line(struct conn *c, const char **p, const char *end)
{
	while (*p < end) {
		char ch = *(*p)++;
		if (ch == '\n') {
			if (c->linelen && c->line[c->linelen - 1] == '\r')
				c->linelen--;
			c->line[c->linelen] = 0;
			c->linelen = 0;
			return true;
		}
		if (c->linelen < (int)sizeof c->line - 1)
			c->line[c->linelen++] = ch;
	}
	return false;
}

/* Feeds bytes to the parser. -1: bad; 0: more is wanted; 1: reply complete (*p is past it). */
static int
http_feed(struct conn *c, const char **p, const char *end)
{
	while (*p < end) {
		switch (c->hs) {
		case H_STATUS:
			if (!take_line(c, p, end))
				return 0;
			if (strncmp(c->line, "HTTP/1.", 7) || strlen(c->line) < 12 || c->line[8] != ' ')
				return -1;
			c->v10 = c->line[7] == '0';
			c->close = c->v10;
			c->status = atoi(c->line + 9);
			if (c->status < 100 || c->status > 599)
				return -1;
			c->hs = H_HEADER;
			break;
		case H_HEADER:
			if (!take_line(c, p, end))
				return 0;
			if (c->line[0]) {
				if (!strncasecmp(c->line, "content-length:", 15)) {
					c->has_len = true;
					c->body_left = strtoull(c->line + 15, NULL, 10);
				} else if (!strncasecmp(c->line, "transfer-encoding:", 18)) {
					if (strcasestr(c->line + 18, "chunked"))
						c->chunked = true;
				} else if (!strncasecmp(c->line, "connection:", 11)) {
					if (strcasestr(c->line + 11, "close"))
						c->close = true;
					else if (strcasestr(c->line + 11, "keep-alive"))
						c->close = false;
				}
				break;
			}
			if (c->status < 200) { /* 1xx: the real reply follows */
				c->hs = H_STATUS;
				break;
			}
			if (c->status == 204 || c->status == 304)
				return 1;
			if (c->chunked)
				c->hs = H_CHUNK_SIZE;
			else if (c->has_len) {
				if (c->body_left == 0)
					return body_end_ok(c) || c->status != 200 ? 1 : -1;
				c->hs = H_BODY;
			} else {
				c->hs = H_BODY_EOF;
				c->close = true;
			}
			break;
		case H_BODY:
		case H_CHUNK_DATA: {
			size_t n = (size_t)(end - *p);
			if (n > c->body_left)
				n = (size_t)c->body_left;
			if (!body_ok(c, *p, n))
				return -1;
			*p += n;
			c->body_left -= n;
			if (c->body_left == 0) {
				if (c->hs == H_BODY)
					return body_end_ok(c) || c->status != 200 ? 1 : -1;
				c->hs = H_CHUNK_END;
			}
			break;
		}
		case H_CHUNK_SIZE: {
			char *e;
			if (!take_line(c, p, end))
				return 0;
			c->body_left = strtoull(c->line, &e, 16);
			if (e == c->line)
				return -1;
			c->hs = c->body_left ? H_CHUNK_DATA : H_TRAILER;
			break;
		}
		case H_CHUNK_END:
			if (!take_line(c, p, end))
				return 0;
			if (c->line[0])
				return -1;
			c->hs = H_CHUNK_SIZE;
			break;
		case H_TRAILER:
			if (!take_line(c, p, end))
				return 0;
			if (!c->line[0])
				return body_end_ok(c) || c->status != 200 ? 1 : -1;
			break;
		case H_BODY_EOF:
			if (!body_ok(c, *p, (size_t)(end - *p)))
				return -1;
			*p = end;
			break;
		}
	}
	return 0;
}

/* ----------------------------------------------------------- request machine */

static void send_more(struct worker *w, struct conn *c);
static void stream_push(struct worker *w, struct conn *c);

/* Nothing is outstanding on the slot any more: arrange its next attempt. */
static void
next_cycle(struct worker *w, struct conn *c, uint64_t t, uint64_t delay)
{
	if (opt.mode == M_HOLD && c->fd < 0 && !opt.reconnect) {
		c->st = S_DONE;
		timer_set(w, c, NEVER);
		return;
	}
	if (opt.mode == M_HOLD)
		delay = c->reqno <= 1 /* spread the first repeats over the period */
		                ? opt.period / 2 + rnd(w) % (opt.period + 1)
		                : opt.period;
	else if (opt.think && (c->fd >= 0 || opt.mode == M_NEW) && opt.mode != M_STREAM)
		delay = opt.think / 2 + rnd(w) % (opt.think + 1);
	if (opt.rate > 0) {
		c->t_sched += (uint64_t)(1e9 * opt.conns / opt.rate);
		delay = c->t_sched > t ? c->t_sched - t : 0;
	}
	c->st = c->fd < 0 ? S_OFF : S_IDLE;
	timer_set(w, c, t + delay);
}

static bool
may_start(struct worker *w)
{
	return !w->stopping && (!w->max_attempts || w->s.attempts < w->max_attempts);
}

static void
request_send(struct worker *w, struct conn *c)
{
	c->reqno++;
	c->tx_off = c->rx_n = 0;
	c->split_wait = false;
	c->seed = mix64(opt.seed ^ ((uint64_t)w->index << 48) ^ ((uint64_t)c->id << 24) ^ c->reqno);
	http_reset(c);
	c->st = S_SENDING;
	timer_set(w, c, now_ns() + opt.timeout);
	send_more(w, c);
}

#define SYN_RESENT_MIN 500000000ull /* sooner the kernel has sent none again: nobody need ask it */

/*
 * Did our SYN, or the answer to it, get lost? Our kernel sends it again, for the first time after
 * a second. Called before anything is sent.
 */
static bool
was_syn_resent(const struct conn *c)
{
	struct tcp_info info = { 0 };
	socklen_t l = sizeof info;
	return opt.addr.ss_family != AF_UNIX && getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &l) == 0 &&
	       info.tcpi_total_retrans > 0;
}

static void
connected(struct worker *w, struct conn *c)
{
	uint64_t t = now_ns();
	w->s.connects++;
	if (t - c->t_conn > SYN_RESENT_MIN && was_syn_resent(c))
		w->s.syn_resent++;
	hist_add(&w->s.conn_lat, t - c->t_conn);
	c->reqno = 0;
	if (opt.mode == M_STREAM) {
		c->st = S_STREAM;
		c->seed = mix64(opt.seed ^ rnd(w));
		c->tx_pos = c->rx_pos = c->msgs_sent = c->msgs_ok = 0;
		c->reqno = 1;
		timer_set(w, c, t + opt.timeout);
		stream_push(w, c);
		return;
	}
	request_send(w, c);
}

static void
connect_failed(struct worker *w, struct conn *c, int err)
{
	enum kind k =
		err == ECONNREFUSED ? K_CONNECT_REFUSED
		: err == ECONNRESET ? K_CONNECT_RESET
		: err == ETIMEDOUT  ? K_CONNECT_TIMEOUT
		: err == EADDRNOTAVAIL || err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM
			? K_CLIENT_ERROR
			: K_CONNECT_OTHER;
	if (opt.mode == M_STREAM && !c->attempt)
		attempt_begin(w, c, now_ns());
	fail(w, c, k, err);
}

/* How often a connection is read before the others have their turn: 1 MiB with the worker's buffer. */
#define READS_MAX 16

/* Begins to wait for the connection's events (EPOLL_CTL_ADD), or asks for those that are there already once more (EPOLL_CTL_MOD). */
static void
watch(struct worker *w, struct conn *c, int op)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
	if (epoll_ctl(w->ep, op, c->fd, &ev) < 0)
		die("epoll_ctl: %s", strerror(errno));
}

static void
do_connect(struct worker *w, struct conn *c)
{
	int one = 1;
	c->st = S_CONNECTING;
	c->fd = socket(opt.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		connect_failed(w, c, errno);
		return;
	}
	if (opt.addr.ss_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (opt.sources > 1 && opt.addr.ss_family == AF_INET) {
		struct sockaddr_in a = { .sin_family = AF_INET };
		a.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(c->id % opt.sources));
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
		if (bind(c->fd, (struct sockaddr *)&a, sizeof a) < 0) {
			connect_failed(w, c, EADDRNOTAVAIL);
			return;
		}
	}
	int r = connect(c->fd, (struct sockaddr *)&opt.addr, opt.addrlen);
	if (r < 0 && errno == EAGAIN && opt.addr.ss_family == AF_UNIX) {
		/* A blocking client would wait for room in the backlog; so do we, by polling. */
		uint64_t t = now_ns();
		w->s.unix_eagain++;
		conn_shut(c);
		if (t - c->t_conn > opt.conn_timeout) {
			fail(w, c, K_CONNECT_TIMEOUT, EAGAIN);
			return;
		}
		timer_set(w, c, t + 500000); /* still S_CONNECTING, fd < 0 */
		return;
	}
	if (r < 0 && errno != EINPROGRESS) {
		connect_failed(w, c, errno);
		return;
	}
	watch(w, c, EPOLL_CTL_ADD);
	timer_set(w, c, c->t_conn + opt.conn_timeout);
}

/* Begins the slot's next attempt, on its open connection or on a new one. */
static void
start(struct worker *w, struct conn *c)
{
	if (!may_start(w)) {
		if (c->fd >= 0 && opt.mode == M_HOLD)
			timer_set(w, c, NEVER); /* stay open to the end */
		else {
			conn_shut(c);
			c->st = S_DONE;
			timer_set(w, c, NEVER);
		}
		return;
	}
	uint64_t t = now_ns(), begin = opt.rate > 0 && c->t_sched < t ? c->t_sched : t;
	if (c->fd >= 0) {
		char ch;
		ssize_t n = recv(c->fd, &ch, 1, MSG_PEEK | MSG_DONTWAIT);
		if (n == 0) {
			ended_idle(w, c, K_CLOSED_IDLE, 0);
			return;
		}
		if (n > 0) { /* bytes nobody asked for */
			attempt_begin(w, c, begin);
			fail(w, c, K_BAD_REPLY, 0);
			return;
		}
		if (errno != EAGAIN) {
			ended_idle(w, c, K_RESET_IDLE, errno);
			return;
		}
		attempt_begin(w, c, begin);
		request_send(w, c);
		return;
	}
	c->t_conn = t;
	if (opt.mode != M_STREAM)
		attempt_begin(w, c, begin);
	do_connect(w, c);
}

/* How the loss of the connection, with a request outstanding, is to be called. */
static enum kind
loss_kind(const struct conn *c, bool rst)
{
	if (c->rx_n)
		return rst ? K_RESET_MID : K_EOF_MID;
	if (c->reqno > 1)
		return K_LOST_REQUEST;
	return rst ? K_RESET_BEFORE : K_EOF_BEFORE;
}

static void
send_more(struct worker *w, struct conn *c)
{
	size_t total = opt.proto == P_ECHO ? opt.size : req_len;
	while (c->tx_off < total) {
		size_t n = total - c->tx_off;
		const char *p = w->buf;
		if (opt.split && c->tx_off < total / 2) {
			n = total / 2 - c->tx_off;
		} else if (opt.split && c->tx_off == total / 2 && !c->split_wait) {
			c->split_wait = true; /* the timer sends the rest */
			timer_set(w, c, now_ns() + opt.split);
			return;
		}
		if (opt.proto == P_ECHO) {
			if (n > sizeof w->buf)
				n = sizeof w->buf;
			pattern(c->seed, c->tx_off, (unsigned char *)w->buf, n);
		} else
			p = req_buf + c->tx_off;
		ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
		if (r < 0) {
			if (errno == EAGAIN)
				return;
			if (c->tx_off == 0 && c->reqno > 1) {
				/* Not a byte went out: the attempt did not happen. */
				int err = errno;
				c->attempt = false;
				w->s.inflight--;
				w->s.attempts--;
				c->due = now_ns();
				ended_idle(w, c, K_RESET_IDLE, err);
				return;
			}
			fail(w, c, loss_kind(c, true), errno);
			return;
		}
		w->s.bytes_tx += (uint64_t)r;
		c->tx_off += (size_t)r;
	}
	c->split_wait = false;
	c->st = S_READING;
}

static void
reply_complete(struct worker *w, struct conn *c)
{
	uint64_t t = now_ns();
	attempt_ok(w, c, t);
	if (opt.mode == M_HOLD && !c->opened) {
		c->opened = true;
		w->s.opened++;
		if (__atomic_add_fetch(&total_opened, 1, __ATOMIC_RELAXED) == opt.conns) {
			fprintf(stderr, "hammer: all %d connections open at %.3f s\n", opt.conns,
				(double)(t - t0) / 1e9);
			if (opt.ready_file) {
				int fd = open(opt.ready_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
				if (fd >= 0)
					close(fd);
			}
		}
	}
	if (opt.mode == M_NEW) {
		if (opt.proto == P_HTTP && !opt.client_close) {
			c->st = S_CLOSING;
			timer_set(w, c, t + opt.timeout);
			return;
		}
		conn_shut(c);
		next_cycle(w, c, t, 0);
		return;
	}
	if (opt.proto == P_HTTP && c->close) {
		note(w, c, K_POLITE_CLOSE, 0, 1);
		conn_shut(c);
	}
	next_cycle(w, c, t, 0);
	if (c->st == S_IDLE && c->due <= t) /* no pause: go on at once, skip the heap */
		start(w, c);
}

/* Bytes have come. Returns false when the connection is gone. */
static bool
consume(struct worker *w, struct conn *c, const char *p, size_t n)
{
	const char *end = p + n;
	int r = 0;

	w->s.bytes_rx += n;
	if (c->st == S_CLOSING || c->st == S_IDLE) {
		/* Surplus bytes after a reply: a server fault.  It gets an attempt of its own, so
		 * that the books stay balanced. */
		attempt_begin(w, c, now_ns());
		fail(w, c, K_BAD_REPLY, 0);
		return false;
	}
	c->rx_n += n;
	switch (opt.proto) {
	case P_HTTP:
		r = http_feed(c, &p, end);
		break;
	case P_ECHO: {
		size_t off = c->rx_n - n;
		if (c->rx_n > c->tx_off || !pattern_check(c->seed, off, (const unsigned char *)p, n))
			r = -1;
		else if (c->rx_n == opt.size)
			r = 1;
		p = end;
		break;
	}
	case P_FIXED: {
		size_t off = c->rx_n - n;
		if (c->rx_n > opt.expect_len || memcmp(opt.expect + off, p, n))
			r = -1;
		else if (c->rx_n == opt.expect_len)
			r = 1;
		p = end;
		break;
	}
	}
	if (opt.proto == P_HTTP && r > 0) {
		w->s.status[c->status / 100]++;
		if (c->status != 200)
			r = -1;
	}
	if (r < 0 || (r > 0 && (p != end || c->st == S_SENDING))) {
		fail(w, c, K_BAD_REPLY, c->status);
		return false;
	}
	if (r > 0)
		reply_complete(w, c);
	return c->fd >= 0;
}

/* ------------------------------------------------------------------- streams */

/* The stream is over: books its outstanding messages. */
static void
stream_lost(struct worker *w, struct conn *c, bool rst, bool bad, int err)
{
	uint64_t out = c->msgs_sent - c->msgs_ok;
	w->s.streams_lost++;
	if (opt.mode == M_STREAM && !out)
		note(w, c, rst ? K_RESET_IDLE : K_CLOSED_IDLE, err, 1);
	for (uint64_t i = 0; i < out; i++) {
		enum kind k = K_LOST_REQUEST;
		if (bad)
			k = K_BAD_REPLY;
		else if (i == 0 && c->rx_pos % opt.size)
			k = rst ? K_RESET_MID : K_EOF_MID;
		else if (c->rx_pos == 0)
			k = rst ? K_RESET_BEFORE : K_EOF_BEFORE;
		note(w, c, k, err, 1);
	}
	w->s.inflight -= out;
	w->s.inflight_bytes_lost += c->tx_pos - c->rx_pos;
	if (bad)
		w->s.corrupt_streams++;
	conn_shut(c);
	c->st = S_OFF;
	timer_set(w, c, now_ns() + opt.backoff);
}

/* Keeps opt.depth messages in flight. */
static void
stream_push(struct worker *w, struct conn *c)
{
	for (;;) {
		uint64_t limit = c->msgs_sent * opt.size; /* end of the last message begun */
		if (c->tx_pos == limit) {
			if (c->msgs_sent - c->msgs_ok >= (uint64_t)opt.depth || !may_start(w))
				return;
			if (opt.think && c->due > now_ns() && c->split_wait)
				return; /* pausing */
			c->split_wait = false;
			c->sent_at[c->msgs_sent % (uint64_t)opt.depth] = now_ns();
			c->msgs_sent++;
			c->reqno = c->msgs_sent;
			w->s.attempts++;
			w->s.inflight++;
			limit += opt.size;
			timer_set(w, c, now_ns() + opt.timeout);
		}
		size_t n = (size_t)(limit - c->tx_pos);
		if (n > sizeof w->buf)
			n = sizeof w->buf;
		pattern(c->seed, c->tx_pos, (unsigned char *)w->buf, n);
		ssize_t r = send(c->fd, w->buf, n, MSG_NOSIGNAL);
		if (r < 0) {
			if (errno != EAGAIN)
				stream_lost(w, c, true, false, errno);
			return;
		}
		c->tx_pos += (uint64_t)r;
		w->s.bytes_tx += (uint64_t)r;
	}
}

static bool
stream_consume(struct worker *w, struct conn *c, const char *p, size_t n)
{
	w->s.bytes_rx += n;
	if (c->rx_pos + n > c->tx_pos || !pattern_check(c->seed, c->rx_pos, (const unsigned char *)p, n)) {
		if (c->msgs_sent == c->msgs_ok) { /* surplus bytes: an attempt of their own */
			w->s.attempts++;
			w->s.inflight++;
			c->msgs_sent++;
		}
		stream_lost(w, c, false, true, 0);
		return false;
	}
	c->rx_pos += n;
	while (c->msgs_ok < c->msgs_sent && c->rx_pos >= (c->msgs_ok + 1) * opt.size) {
		uint64_t t = now_ns();
		c->t_start = c->sent_at[c->msgs_ok % (uint64_t)opt.depth];
		attempt_ok(w, c, t);
		c->msgs_ok++;
		c->messages++;
		if (opt.think) {
			c->split_wait = true;
			timer_set(w, c, t + opt.think / 2 + rnd(w) % (opt.think + 1));
		} else
			timer_set(w, c, t + opt.timeout);
	}
	stream_push(w, c);
	return c->fd >= 0;
}

/* -------------------------------------------------------------------- events */

static void
on_event(struct worker *w, struct conn *c, uint32_t ev)
{
	if (c->fd < 0)
		return;
	if (c->st == S_CONNECTING) {
		int err = 0;
		socklen_t l = sizeof err;
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
		if (err) {
			connect_failed(w, c, err);
			return;
		}
		if (!(ev & EPOLLOUT))
			return;
		connected(w, c);
	} else if (ev & EPOLLOUT) {
		if (c->st == S_SENDING && !c->split_wait)
			send_more(w, c);
		else if (c->st == S_STREAM)
			stream_push(w, c);
	}
	for (int reads = 0; c->fd >= 0 && (ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)); reads++) {
		if (reads == READS_MAX) {
			watch(w, c, EPOLL_CTL_MOD); /* makes a new edge, which comes after the others' */
			return;
		}
		int fd = c->fd;
		ssize_t n = recv(fd, w->buf, sizeof w->buf, 0);
		if (n > 0) {
			bool alive = c->st == S_STREAM ? stream_consume(w, c, w->buf, (size_t)n)
			                               : consume(w, c, w->buf, (size_t)n);
			if (!alive || c->fd != fd)
				return;
			/* A short read emptied the socket; what comes later makes a new edge. */
			if ((size_t)n < sizeof w->buf && !(ev & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
				return;
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		bool rst = n < 0;
		int err = rst ? errno : 0;
		switch (c->st) {
		case S_STREAM:
			stream_lost(w, c, rst, false, err);
			return;
		case S_IDLE:
			ended_idle(w, c, rst ? K_RESET_IDLE : K_CLOSED_IDLE, err);
			return;
		case S_CLOSING:
			if (rst)
				note(w, c, K_RESET_AFTER, err, 1);
			conn_shut(c);
			next_cycle(w, c, now_ns(), 0);
			return;
		default:
			if (!rst && opt.proto == P_HTTP && c->hs == H_BODY_EOF && c->status == 200 &&
				body_end_ok(c)) {
				/* A reply delimited by the close is whole now. */
				w->s.status[2]++;
				attempt_ok(w, c, now_ns());
				if (opt.mode != M_NEW)
					note(w, c, K_POLITE_CLOSE, 0, 1);
				conn_shut(c);
				next_cycle(w, c, now_ns(), 0);
				return;
			}
			if (!rst && opt.proto == P_HTTP && c->hs == H_BODY_EOF) {
				/* Whole as well, but an error page, or not the body that was
				 * wanted. */
				w->s.status[c->status / 100]++;
				fail(w, c, K_BAD_REPLY, c->status);
				return;
			}
			fail(w, c, loss_kind(c, rst), err);
			return;
		}
	}
}

/* True when bytes, a FIN or an error wait in the socket, so that a timeout would be untrue. */
static bool
socket_has_news(struct conn *c)
{
	char ch;
	return c->fd >= 0 && (recv(c->fd, &ch, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN);
}

static void
on_timer(struct worker *w, struct conn *c)
{
	switch (c->st) {
	case S_OFF:
	case S_IDLE:
		start(w, c);
		break;
	case S_CONNECTING:
		if (c->fd < 0)
			do_connect(w, c); /* unix socket, backlog was full */
		else
			connect_failed(w, c, ETIMEDOUT);
		break;
	case S_SENDING:
		if (c->split_wait) {
			timer_set(w, c, now_ns() + opt.timeout);
			send_more(w, c);
			break;
		}
		/* fall through */
	case S_READING:
		c->split_wait = false;
		if (socket_has_news(c)) { /* we are late, not the server: let epoll tell */
			timer_set(w, c, now_ns() + 5000000);
			break;
		}
		fail(w, c, K_TIMEOUT, 0);
		break;
	case S_CLOSING:
		note(w, c, K_NO_CLOSE, 0, 1);
		conn_shut(c);
		next_cycle(w, c, now_ns(), 0);
		break;
	case S_STREAM:
		if (c->split_wait) { /* the pause is over */
			c->due = 0;
			stream_push(w, c);
		} else if (c->msgs_sent > c->msgs_ok && socket_has_news(c)) {
			timer_set(w, c, now_ns() + 5000000);
		} else if (c->msgs_sent > c->msgs_ok) {
			uint64_t out = c->msgs_sent - c->msgs_ok;
			note(w, c, K_TIMEOUT, 0, out);
			w->s.inflight -= out;
			w->s.streams_lost++;
			conn_shut(c);
			c->st = S_OFF;
			timer_set(w, c, now_ns() + opt.backoff);
		} else
			timer_set(w, c, now_ns() + opt.timeout);
		break;
	case S_DONE:
		break;
	}
}

/* Takes what has come, waiting so many ns for the first of it; whether there may be more. */
static bool
take_events(struct worker *w, uint64_t wait)
{
	struct epoll_event evs[256];
	struct timespec ts = { (time_t)(wait / 1000000000ull), (long)(wait % 1000000000ull) };
	int n = epoll_pwait2(w->ep, evs, 256, &ts, NULL);
	for (int i = 0; i < n; i++)
		on_event(w, evs[i].data.ptr, evs[i].events);
	return n == 256;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	uint64_t end = t0 + (uint64_t)(opt.duration * 1e9), drain_end = NEVER;

	for (int i = 0; i < w->nconns; i++) {
		struct conn *c = &w->conns[i];
		uint64_t delay = 0;
		if (opt.mode == M_HOLD)
			delay = (uint64_t)((double)c->id / opt.ramp * 1e9);
		else if (opt.rate > 0)
			delay = (uint64_t)((double)c->id / opt.rate * 1e9);
		else if (opt.think)
			delay = rnd(w) % (opt.think + 1);
		c->t_sched = t0 + delay;
		timer_set(w, c, t0 + delay);
	}
	for (;;) {
		uint64_t now = now_ns();
		if (!w->stopping &&
			(now >= end || stop_now || (w->max_attempts && w->s.attempts >= w->max_attempts))) {
			w->stopping = true;
			drain_end = now + opt.drain;
			if (w->max_attempts && drain_end < now + opt.timeout + TICK_NS)
				drain_end = now + opt.timeout + TICK_NS;
		}
		if (w->stopping && (w->s.inflight == 0 || now >= drain_end))
			break;
		struct conn *c;
		for (int k = 0; k < 512 && (c = timer_pop(w, now)); k++)
			on_timer(w, c);
		uint64_t wake = w->stopping ? drain_end : end;
		if (w->nheap && w->heap[0]->key < wake)
			wake = w->heap[0]->key;
		now = now_ns();
		uint64_t d = wake > now ? wake - now : 0;
		if (d > 200000000ull)
			d = 200000000ull; /* look at stop_now now and then */
		take_events(w, d);
	}
	/* Connections that have ended, and replies that have come, since the last look. Each connection at most once: streams may never rest. */
	for (int seen = 0; take_events(w, 0) && seen < w->nconns; seen += 256)
		;
	w->s.messages_least = UINT64_MAX;
	for (int i = 0; i < w->nconns; i++) {
		if (w->conns[i].fd >= 0 && w->conns[i].opened)
			w->s.alive_at_end++;
		if (w->s.messages_least > w->conns[i].messages)
			w->s.messages_least = w->conns[i].messages;
	}
	for (int i = 0; i < w->nconns; i++)
		conn_shut(&w->conns[i]);
	return NULL;
}

/* -------------------------------------------------------------------- report */

static void
print_lat(const char *name, const struct hist *h)
{
	printf("  \"%s\": {\"n\": %" PRIu64 ", \"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, "
	       "\"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f},\n",
		name, h->n, h->n ? h->sum / (double)h->n / 1e3 : 0.0, (double)hist_quantile(h, .5) / 1e3,
		(double)hist_quantile(h, .9) / 1e3, (double)hist_quantile(h, .99) / 1e3,
		(double)hist_quantile(h, .999) / 1e3, (double)h->max / 1e3);
}

static void
report(struct worker *ws, double elapsed)
{
	struct stats *t = calloc(1, sizeof *t);
	struct tick *ticks = calloc((size_t)nticks, sizeof *ticks);
	struct rusage ru;
	if (!t || !ticks)
		die("out of memory");
	t->messages_least = UINT64_MAX;
	for (int i = 0; i < opt.threads; i++) {
		struct stats *s = &ws[i].s;
		if (t->messages_least > s->messages_least)
			t->messages_least = s->messages_least;
#define ADD(f) t->f += s->f
		ADD(attempts);
		ADD(ok);
		ADD(inflight);
		ADD(connects);
		ADD(syn_resent);
		ADD(bytes_rx);
		ADD(bytes_tx);
		ADD(corrupt_streams);
		ADD(streams_lost);
		ADD(inflight_bytes_lost);
		ADD(unix_eagain);
		ADD(opened);
		ADD(alive_at_end);
		for (int k = 0; k < K_COUNT; k++)
			ADD(kinds[k]);
		for (int k = 0; k < 6; k++)
			ADD(status[k]);
		for (int h = 0; h < 2; h++) {
			struct hist *to = h ? &t->conn_lat : &t->lat, *from = h ? &s->conn_lat : &s->lat;
			to->n += from->n;
			to->sum += from->sum;
			if (from->max > to->max)
				to->max = from->max;
			for (unsigned b = 0; b < H_BUCKETS; b++)
				to->b[b] += from->b[b];
		}
		if (s->stall_max > t->stall_max)
			t->stall_max = s->stall_max;
		if (s->lost_first && (!t->lost_first || s->lost_first < t->lost_first))
			t->lost_first = s->lost_first;
		if (s->lost_last > t->lost_last)
			t->lost_last = s->lost_last;
		for (int k = 0; k < nticks; k++) {
			ticks[k].ok += ws[i].ticks[k].ok;
			ticks[k].failed += ws[i].ticks[k].failed;
			ticks[k].closed += ws[i].ticks[k].closed;
			if (ws[i].ticks[k].max_lat > ticks[k].max_lat)
				ticks[k].max_lat = ws[i].ticks[k].max_lat;
		}
	}
	uint64_t failed = 0;
	for (int k = 0; k < K_FAILURES; k++)
		failed += t->kinds[k];
	getrusage(RUSAGE_SELF, &ru);
	printf("{\n  \"mode\": \"%s\", \"proto\": \"%s\", \"target\": \"%s\", \"connections\": %d, "
	       "\"threads\": %d,\n",
		mode_name[opt.mode], proto_name[opt.proto], opt.target, opt.conns, opt.threads);
	printf("  \"think_ms\": %.3f, \"rate_wanted\": %.1f, \"split_ms\": %.3f, \"t0_mono_s\": %.6f, "
	       "\"elapsed_s\": %.3f,\n",
		(double)opt.think / 1e6, opt.rate, (double)opt.split / 1e6, (double)t0 / 1e9, elapsed);
	printf("  \"attempts\": %" PRIu64 ", \"ok\": %" PRIu64 ", \"failed_total\": %" PRIu64
	       ", \"inflight_at_end\": %" PRIu64 ", \"accounting_exact\": %s,\n",
		t->attempts, t->ok, failed, t->inflight,
		t->attempts == t->ok + failed + t->inflight ? "true" : "false");
	printf("  \"ok_per_s\": %.1f, \"connects\": %" PRIu64 ", \"syn_resent\": %" PRIu64
	       ", \"bytes_tx\": %" PRIu64 ", \"bytes_rx\": %" PRIu64 ",\n",
		(double)t->ok / elapsed, t->connects, t->syn_resent, t->bytes_tx, t->bytes_rx);
	print_lat("latency_us", &t->lat);
	print_lat("connect_us", &t->conn_lat);
	printf("  \"failures\": {");
	for (int k = 0; k < K_FAILURES; k++)
		printf("%s\"%s\": %" PRIu64, k ? ", " : "", kind_name[k], t->kinds[k]);
	printf("},\n  \"closes\": {");
	for (int k = K_FAILURES; k < K_COUNT; k++)
		printf("%s\"%s\": %" PRIu64, k > K_FAILURES ? ", " : "", kind_name[k], t->kinds[k]);
	printf("},\n");
	if (opt.proto == P_HTTP)
		printf("  \"http_status\": {\"1xx\": %" PRIu64 ", \"2xx\": %" PRIu64 ", \"3xx\": %" PRIu64
		       ", \"4xx\": %" PRIu64 ", \"5xx\": %" PRIu64 "},\n",
			t->status[1], t->status[2], t->status[3], t->status[4], t->status[5]);
	if (opt.mode == M_HOLD)
		printf("  \"hold\": {\"opened\": %" PRIu64 ", \"alive_at_end\": %" PRIu64
		       ", \"lost\": %" PRIu64 ", \"lost_first_s\": %.3f, \"lost_last_s\": %.3f},\n",
			t->opened, t->alive_at_end, t->opened - t->alive_at_end, (double)t->lost_first / 1e9,
			(double)t->lost_last / 1e9);
	if (opt.mode == M_STREAM)
		printf("  \"stream\": {\"streams_opened\": %" PRIu64 ", \"streams_lost\": %" PRIu64
		       ", \"corrupt_streams\": %" PRIu64 ", \"bytes_in_flight_lost\": %" PRIu64
		       ", \"messages_least\": %" PRIu64 "},\n",
			t->connects, t->streams_lost, t->corrupt_streams, t->inflight_bytes_lost,
			t->messages_least);
	if (t->unix_eagain)
		printf("  \"unix_backlog_waits\": %" PRIu64 ",\n", t->unix_eagain);
	printf("  \"samples\": [");
	for (int i = 0, first = 1; i < opt.threads; i++)
		for (int k = 0; k < ws[i].s.nsamples; k++, first = 0) {
			struct sample *s = &ws[i].s.samples[k];
			printf("%s\n    {\"t\": %.4f, \"kind\": \"%s\", \"err\": %d, \"conn\": %d, \"req\": %" PRIu64
			       "}",
				first ? "" : ",", s->t, kind_name[s->kind], s->err, s->conn, s->reqno);
		}
	printf("],\n");
	if (opt.series) {
		int last = (int)(elapsed * 10) + 1;
		printf("  \"series_100ms\": [");
		for (int k = 0; k < last && k < nticks; k++)
			printf("%s[%u, %u, %u, %.0f]", k ? ", " : "", ticks[k].ok, ticks[k].failed,
				ticks[k].closed, (double)ticks[k].max_lat / 1e3);
		printf("],\n  \"series_columns\": [\"ok\", \"failed\", \"closed\", \"max_latency_us\"],\n");
	}
	printf("  \"client_stall_max_ms\": %.3f,\n", (double)t->stall_max / 1e6);
	printf("  \"client_cpu_s\": %.3f\n}\n",
		(double)ru.ru_utime.tv_sec + (double)ru.ru_stime.tv_sec +
			((double)ru.ru_utime.tv_usec + (double)ru.ru_stime.tv_usec) / 1e6);
	free(ticks);
	free(t);
}

static void
write_trace(const struct worker *ws)
{
	FILE *file = fopen(opt.trace_file, "we");

	if (!file)
		die("%s: %s", opt.trace_file, strerror(errno));
	for (int i = 0; i < opt.threads; i++)
		for (uint32_t k = 0; k < ws[i].ntraced; k++)
			fprintf(file, "%.6f %.1f\n", (double)ws[i].traced[k].at / 1e9,
				(double)ws[i].traced[k].latency / 1e3);
	if (fclose(file) != 0)
		die("%s: %s", opt.trace_file, strerror(errno));
}

/* ------------------------------------------------------------------- options */

static void
usage(void)
{
	puts("usage: hammer [-a HOST:PORT | -a [V6]:PORT | -u PATH] [options]\n"
	     "  --mode new|keepalive|hold|stream    (new)\n"
	     "  --proto http|echo|hello|fixed:TEXT  (http)\n"
	     "  -c N          connections (64)          -t N          threads (1)\n"
	     "  -d S          duration, seconds (5)     --requests N  stop after N attempts, then drain\n"
	     "  --think MS    mean pause between the requests of a connection, or (new) between two of them, +-50 % jitter\n"
	     "  --rate R      open loop: R attempts/s in all; latency counts from the intended start\n"
	     "  --timeout MS  whole reply (5000)        --connect-timeout MS (5000)\n"
	     "  --backoff MS  pause after a failed connect (10)      --drain MS (2000)\n"
	     "  --split MS    send half of the request, wait, send the rest\n"
	     "  --size N      echo/stream: bytes per message (64)    --depth N  stream: in flight (1)\n"
	     "  --path P --host H --expect TEXT         http: path, Host, required body\n"
	     "  --send TEXT   hello/fixed: what to send (\"hello\\r\\n\")\n"
	     "  --client-close  new+http: no \"Connection: close\", the client closes\n"
	     "  --period S    hold: one more request on each connection every S seconds (5)\n"
	     "  --ramp R      hold: connections opened per second (5000)\n"
	     "  --reconnect   hold: open lost connections again\n"
	     "  --sources N   use source addresses 127.0.0.1..N\n"
	     "  --ready-file F  hold: created when all connections are open\n"
	     "  --series      add the 100 ms time series\n"
	     "  --trace F     write a line for each answer: when it came, in s, and its latency, in us\n"
	     "  --samples N   record the first N failures per thread (8)   --seed N");
	exit(2);
}

static uint64_t
ms(const char *s)
{
	return (uint64_t)(atof(s) * 1e6);
}

static void
parse_target(const char *s)
{
	char host[128];
	const char *colon = strrchr(s, ':');
	if (!colon || (size_t)(colon - s) >= sizeof host)
		die("bad address '%s'", s);
	memcpy(host, s, (size_t)(colon - s));
	host[colon - s] = 0;
	snprintf(opt.target, sizeof opt.target, "%s", s);
	memset(&opt.addr, 0, sizeof opt.addr);
	if (host[0] == '[') {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)&opt.addr;
		host[strcspn(host, "]")] = 0;
		a->sin6_family = AF_INET6;
		a->sin6_port = htons((uint16_t)atoi(colon + 1));
		if (inet_pton(AF_INET6, host + 1, &a->sin6_addr) != 1)
			die("bad address '%s'", s);
		opt.addrlen = sizeof *a;
	} else {
		struct sockaddr_in *a = (struct sockaddr_in *)&opt.addr;
		a->sin_family = AF_INET;
		a->sin_port = htons((uint16_t)atoi(colon + 1));
		if (inet_pton(AF_INET, host, &a->sin_addr) != 1)
			die("bad address '%s'", s);
		opt.addrlen = sizeof *a;
	}
}

static void
parse_options(int argc, char **argv)
{
	enum {
		OPT_MODE = 256,
		OPT_PROTO,
		OPT_REQUESTS,
		OPT_THINK,
		OPT_RATE,
		OPT_TIMEOUT,
		OPT_CTIMEOUT,
		OPT_BACKOFF,
		OPT_DRAIN,
		OPT_SPLIT,
		OPT_SIZE,
		OPT_DEPTH,
		OPT_PATH,
		OPT_HOST,
		OPT_EXPECT,
		OPT_SEND,
		OPT_CCLOSE,
		OPT_PERIOD,
		OPT_RAMP,
		OPT_RECONNECT,
		OPT_SOURCES,
		OPT_READY,
		OPT_SERIES,
		OPT_TRACE,
		OPT_SAMPLES,
		OPT_SEED
	};
	static const struct option lo[] = { { "mode", 1, 0, OPT_MODE }, { "proto", 1, 0, OPT_PROTO },
		{ "requests", 1, 0, OPT_REQUESTS }, { "think", 1, 0, OPT_THINK }, { "rate", 1, 0, OPT_RATE },
		{ "timeout", 1, 0, OPT_TIMEOUT }, { "connect-timeout", 1, 0, OPT_CTIMEOUT },
		{ "backoff", 1, 0, OPT_BACKOFF }, { "drain", 1, 0, OPT_DRAIN }, { "split", 1, 0, OPT_SPLIT },
		{ "size", 1, 0, OPT_SIZE }, { "depth", 1, 0, OPT_DEPTH }, { "path", 1, 0, OPT_PATH },
		{ "host", 1, 0, OPT_HOST }, { "expect", 1, 0, OPT_EXPECT }, { "send", 1, 0, OPT_SEND },
		{ "client-close", 0, 0, OPT_CCLOSE }, { "period", 1, 0, OPT_PERIOD },
		{ "ramp", 1, 0, OPT_RAMP }, { "reconnect", 0, 0, OPT_RECONNECT },
		{ "sources", 1, 0, OPT_SOURCES }, { "ready-file", 1, 0, OPT_READY },
		{ "series", 0, 0, OPT_SERIES }, { "trace", 1, 0, OPT_TRACE },
		{ "samples", 1, 0, OPT_SAMPLES }, { "seed", 1, 0, OPT_SEED }, { "help", 0, 0, 'h' },
		{ 0, 0, 0, 0 } };
	int o;
	while ((o = getopt_long(argc, argv, "a:u:c:t:d:h", lo, NULL)) != -1) {
		switch (o) {
		case 'a':
			parse_target(optarg);
			break;
		case 'u': {
			struct sockaddr_un *a = (struct sockaddr_un *)&opt.addr;
			a->sun_family = AF_UNIX;
			if (strlen(optarg) >= sizeof a->sun_path)
				die("socket path too long");
			strcpy(a->sun_path, optarg);
			opt.addrlen = sizeof *a;
			snprintf(opt.target, sizeof opt.target, "unix:%s", optarg);
			break;
		}
		case 'c':
			opt.conns = atoi(optarg);
			break;
		case 't':
			opt.threads = atoi(optarg);
			break;
		case 'd':
			opt.duration = atof(optarg);
			break;
		case OPT_MODE:
			for (o = 0; o < 4 && strcmp(optarg, mode_name[o]); o++)
				;
			if (o == 4)
				die("unknown mode '%s'", optarg);
			opt.mode = (enum mode)o;
			break;
		case OPT_PROTO:
			if (!strcmp(optarg, "http"))
				opt.proto = P_HTTP;
			else if (!strcmp(optarg, "echo"))
				opt.proto = P_ECHO;
			else if (!strcmp(optarg, "hello")) {
				opt.proto = P_FIXED;
				opt.expect = "hello world";
			} else if (!strncmp(optarg, "fixed:", 6)) {
				opt.proto = P_FIXED;
				opt.expect = optarg + 6;
			} else
				die("unknown protocol '%s'", optarg);
			break;
		case OPT_REQUESTS:
			opt.requests = strtoull(optarg, NULL, 10);
			break;
		case OPT_THINK:
			opt.think = ms(optarg);
			break;
		case OPT_RATE:
			opt.rate = atof(optarg);
			break;
		case OPT_TIMEOUT:
			opt.timeout = ms(optarg);
			break;
		case OPT_CTIMEOUT:
			opt.conn_timeout = ms(optarg);
			break;
		case OPT_BACKOFF:
			opt.backoff = ms(optarg);
			break;
		case OPT_DRAIN:
			opt.drain = ms(optarg);
			break;
		case OPT_SPLIT:
			opt.split = ms(optarg);
			break;
		case OPT_SIZE:
			opt.size = strtoul(optarg, NULL, 10);
			break;
		case OPT_DEPTH:
			opt.depth = atoi(optarg);
			break;
		case OPT_PATH:
			opt.path = optarg;
			break;
		case OPT_HOST:
			opt.host = optarg;
			break;
		case OPT_EXPECT:
			opt.expect = optarg;
			break;
		case OPT_SEND:
			opt.send_text = optarg;
			break;
		case OPT_CCLOSE:
			opt.client_close = true;
			break;
		case OPT_PERIOD:
			opt.period = (uint64_t)(atof(optarg) * 1e9);
			break;
		case OPT_RAMP:
			opt.ramp = atof(optarg);
			break;
		case OPT_RECONNECT:
			opt.reconnect = true;
			break;
		case OPT_SOURCES:
			opt.sources = atoi(optarg);
			break;
		case OPT_READY:
			opt.ready_file = optarg;
			break;
		case OPT_SERIES:
			opt.series = true;
			break;
		case OPT_TRACE:
			opt.trace_file = optarg;
			break;
		case OPT_SAMPLES:
			opt.samples = atoi(optarg);
			break;
		case OPT_SEED:
			opt.seed = strtoull(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if (!opt.addrlen || optind != argc)
		usage();
	if (opt.mode == M_STREAM)
		opt.proto = P_ECHO;
	if (opt.conns < 1 || opt.threads < 1 || opt.depth < 1 || opt.size < 1 || opt.duration <= 0 ||
		opt.threads > opt.conns || opt.sources < 1 || opt.ramp <= 0)
		die("bad number among the options");
	if (opt.expect)
		opt.expect_len = strlen(opt.expect);
	if (opt.proto == P_FIXED) {
		req_buf = strdup(opt.send_text);
		req_len = strlen(req_buf);
	} else if (opt.proto == P_HTTP) {
		int n = asprintf(&req_buf, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: hammer\r\n%s\r\n",
			opt.path, opt.host,
			opt.mode == M_NEW && !opt.client_close ? "Connection: close\r\n" : "");
		req_len = n < 0 ? 0 : (size_t)n;
	}
}

int
main(int argc, char **argv)
{
	parse_options(argc, argv);
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_stop }, NULL);
	sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_stop }, NULL);

	struct rlimit rl;
	rlim_t want = (rlim_t)opt.conns + 64;
	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < want) {
		if (rl.rlim_max < want)
			rl.rlim_max = want; /* root may */
		rl.rlim_cur = want;
		if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
			die("cannot raise RLIMIT_NOFILE to %llu", (unsigned long long)want);
	}
	nticks = (int)((opt.duration + (double)(opt.drain + opt.timeout) / 1e9) * 10) + 20;

	struct worker *ws = calloc((size_t)opt.threads, sizeof *ws);
	if (!ws)
		die("out of memory");
	int id = 0;
	t0 = now_ns();
	for (int i = 0; i < opt.threads; i++) {
		struct worker *w = &ws[i];
		w->index = i;
		w->nconns = opt.conns / opt.threads + (i < opt.conns % opt.threads);
		w->conns = calloc((size_t)w->nconns, sizeof *w->conns);
		w->heap = calloc((size_t)w->nconns, sizeof *w->heap);
		w->ticks = calloc((size_t)nticks, sizeof *w->ticks);
		w->s.samples = calloc((size_t)opt.samples + 1, sizeof *w->s.samples);
		w->rng = mix64(opt.seed * 1000003u + (uint64_t)i);
		w->ep = epoll_create1(EPOLL_CLOEXEC);
		if (opt.requests)
			w->max_attempts = opt.requests / (uint64_t)opt.threads +
			                  ((uint64_t)i < opt.requests % (uint64_t)opt.threads);
		if (opt.trace_file && !(w->traced = calloc(TRACED_MAX, sizeof *w->traced)))
			die("out of memory");
		if (!w->conns || !w->heap || !w->ticks || !w->s.samples || w->ep < 0)
			die("out of memory");
		for (int k = 0; k < w->nconns; k++) {
			struct conn *c = &w->conns[k];
			c->fd = c->heap_pos = -1;
			c->id = id++;
			c->due = NEVER;
			if (opt.mode == M_STREAM && !(c->sent_at = calloc((size_t)opt.depth, 8)))
				die("out of memory");
		}
	}
	for (int i = 0; i < opt.threads; i++)
		if (pthread_create(&ws[i].tid, NULL, worker_main, &ws[i]))
			die("pthread_create failed");
	for (int i = 0; i < opt.threads; i++)
		pthread_join(ws[i].tid, NULL);
	double elapsed = (double)(now_ns() - t0) / 1e9;
	report(ws, elapsed);
	if (opt.trace_file)
		write_trace(ws);
	for (int i = 0; i < opt.threads; i++) {
		for (int k = 0; k < ws[i].nconns; k++)
			free(ws[i].conns[k].sent_at);
		free(ws[i].conns);
		free(ws[i].heap);
		free(ws[i].ticks);
		free(ws[i].traced);
		free(ws[i].s.samples);
		close(ws[i].ep);
	}
	free(ws);
	free(req_buf);
	return 0;
}
