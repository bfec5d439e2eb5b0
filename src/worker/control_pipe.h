/*
 * The master's voice: lines from the control pipe, and its end.
 */
#ifndef WORKER_CONTROL_PIPE_H
#define WORKER_CONTROL_PIPE_H

#include "ipc/counters.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct control_pipe;

struct control_handler {
	void (*on_drain)(uint64_t within_us, void *arg);
	void (*on_stop)(void *arg);
	/* The upstream of that name gets no new connections any more, or again. */
	void (*on_upstream)(const char *name, bool is_drained, void *arg);
	/* What other workers know of the upstream of that name. */
	void (*on_health)(const char *name, const struct upstream_health *health, void *arg);
	/* What the name of that upstream is known to mean: numeric addresses, with a blank between them. */
	void (*on_addresses)(const char *name, const char *addresses, void *arg);
	/*
	 * The pipe has ended, or what came from it was no message: nothing will come from it any
	 * more. Called at most once.
	 */
	void (*on_end)(void *arg);
};

/*
 * Listens to `fd`, a non-blocking pipe that stays the caller's, at the highest priority of `base`.
 * NULL: no memory.
 */
struct control_pipe *control_pipe_new(
	struct event_base *base, int fd, const struct control_handler *handler, void *arg);

/* Takes what is in the pipe already, as from the event loop. */
void control_pipe_read(struct control_pipe *pipe);

/* NULL is fine. Not from within a handler. */
void control_pipe_free(struct control_pipe *pipe);

#endif
