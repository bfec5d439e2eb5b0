/*
 * The master's event loop: what matters more goes first.
 */
#ifndef MASTER_LOOP_H
#define MASTER_LOOP_H

#include <event2/event.h>
#include <signal.h>

/*
 * What must not wait, and the clients of the control socket, who may: between any two of their events the loop looks for what
 * has come of the other kind. The default, of every event that says nothing, is that of the workers, signals and timers.
 */
enum loop_priority {
	LOOP_PRIORITY_FIRST, /* unused, so that the middle is the default */
	LOOP_PRIORITY_DEFAULT,
	LOOP_PRIORITY_CLIENTS,
	LOOP_PRIORITIES,
};

/* NULL with errno set. */
struct event_base *loop_new(void);

/*
 * Waits for the end of a child, by its pidfd. By edges: of one that has ended in a debugger the pidfd stays readable, but nobody
 * can reap it until the debugger lets go, of which the kernel tells once more. NULL: no memory.
 */
struct event *loop_on_end(struct event_base *base, int pidfd, event_callback_fn on_end, void *arg);

/*
 * Reaps it then: an interrupted call is made again, since the edge comes but once. 0, with ret->si_pid == 0 if it can't be reaped yet; or
 * negative errno.
 */
int loop_reap(int pidfd, siginfo_t *ret);

#endif
