/*
 * What a worker is told: lines on its control pipe, descriptors on its handoff channel, signals. None of it waits for an answer,
 * and none of it fails: what counts comes by another road, the deadline of its state or its end.
 */
#ifndef MASTER_WORKER_ORDERS_H
#define MASTER_WORKER_ORDERS_H

#include "master/worker.h"

/* How a hosted program is talked to; NULL: it is one of ours. */
const struct exec_options *worker_exec(const struct worker *worker);

void worker_signal(struct worker *worker, int sig);

/* To all of a hosted program's processes, as far as they have stayed in its group; the first of them, if there is no group yet. */
void worker_signal_all(struct worker *worker, int sig);

/* Drain, within so long from now on. */
void worker_tell_drain(struct worker *worker, uint64_t us);

/* The first time; a hosted program may be told by a signal, too. */
void worker_begin_drain(struct worker *worker);

void worker_tell_stop(struct worker *worker);

/* SIGKILL, or before that SIGABRT for one that hangs. */
void worker_strike(struct worker *worker);

/* All that one that is about to run should know of upstreams. */
void worker_tell_upstreams(struct worker *worker);

#endif
