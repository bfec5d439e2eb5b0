/*
 * The configuration as a worker gets it: the text in a descriptor, checked together with the
 * service's own options.
 */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include "config/config.h"
#include "config/problem.h"

/*
 * Reads and checks. 0 with *ret; or negative errno (-EINVAL: the configuration is wrong), with the
 * reasons in `problems`.
 */
int settings_load(int fd, struct config **ret, struct problems *problems);

/*
 * `gracefuld-worker --check`: checks the configuration that GRACEFULD_CONFIG_FD names, and prints
 * every problem as a line on standard output. The exit status: 0, EX_CONFIG, or what else went
 * wrong (sysexits.h).
 */
int settings_check(void);

#endif
