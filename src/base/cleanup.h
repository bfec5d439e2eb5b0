/*
 * Ownership that ends by itself: mark a local with cleanup_fd or cleanup_free, and hand it on with take_fd or
 * take_ptr.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void
cleanup_fd_(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void
cleanup_free_(void *p)
{
	free(*(void **)p);
}

static inline void
cleanup_file_(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	errno = saved;
}

/* A local `int` that is closed at the end of its scope; must be initialised, -1 for none. */
#define cleanup_fd __attribute__((cleanup(cleanup_fd_)))
/* A local pointer from malloc that is freed at the end of its scope; must be initialised. */
#define cleanup_free __attribute__((cleanup(cleanup_free_)))
/* A local FILE * that is closed at the end of its scope; must be initialised. */
#define cleanup_file __attribute__((cleanup(cleanup_file_)))

/* Takes the descriptor out of its owner, which forgets it. */
static inline int
take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Takes the pointer out of its owner, which forgets it. */
#define take_ptr(p)                       \
	({                                \
		__typeof__(p) *p_ = &(p); \
		__typeof__(p) t_ = *p_;   \
		*p_ = NULL;               \
		t_;                       \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
