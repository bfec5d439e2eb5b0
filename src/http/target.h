/*
 * What is inside of a request's target: percent-encoding, and the parameters of a query.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "http/request.h"

#include <sys/types.h>

/*
 * Decodes a path into `dst`, with a NUL at its end. Nothing else is done to it: "." and ".." stay.
 * The length; -EINVAL: an escape that is none, or one of NUL; -ENAMETOOLONG: `size` is too small.
 */
ssize_t http_target_decode(struct http_text path, char *dst, size_t size);

/*
 * The value of the first parameter `name` in a query "a=1&b=2", decoded (here a '+' is a space) into `dst`, with a
 * NUL at its end. "a" is the same as "a=". The length; -ENOENT: there is none; -EINVAL and -ENAMETOOLONG as above.
 */
ssize_t http_target_query(struct http_text query, const char *name, char *dst, size_t size);

#endif
