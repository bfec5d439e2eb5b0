/*
 * The log. One per process, as stderr is: so this module has state of its own.
 *
 * A record is one line of text, a level of syslog(3) and fields NAME=VALUE for those who filter (the
 * journal). Where it goes is a sink's business: stderr by default, systemd's journal when
 * src/systemd/journal.c installs itself. A sink that is late loses nothing, up to a bound, and delays nobody.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#define LOG_TEXT_MAX 2048 /* bytes; a longer text is cut and ends in "..." */

/* Bytes that may wait for the sink: some 600 events of a roll, with their fields. */
#define LOG_BACKLOG_MAX (256 * 1024)

struct log_record {
	uint64_t wall_us;          /* when it was made, see clock_wall_us */
	int level;                 /* LOG_ERR … LOG_DEBUG */
	const char *program;       /* who speaks, as given to log_init */
	const char *text;          /* one line, without newline; control characters have become '?' */
	const char *const *fields; /* "NAME=VALUE" each */
	size_t n_fields;
};

/*
 * Takes one record away. Must not block and must not log. Returns 0; -EAGAIN, not now, or -ENOTCONN, there is nobody at present: it waits and
 * is offered again; or another negative errno when the record is lost.
 */
typedef int log_sink(const struct log_record *record, void *arg);

/*
 * Who speaks, and up to which level; until then nobody is named and the level is LOG_INFO. `program` must
 * stay.
 */
void log_init(const char *program, int level);

/* Records above this level are not made. */
void log_set_level(int level);
int log_level(void);

/*
 * All records go to `sink` from now on, those that wait too; NULL: to stderr. It is never waited for: what it does not take at once is kept,
 * in its order and up to LOG_BACKLOG_MAX, and offered again before each later record and by log_flush. What is more than that is lost and
 * counted.
 */
void log_set_sink(log_sink *sink, void *arg);

/* What became of the records that waited. */
enum log_flushed {
	LOG_FLUSHED_ALL, /* none waits */
	LOG_FLUSHED_SOME,
	LOG_FLUSHED_NONE,
};

/* Offers the sink what waits. */
enum log_flushed log_flush(void);

/*
 * Told when records begin to wait, and at once if some do; so that someone calls log_flush (see log_pump.h). One at a time; NULL: nobody. It
 * must not log.
 */
typedef void log_waiter(void *arg);
void log_set_waiter(log_waiter *waiter, void *arg);

/*
 * Before the process ends, or becomes another program: waits until the sink has taken all, or `max_us`. The rest, and a loss that could not be
 * told, goes to stderr, as far as that takes it at once.
 */
void log_finish(uint64_t max_us);

/* After log_finish: how many were lost that no line has told of. */
unsigned long log_lost(void);

/* So many have been lost before, by another image of this process. */
void log_add_lost(unsigned long n);

/* Sees every record up to LOG_INFO, whatever the level of the log is. */
typedef void log_observer(const struct log_record *record, void *arg);

/* One at a time; NULL: nobody. It must not log. */
void log_set_observer(log_observer *observer, void *arg);

/* Would a record of this level be seen by anybody? */
bool log_is_wanted(int level);

/* "error", "warning", "notice", "info", "debug" to the level, or -1. */
int log_level_from_name(const char *name);
const char *log_level_name(int level);

/* Logs one line. */
void log_msg(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with fields, "NAME=VALUE" each. */
void log_fields(int level, const char *const *fields, size_t n_fields, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * The same for what can wait elsewhere, without observers: whoever gets -EAGAIN may offer it again, nothing is kept or counted as lost. 0: it
 * was taken, is not wanted, or was lost for another reason and counted. When there is nobody to take it, who may never come, it is kept, or lost
 * if half of LOG_BACKLOG_MAX is taken.
 */
int log_offer(int level, const char *const *fields, size_t n_fields, const char *text);

#define log_error(...)   log_msg(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_msg(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
