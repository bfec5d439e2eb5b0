/*
 * Pipes, by which splice moves bytes from one socket to another without copying them. A worker has a few that its connections take
 * turns with: a pipe is taken from here for one transfer, and given back at once when it is empty again.
 */
#ifndef SERVICE_PROXY_PIPES_H
#define SERVICE_PROXY_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/*
 * Bytes that a pipe can hold. A gigabyte relayed through pipes of 64 KiB, 256 KiB and 1 MiB costs about the same; the
 * larger it is, the more a client that does not read makes us keep.
 */
#define PIPE_SIZE (256 * 1024)

/* Of a worker. The kernel gives a user 64 MiB of pipes, for all workers together. */
#define PIPES_MAX 32

struct pipe {
	SLIST_ENTRY(pipe) entry; /* among those that are free */
	int read_fd, write_fd;
	size_t len; /* bytes in it */
};

struct pipes {
	SLIST_HEAD(, pipe) free;
	size_t n; /* free or not */
	size_t max;
};

void pipes_init(struct pipes *pipes);

/* All have been given back. */
void pipes_done(struct pipes *pipes);

/* An empty one; NULL: there is none, for now or at all. */
struct pipe *pipes_take(struct pipes *pipes);

/* Gives one back; what is in it is lost. */
void pipes_give(struct pipes *pipes, struct pipe *pipe);

/* From now on there are none: this kernel can't do it. */
void pipes_forbid(struct pipes *pipes);

#endif
