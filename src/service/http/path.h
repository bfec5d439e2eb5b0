/*
 * From the path of a request to the name of a file.
 */
#ifndef SERVICE_HTTP_PATH_H
#define SERVICE_HTTP_PATH_H

#include "http/request.h"

/* Room for the name of a file below the root, NUL included: what the kernel takes. */
#define PATH_SIZE 4096

/*
 * Decodes a path, and takes "." and ".." and empty parts out of it: "/a//b/../c%20d/" becomes "a/c d/", "/" becomes
 * "". A slash at the end of *dst says that a folder is meant. 0 with *ret_len; or the status to answer: 400 for what
 * is no path, or leads out of the root; 404 for parts that begin with a point, other than "/.well-known/"; 414.
 */
int path_resolve(struct http_text path, char dst[PATH_SIZE], size_t *ret_len);

/* Encodes it as a path that begins with one slash. 0, or -ENAMETOOLONG. */
int path_encode(const char *name, char *dst, size_t size);

#endif
