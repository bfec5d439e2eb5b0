/*
 * What a worker says: lines on its status pipe; a hosted program perhaps by sd_notify, by being seen to accept, or by being alive.
 */
#ifndef MASTER_WORKER_WORDS_H
#define MASTER_WORKER_WORDS_H

#include "master/worker.h"

/* Reads once, and does what the lines say. It may be in another state afterwards. */
enum line_reader_result worker_read_status(struct worker *worker);

/* event: the status pipe. `arg` is the worker, here and below. */
void worker_on_status(evutil_socket_t fd, short what, void *arg);

/* event: still alive a while after its status pipe was closed */
void worker_on_eof_grace(evutil_socket_t fd, short what, void *arg);

/* How `hosted` tells what a hosted program says. */
struct hosted_host worker_hosted_host(struct worker *worker);

#endif
