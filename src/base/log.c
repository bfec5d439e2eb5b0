/*
 * The log: levels, one line a record, and stderr as the sink that is always there.
 */
#include "base/log.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	const char *program;
	int level;
	log_sink *sink;
	void *arg;
	log_observer *observer;
	void *observer_arg;
	unsigned long lost; /* records that the sink could not take, since the last that it took */
} the_log = { .program = "", .level = LOG_INFO };

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
	char line[LOG_TEXT_MAX + 128], stamp[32];
	struct timespec now;
	struct tm tm;
	int n;

	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
		return -EAGAIN;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%F %T", &tm);
	n = snprintf(line, sizeof(line), "%s.%03d %s[%d] %s: %s\n", stamp, (int)(now.tv_nsec / 1000000),
		record->program, (int)getpid(), log_level_name(record->level), record->text);
	if (n < 0 || (size_t)n >= sizeof(line))
		return -EMSGSIZE;
	return write(STDERR_FILENO, line, (size_t)n) < 0 ? -errno : 0;
}

static int
send_record(const struct log_record *record)
{
	if (the_log.sink)
		return the_log.sink(record, the_log.arg);
	return write_stderr(record);
}

static void
send_loss(void)
{
	char text[80];
	struct log_record loss = { LOG_WARNING, the_log.program, text, NULL, 0 };

	snprintf(text, sizeof(text), "%lu log messages were lost: nobody took them", the_log.lost);
	if (send_record(&loss) == 0)
		the_log.lost = 0;
}

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
	struct log_record record = { level, the_log.program, text, fields, n_fields };
	int saved = errno, n;

	if (!log_is_wanted(level))
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		memcpy(text + sizeof(text) - sizeof("..."), "...", sizeof("..."));
	clean_text(text);
	if (the_log.observer && level <= LOG_INFO)
		the_log.observer(&record, the_log.observer_arg);
	if (level <= the_log.level) {
		if (the_log.lost > 0)
			send_loss();
		if (send_record(&record) < 0)
			the_log.lost++;
	}
	errno = saved;
}

int
log_offer(int level, const char *const *fields, size_t n_fields, const char *text)
{
	char clean[LOG_TEXT_MAX];
	const struct log_record record = { level, the_log.program, clean, fields, n_fields };
	int r;

	if (level > the_log.level)
		return 0;
	snprintf(clean, sizeof(clean), "%s", text);
	clean_text(clean);
	if (the_log.lost > 0)
		send_loss();
	r = send_record(&record);
	if (r == -EAGAIN)
		return r;
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
