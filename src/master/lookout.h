/*
 * Learns when a hosted program accepts connections: asks `gracefuld-worker --accepting`, a process of the program's account, which waits
 * until it does.
 */
#ifndef MASTER_LOOKOUT_H
#define MASTER_LOOKOUT_H

#include "master/identity.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct lookout;

/* Once: it does; or, with false, nobody can tell. The lookout may be freed in it. */
typedef void lookout_fn(bool accepts, void *arg);

/* Looks at the session of that process, and the listening socket with that inode. NULL with errno set. */
struct lookout *lookout_start(struct event_base *base, const char *program, const struct identity *identity,
	pid_t session, uint64_t inode, lookout_fn *on_found, void *arg);

/* Ends it. NULL is fine. */
void lookout_free(struct lookout *lookout);

#endif
