/*
 * The worker's voice: lines to the master, on a pipe that may be full because the master is busy. A
 * worker never waits for it.
 */
#ifndef WORKER_STATUS_PIPE_H
#define WORKER_STATUS_PIPE_H

#include "ipc/message.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct status_pipe;

/*
 * Speaks on `fd`, a non-blocking pipe that stays the caller's, and waits for room on `base`, at its
 * highest priority. NULL: no memory.
 */
struct status_pipe *status_pipe_new(struct event_base *base, int fd);

/* What was not sent is lost. NULL is fine. */
void status_pipe_free(struct status_pipe *pipe);

/*
 * Messages that the master must get are kept while the pipe is full, and sent in their order as it
 * takes them. `alive` and `status` are dropped then: the next one says the same. What fails because
 * the master has gone is dropped in silence: the end of the control pipe tells that.
 */
void status_pipe_hello(struct status_pipe *pipe, const char *name, const char *version);
void status_pipe_ready(struct status_pipe *pipe);
void status_pipe_alive(struct status_pipe *pipe);
void status_pipe_failed(struct status_pipe *pipe, const char *text);
void status_pipe_resolved(struct status_pipe *pipe, size_t number, const char *addresses);
void status_pipe_upstream(struct status_pipe *pipe, size_t number, const char *name);
void status_pipe_stranded(struct status_pipe *pipe);
void status_pipe_drained(struct status_pipe *pipe, uint64_t finished, uint64_t handed, uint64_t cut);

/* Calls `fn` once nothing is kept any more, at once when that is so already. */
void status_pipe_when_empty(struct status_pipe *pipe, void (*fn)(void *arg), void *arg);

#endif
