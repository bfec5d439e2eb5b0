/*
 * Who may change things: root, the account that the daemon runs as, and the members of control.group.
 */
#ifndef CONTROL_ACCESS_H
#define CONTROL_ACCESS_H

#include <stdbool.h>

#include <sys/socket.h>
#include <sys/types.h>

/* The peer of a connected UNIX socket. 0, or negative errno. */
int access_peer(int fd, struct ucred *ret);

/* May it? `gid` is control.group, -1: none. */
bool access_may_change(int fd, const struct ucred *peer, gid_t gid);

#endif
