/*
 * A worker process of the built-in services: serves until it is told to drain or to stop, or until
 * its master has gone.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

/*
 * Runs the worker under the contract (ipc/contract.h), from reading the environment to the last
 * message, and returns the exit status (sysexits.h). `version` is told to the master. What goes
 * wrong is logged, and told to the master as `failed`.
 */
int worker_run(const char *version);

#endif
