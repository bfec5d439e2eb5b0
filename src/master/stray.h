/*
 * Children that nobody waits for: what hosted programs have left behind, and what the image before this one has left behind: a check that it had given up and killed, but not reaped yet.
 */
#ifndef MASTER_STRAY_H
#define MASTER_STRAY_H

#include "base/clock.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct stray;

LIST_HEAD(stray_list, stray);

/* Finds all children but those that are known, and reaps each when it ends. What can't be found stays a zombie until we end. */
void stray_find(
	struct stray_list *list, struct event_base *base, bool (*is_known)(pid_t pid, void *arg), void *arg);

/*
 * Reaps those that the master was given when their parent, a hosted program, had ended before them: they are of another session. Where all
 * other children that have ended are reaped already this costs as much as the kernel takes to pass by those that live: so it waits a little
 * after an end, as a roll has as many ends as workers.
 */
#define STRAY_REAP_DELAY_US (100 * US_PER_MS)
void stray_reap_adopted(bool (*is_known)(pid_t pid, void *arg), void *arg);

/*
 * Ends those that still live, and the children that come to us as they end. Blocks until all have gone, but for STRAY_KILL_TIMEOUT_US at
 * most: for a master that has nothing else to do.
 */
#define STRAY_KILL_TIMEOUT_US (200 * US_PER_MS)
void stray_kill_adopted(bool (*is_known)(pid_t pid, void *arg), void *arg);

/* Forgets them. */
void stray_done(struct stray_list *list);

#endif
