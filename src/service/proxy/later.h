/*
 * What is due for each of many after a while, and not at all for those that have gone by then. One timer, and no system call, for all of
 * them; so it is not exact: after one to two periods.
 */
#ifndef SERVICE_PROXY_LATER_H
#define SERVICE_PROXY_LATER_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* All zero: nothing is due. */
struct later_entry {
	LIST_ENTRY(later_entry) entry;
};

LIST_HEAD(later_list, later_entry);

/* Nothing is due for the entry any more when it is called. It may free whom that belongs to. */
typedef void later_fn(struct later_entry *entry);

struct later {
	struct later_list young[2]; /* those that have come in this period, and in the one before */
	unsigned now;               /* which of them is this one's */
	uint64_t period_us;
	struct event *timer; /* pending: one of them is not empty */
	later_fn *fn;
};

/* 0, or -ENOMEM. later_done is due in both cases, and when it is all zero. */
int later_init(struct later *later, struct event_base *base, uint64_t period_us, later_fn *fn);
void later_done(struct later *later);

/* Begins, if it has not begun already. */
void later_begin(struct later *later, struct later_entry *entry);
void later_end(struct later_entry *entry);

/* Whom an entry belongs to. */
#define later_owner(of, type, member) ((type *)(void *)((char *)(of)-offsetof(type, member)))

#endif
