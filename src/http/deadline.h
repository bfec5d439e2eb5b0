/*
 * Deadlines of many connections over one timer.
 *
 * Those with the same timeout stand in one list, in the order in which they were set, which is that in which they
 * expire. So to set one is to move it to the end of its list, and the timer is only set anew when the first of all
 * comes sooner than it.
 *
 * One that comes earlier than that, since it was set by another process, would be out of order there. It stands in a wheel: a
 * list for each 64th of the timeout, which it comes earlier by at the most; never later.
 */
#ifndef HTTP_DEADLINE_H
#define HTTP_DEADLINE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define HTTP_DEADLINE_LISTS 9
#define HTTP_DEADLINE_STEPS 64
/* The steps from now to the end of a timeout, with those that both are in, and one that may be over but not served. */
#define HTTP_DEADLINE_WHEEL (HTTP_DEADLINE_STEPS + 2)

struct http_deadline;

TAILQ_HEAD(http_deadline_list, http_deadline);

/* All zero: not set. */
struct http_deadline {
	TAILQ_ENTRY(http_deadline) link;
	uint64_t at_us;                /* clock_now_us; 0: not set */
	struct http_deadline_list *in; /* if it is set */
	bool early;                    /* that is one of a wheel */
};

struct http_deadlines {
	struct event timer;
	uint64_t armed_us; /* when the timer fires; 0: it doesn't. Never later than the first deadline */
	uint64_t timeout_us[HTTP_DEADLINE_LISTS]; /* 0: deadlines of this list never come */
	struct http_deadline_list lists[HTTP_DEADLINE_LISTS];
	struct http_deadline_list wheels[HTTP_DEADLINE_LISTS][HTTP_DEADLINE_WHEEL];
	size_t n_early;                                     /* in wheels */
	void (*on_expired)(struct http_deadline *deadline); /* it isn't set any more */
};

/* 0, or negative errno. timeout_us is to be filled in before a deadline is set. */
int http_deadlines_init(struct http_deadlines *deadlines, struct event_base *base,
	void (*on_expired)(struct http_deadline *deadline));

/* None may be set any more. */
void http_deadlines_done(struct http_deadlines *deadlines);

/* Sets it anew, into this list. Never fails: without memory for the timer, it comes late. */
void http_deadlines_set(struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list);

/* The same, but it comes at `at_us`, if that is earlier, or sooner by up to a HTTP_DEADLINE_STEPS-th of the timeout. */
void http_deadlines_set_at(
	struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list, uint64_t at_us);

/* It isn't set any more. */
void http_deadlines_unset(struct http_deadlines *deadlines, struct http_deadline *deadline);

#endif
