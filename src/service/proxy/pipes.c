/*
 * Pipes.
 */
#include "service/proxy/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void
pipes_init(struct pipes *pipes)
{
	*pipes = (struct pipes){ .max = PIPES_MAX };
	SLIST_INIT(&pipes->free);
}

static void
pipe_close(struct pipes *pipes, struct pipe *pipe)
{
	close(pipe->read_fd);
	close(pipe->write_fd);
	free(pipe);
	pipes->n--;
}

void
pipes_done(struct pipes *pipes)
{
	struct pipe *pipe;

	while ((pipe = SLIST_FIRST(&pipes->free))) {
		SLIST_REMOVE_HEAD(&pipes->free, entry);
		pipe_close(pipes, pipe);
	}
}

/* Where the user has too many already, the kernel makes them too small to be of use. */
static struct pipe *
pipe_new(struct pipes *pipes)
{
	struct pipe *pipe = malloc(sizeof(*pipe));
	int fd[2];

	if (!pipe || pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pipe);
		return NULL;
	}
	*pipe = (struct pipe){ .read_fd = fd[0], .write_fd = fd[1] };
	pipes->n++;
	if (fcntl(fd[1], F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE)
		return pipe;
	pipe_close(pipes, pipe);
	pipes->max = pipes->n;
	return NULL;
}

struct pipe *
pipes_take(struct pipes *pipes)
{
	struct pipe *pipe = SLIST_FIRST(&pipes->free);

	if (!pipe)
		return pipes->n < pipes->max ? pipe_new(pipes) : NULL;
	SLIST_REMOVE_HEAD(&pipes->free, entry);
	return pipe;
}

void
pipes_give(struct pipes *pipes, struct pipe *pipe)
{
	if (pipe->len > 0 || pipes->n > pipes->max)
		pipe_close(pipes, pipe);
	else
		SLIST_INSERT_HEAD(&pipes->free, pipe, entry);
}

void
pipes_forbid(struct pipes *pipes)
{
	pipes->max = 0;
	pipes_done(pipes);
}
