/*
 * What of the log has to wait: records in their order, copied, up to a bound.
 */
#ifndef BASE_LOG_BACKLOG_H
#define BASE_LOG_BACKLOG_H

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct log_waiting {
	STAILQ_ENTRY(log_waiting) link;
	size_t size;        /* of this block of memory, where all of the record is but its program's name */
	unsigned long lost; /* records before this one: to be told first */
	struct log_record record;
	const char *fields[];
};

struct log_backlog {
	STAILQ_HEAD(, log_waiting) waiting;
	size_t bytes; /* that they take, LOG_BACKLOG_MAX at most */
};

#define LOG_BACKLOG_INITIALIZER(backlog)                              \
	{                                                             \
		.waiting = STAILQ_HEAD_INITIALIZER((backlog).waiting) \
	}

/* Copies the record to the end, before which so many were lost. 0; -ENOBUFS: it would be over the bound; or -ENOMEM. */
int log_backlog_add(struct log_backlog *backlog, const struct log_record *record, unsigned long lost);

/* The one that waits longest, which is valid until it is dropped; NULL: none does. */
struct log_waiting *log_backlog_first(const struct log_backlog *backlog);

/* Forgets the first, which must be there. */
void log_backlog_drop(struct log_backlog *backlog);

#endif
