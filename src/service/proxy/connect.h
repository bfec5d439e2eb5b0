/*
 * Connecting, without waiting for it.
 */
#ifndef SERVICE_PROXY_CONNECT_H
#define SERVICE_PROXY_CONNECT_H

#include "service/proxy/address.h"

#include <stdbool.h>

/*
 * Could a connection to it be one to itself? A port that nobody listens on can, by chance, be the one that the kernel chooses for our end:
 * TCP takes the two for each other's peers, and it would be an echo. Only ports can that the kernel chooses from.
 */
bool connect_may_meet_itself(const struct address *address);

/*
 * Begins a connection. The descriptor (non-blocking, close-on-exec), *ret_connected: at once; otherwise it becomes writable, and
 * connect_result says how it went. Or negative errno; -EAGAIN: the queue of a UNIX socket is full. `may_meet_itself` as above, or
 * true where that is not known.
 */
int connect_begin(const struct address *address, bool may_meet_itself, bool *ret_connected);

/* 0: it is connected; or negative errno. */
int connect_result(int fd, bool may_meet_itself);

/* Is this our own trouble (descriptors, memory, ports), which says nothing about the other side? */
bool connect_is_own_error(int error);

/* From now on small messages go at once, though what was sent before is still on its way. Nothing for UNIX sockets, which do so anyway. */
void connect_be_prompt(int fd);

/* From now on a peer that is gone is found, if it's silent. */
void connect_keep_alive(int fd);

#endif
