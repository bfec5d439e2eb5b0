/*
 * Descriptors. All are close-on-exec from birth; what a child is to inherit is put in place by the child
 * itself.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdbool.h>
#include <stddef.h>

/* Closes *fd if it is one, and sets it to -1. */
void fd_close(int *fd);

/* Sets or clears O_NONBLOCK. 0, or negative errno. */
int fd_set_nonblock(int fd, bool on);

/* Sets or clears FD_CLOEXEC. 0, or negative errno. */
int fd_set_cloexec(int fd, bool on);

/* Writes all of it, going on after short writes and EINTR. For files, not for sockets. 0, or negative errno. */
int fd_write_all(int fd, const void *data, size_t len);

/*
 * Reads a file from its beginning to its end, up to `max` bytes, and adds a NUL that *ret_len does not count.
 * 0 with *ret (to be freed) and *ret_len; -EFBIG when there is more than `max`; else negative errno.
 */
int fd_read_all(int fd, size_t max, char **ret, size_t *ret_len);

/*
 * Makes a memfd that holds just these bytes and can never change again (all seals set), named `name` in
 * /proc. The descriptor, its offset at 0, or negative errno.
 */
int fd_sealed_memfd(const char *name, const void *data, size_t len);

#endif
