/*
 * A listening UNIX socket in the file system, which is never missing while it is replaced.
 */
#ifndef MASTER_UNIX_SOCKET_H
#define MASTER_UNIX_SOCKET_H

#include "config/config.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Binds under a temporary name beside spec->path, sets mode and owner, listens, and renames it over what is
 * there: a socket that nobody listens on. A living socket is -EADDRINUSE, anything else -EEXIST. The
 * descriptor with *ret_inode, by which unix_socket_unlink knows it again; or negative errno.
 */
int unix_socket_listen(const struct config_listen *spec, ino_t *ret_inode);

/*
 * Gives a socket an owner, a group (-1: as it is) and a mode, and nothing but a socket: who may write to the folder could put a link to any file
 * in its place, and we may be root. (A socket that takes its place is that one's own.) 0; -ENOTSOCK; or negative errno.
 */
int unix_socket_give(const char *path, uid_t uid, gid_t gid, mode_t mode);

/* Sets mode and owner as the spec says. 0; -ENOENT for an unknown account; -ENOTSOCK: there is something else; or negative errno. */
int unix_socket_set_access(const char *path, const struct config_listen *spec);

/*
 * Is the path still that socket? Somebody may have removed or replaced it. Where it can't be looked at, it is: what can't be seen must not
 * be replaced.
 */
bool unix_socket_is_there(const char *path, ino_t inode);

/* Removes the path, if it is that socket for certain. */
void unix_socket_unlink(const char *path, ino_t inode);

#endif
