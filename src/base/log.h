/*
 * The log. One per process, as stderr is: this is the only module with state of its own, which log_init sets
 * once.
 *
 * A record is one line of text, a level of syslog(3) and fields NAME=VALUE for those who filter (the
 * journal). Where it goes is a sink's business: stderr by default, systemd's journal when
 * src/systemd/journal.c installs itself.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

#define LOG_TEXT_MAX 2048 /* a longer text is cut and ends in "..." */

struct log_record {
	int level;                 /* LOG_ERR … LOG_DEBUG */
	const char *program;       /* who speaks, as given to log_init */
	const char *text;          /* one line, without newline; control characters have become '?' */
	const char *const *fields; /* "NAME=VALUE" each */
	size_t n_fields;
};

/*
 * Takes one record away. Must not block and must not log. Returns 0, or negative errno when the record was
 * lost.
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
 * All records go to `sink` from now on; NULL: to stderr, which is never waited for: what it can't take at
 * once is lost and counted.
 */
void log_set_sink(log_sink *sink, void *arg);

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
 * The same for what can wait, without observers: whoever gets -EAGAIN may offer it again, nothing is counted as lost. 0: it was taken,
 * is not wanted, or was lost for another reason and counted.
 */
int log_offer(int level, const char *const *fields, size_t n_fields, const char *text);

#define log_error(...)   log_msg(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_msg(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_msg(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
