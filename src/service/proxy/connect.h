/*
 * Connecting, without waiting for it.
 */
#ifndef SERVICE_PROXY_CONNECT_H
#define SERVICE_PROXY_CONNECT_H

#include "service/proxy/address.h"

#include <stdbool.h>

/*
 * Begins a connection. The descriptor (non-blocking, close-on-exec), *ret_connected: at once; otherwise it becomes writable, and
 * connect_result says how it went. Or negative errno; -EAGAIN: the queue of a UNIX socket is full.
 */
int connect_begin(const struct address *address, bool *ret_connected);

/* 0: it is connected; or negative errno. */
int connect_result(int fd);

/* Is this our own trouble (descriptors, memory, ports), which says nothing about the other side? */
bool connect_is_own_error(int error);

/* What a relayed connection's socket is to be like: small messages go at once, and dead peers are found. */
void connect_tune(int fd);

#endif
