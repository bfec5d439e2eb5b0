/*
 * The events of a worker: its words, its end, its time.
 */
#ifndef MASTER_WORKER_WATCH_H
#define MASTER_WORKER_WATCH_H

#include "master/worker.h"

/*
 * Makes them, and waits for its words and its end. 0, or negative errno. The last step of a start, so that what fails before leaves
 * nothing to undo but memory.
 */
int worker_watch(struct worker *worker);

#endif
