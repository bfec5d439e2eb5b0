/*
 * The log: levels, one line a record, and stderr as the sink that is always there.
 */
#include "base/log.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log_backlog.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Between two offers at the end: shorter while the sink takes something. */
enum { FINISH_PAUSE_MS = 5, FINISH_SHORT_PAUSE_MS = 1 };

static struct {
	const char *program;
	int level;
	log_sink *sink;
	void *arg;
	log_observer *observer;
	void *observer_arg;
	log_waiter *waiter;
	void *waiter_arg;
	struct log_backlog backlog; /* older than any record that is made now */
	bool was_full;              /* and has not been half empty since */
	int refusal;                /* why it waits: -EAGAIN or -ENOTCONN, see log_sink */
	unsigned long lost;         /* records, since the last that waits; not told yet */
} the_log = { .program = "", .level = LOG_INFO, .backlog = LOG_BACKLOG_INITIALIZER(the_log.backlog) };

static const struct {
	int level;
	const char *name;
} levels[] = {
	{ LOG_ERR, "error" },
	{ LOG_WARNING, "warning" },
	{ LOG_NOTICE, "notice" },
	{ LOG_INFO, "info" },
	{ LOG_DEBUG, "debug" },
};

void
log_init(const char *program, int level)
{
	the_log.program = program;
	the_log.level = level;
}

void
log_set_level(int level)
{
	the_log.level = level;
}

int
log_level(void)
{
	return the_log.level;
}

void
log_set_sink(log_sink *sink, void *arg)
{
	the_log.sink = sink;
	the_log.arg = arg;
}

void
log_set_observer(log_observer *observer, void *arg)
{
	the_log.observer = observer;
	the_log.observer_arg = arg;
}

bool
log_is_wanted(int level)
{
	return level <= the_log.level || (the_log.observer && level <= LOG_INFO);
}

int
log_level_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(levels[i].name, name) == 0)
			return levels[i].level;
	return -1;
}

const char *
log_level_name(int level)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "log";
}

/*
 * "2026-01-01 12:00:00.123 gracefuld[811] info: text". A pipe that is ready takes a line of up to PIPE_BUF
 * bytes whole, so after the poll the write neither blocks nor mixes with what workers write to the same pipe.
 */
static int
write_stderr(const struct log_record *record)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	const time_t seconds = (time_t)(record->wall_us / US_PER_SEC);
	char line[LOG_TEXT_MAX + 128], stamp[32];
	struct tm tm;
	int n;

	if (poll(&ready, 1, 0) != 1)
		return -EAGAIN;
	if (ready.revents & POLLNVAL)
		return -EBADF;
	if (ready.revents &
		(POLLERR | POLLHUP)) /* the reader is gone; a full pipe would be "not ready" for ever */
		return -EPIPE;
	if (!(ready.revents & POLLOUT))
		return -EAGAIN;
	localtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%F %T", &tm);
	n = snprintf(line, sizeof(line), "%s.%03u %s[%d] %s: %s\n", stamp,
		(unsigned)(record->wall_us / US_PER_MS % 1000), record->program, (int)getpid(),
		log_level_name(record->level), record->text);
	if (n < 0 || (size_t)n >= sizeof(line))
		return -EMSGSIZE;
	return write(STDERR_FILENO, line, (size_t)n) < 0 ? -errno : 0;
}

/* -EAGAIN if it may wait, whyever it has to. */
static int
send_record(const struct log_record *record)
{
	int r = the_log.sink ? the_log.sink(record, the_log.arg) : write_stderr(record);

	if (r != -EAGAIN && r != -ENOTCONN)
		return r;
	the_log.refusal = r;
	return -EAGAIN;
}

/* ---- what waits ---- */

typedef int send_fn(const struct log_record *record);

/* How many were lost. It becomes 0 when that is told; negative errno: it could not be. */
static int
tell_loss(send_fn *send, unsigned long *lost, uint64_t wall_us)
{
	char text[80];
	const struct log_record loss = { wall_us, LOG_WARNING, the_log.program, text, NULL, 0 };
	int r;

	if (*lost == 0)
		return 0;
	snprintf(text, sizeof(text), "%lu log messages were lost: nobody took them", *lost);
	r = send(&loss);
	if (r == 0)
		*lost = 0;
	return r;
}

/* The first of those that wait is sent, or lost. -EAGAIN: it still waits. */
static int
flush_first(send_fn *send, struct log_waiting *first)
{
	int r = tell_loss(send, &first->lost, first->record.wall_us);

	if (r != -EAGAIN)
		r = send(&first->record);
	if (r == -EAGAIN)
		return r;
	the_log.lost += first->lost + (r < 0);
	log_backlog_drop(&the_log.backlog);
	return 0;
}

static enum log_flushed
flush_to(send_fn *send)
{
	enum log_flushed flushed = LOG_FLUSHED_NONE;
	struct log_waiting *first;

	while ((first = log_backlog_first(&the_log.backlog))) {
		if (flush_first(send, first) == -EAGAIN)
			return flushed;
		flushed = LOG_FLUSHED_SOME;
	}
	if (the_log.lost > 0 && tell_loss(send, &the_log.lost, clock_wall_us()) == -EAGAIN)
		return flushed;
	return LOG_FLUSHED_ALL;
}

enum log_flushed
log_flush(void)
{
	return flush_to(send_record);
}

/*
 * Behind what waits. Negative errno: there is no room. Then nothing is kept until there is much of it again: else a sink that is always late
 * would hear of losses more than of anything else.
 */
static int
keep_record(const struct log_record *record)
{
	const bool is_first = !log_backlog_first(&the_log.backlog);
	int r;

	if (the_log.was_full && the_log.backlog.bytes > LOG_BACKLOG_MAX / 2)
		return -ENOBUFS;
	r = log_backlog_add(&the_log.backlog, record, the_log.lost);
	the_log.was_full = r < 0;
	if (r < 0)
		return r;
	the_log.lost = 0;
	if (is_first && the_log.waiter)
		the_log.waiter(the_log.waiter_arg);
	return 0;
}

/* Negative errno; -EAGAIN: it may be kept, or offered again. */
static int
offer_record(const struct log_record *record)
{
	return log_flush() == LOG_FLUSHED_ALL ? send_record(record) : -EAGAIN;
}

void
log_set_waiter(log_waiter *waiter, void *arg)
{
	the_log.waiter = waiter;
	the_log.waiter_arg = arg;
	if (waiter && log_backlog_first(&the_log.backlog))
		waiter(arg);
}

/* What the sink will not have is for those who read stderr. */
static void
give_up_on_sink(void)
{
	struct log_waiting *first;

	flush_to(write_stderr);
	while ((first = log_backlog_first(&the_log.backlog))) {
		the_log.lost += first->lost + 1;
		log_backlog_drop(&the_log.backlog);
	}
	tell_loss(write_stderr, &the_log.lost, clock_wall_us());
}

void
log_finish(uint64_t max_us)
{
	const uint64_t end_us = clock_now_us() + max_us;
	enum log_flushed flushed;

	while ((flushed = log_flush()) != LOG_FLUSHED_ALL && clock_now_us() < end_us)
		poll(NULL, 0, flushed == LOG_FLUSHED_SOME ? FINISH_SHORT_PAUSE_MS : FINISH_PAUSE_MS);
	if (log_backlog_first(&the_log.backlog) || the_log.lost > 0)
		give_up_on_sink();
}

unsigned long
log_lost(void)
{
	return the_log.lost;
}

void
log_add_lost(unsigned long n)
{
	the_log.lost += n;
}

/* ---- what is said ---- */

/* UTF-8 may pass; what would break the line or play with the terminal may not. */
static void
clean_text(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
}

static void __attribute__((format(printf, 4, 0)))
log_v(int level, const char *const *fields, size_t n_fields, const char *fmt, va_list ap)
{
	char text[LOG_TEXT_MAX];
	struct log_record record = { 0, level, the_log.program, text, fields, n_fields };
	int saved = errno, n, r;

	if (!log_is_wanted(level))
		return;
	record.wall_us = clock_wall_us();
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		memcpy(text + sizeof(text) - sizeof("..."), "...", sizeof("..."));
	clean_text(text);
	if (the_log.observer && level <= LOG_INFO)
		the_log.observer(&record, the_log.observer_arg);
	if (level <= the_log.level) {
		r = offer_record(&record);
		the_log.lost += (r == -EAGAIN ? keep_record(&record) : r) < 0;
	}
	errno = saved;
}

int
log_offer(int level, const char *const *fields, size_t n_fields, const char *text)
{
	char clean[LOG_TEXT_MAX];
	struct log_record record = { 0, level, the_log.program, clean, fields, n_fields };
	int r;

	if (level > the_log.level)
		return 0;
	record.wall_us = clock_wall_us();
	snprintf(clean, sizeof(clean), "%s", text);
	clean_text(clean);
	r = offer_record(&record);
	if (r == -EAGAIN && the_log.refusal == -EAGAIN)
		return r;
	if (r == -EAGAIN && the_log.backlog.bytes < LOG_BACKLOG_MAX / 2) /* the rest is for us */
		r = keep_record(&record);
	the_log.lost += r < 0;
	return 0;
}

void
log_msg(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_v(level, NULL, 0, fmt, ap);
	va_end(ap);
}

void
log_fields(int level, const char *const *fields, size_t n_fields, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_v(level, fields, n_fields, fmt, ap);
	va_end(ap);
}
