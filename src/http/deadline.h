/*
 * Deadlines of many connections over one timer.
 *
 * Those with the same timeout stand in one list, in the order in which they were set, which is that in which they
 * expire. So to set one is to move it to the end of its list, and the timer is only set anew when the first of all
 * comes sooner than it.
 */
#ifndef HTTP_DEADLINE_H
#define HTTP_DEADLINE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdint.h>
#include <sys/queue.h>

#define HTTP_DEADLINE_LISTS 9

struct http_deadline_timer;

/* All zero: not set. */
struct http_deadline {
	TAILQ_ENTRY(http_deadline) link;
	uint64_t at_us;                    /* clock_now_us; 0: not set */
	unsigned list;                     /* the one it is in, if it is set */
	struct http_deadline_timer *timer; /* or this, if it is out of all order */
};

TAILQ_HEAD(http_deadline_list, http_deadline);

struct http_deadlines {
	struct event timer;
	uint64_t armed_us; /* when the timer fires; 0: it doesn't. Never later than the first deadline */
	uint64_t timeout_us[HTTP_DEADLINE_LISTS]; /* 0: deadlines of this list never come */
	struct http_deadline_list lists[HTTP_DEADLINE_LISTS];
	void (*on_expired)(struct http_deadline *deadline); /* it isn't set any more */
};

/* 0, or negative errno. timeout_us is to be filled in before a deadline is set. */
int http_deadlines_init(struct http_deadlines *deadlines, struct event_base *base,
	void (*on_expired)(struct http_deadline *deadline));

/* None may be set any more. */
void http_deadlines_done(struct http_deadlines *deadlines);

/* Sets it anew, into this list. Never fails: without memory for the timer, it comes late. */
void http_deadlines_set(struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list);

/*
 * The same, but it comes at `at_us`, if that is earlier. It has a timer of its own then, as it would be out of order
 * in its list; so this is for few, or not for long. Without memory for that, it comes when all others of its list do.
 */
void http_deadlines_set_at(
	struct http_deadlines *deadlines, struct http_deadline *deadline, unsigned list, uint64_t at_us);

/* It isn't set any more. */
void http_deadlines_unset(struct http_deadlines *deadlines, struct http_deadline *deadline);

#endif
