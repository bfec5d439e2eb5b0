/*
 * What of the log has to wait: records in their order, copied, up to a bound.
 */
#ifndef BASE_LOG_BACKLOG_H
#define BASE_LOG_BACKLOG_H

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct log_waiting; /* one of them */

struct log_backlog {
	STAILQ_HEAD(, log_waiting) waiting;
	size_t bytes; /* that they take, LOG_BACKLOG_MAX at most */
};

#define LOG_BACKLOG_INITIALIZER(backlog)                              \
	{                                                             \
		.waiting = STAILQ_HEAD_INITIALIZER((backlog).waiting) \
	}

/* Copies the record, all but its program's name, to the end. 0; -ENOBUFS: it would be over the bound; or -ENOMEM. */
int log_backlog_add(struct log_backlog *backlog, const struct log_record *record);

/* The one that waits longest, which is valid until it is dropped; NULL: none does. */
const struct log_record *log_backlog_first(const struct log_backlog *backlog);

/* Forgets the first, which must be there. */
void log_backlog_drop(struct log_backlog *backlog);

#endif
