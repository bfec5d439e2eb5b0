/*
 * One direction of a relay.
 */
#include "service/proxy/flow.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/*
 * A read of at least so many bytes lets the next one go through a pipe; a smaller one through the buffer again, since two splices of a
 * few kB cost more than to copy them.
 */
#define BULK_LEAST (32 * 1024)

static bool
is_for_later(int error)
{
	return error == EAGAIN || error == EINTR;
}

static void
drop_pipe(struct flow *flow, struct flow_kit *kit)
{
	if (flow->pipe)
		pipes_give(&kit->pipes, take_ptr(flow->pipe));
}

void
flow_done(struct flow *flow, struct flow_kit *kit)
{
	drop_pipe(flow, kit);
	free(take_ptr(flow->data));
}

void
flow_end(int to)
{
	shutdown(to, SHUT_WR); /* that the receiver has gone shows elsewhere */
}

static int
note_end(struct flow *flow)
{
	flow->has_ended = true;
	return 0;
}

/* ---- through memory ---- */

int
flow_append(struct flow *flow, const void *data, size_t len)
{
	size_t waiting = flow->data ? flow->len - flow->at : 0;
	char *joined = malloc(waiting + len);

	if (!joined)
		return -ENOMEM;
	if (waiting > 0)
		memcpy(joined, flow->data + flow->at, waiting);
	memcpy(joined + waiting, data, len);
	free(flow->data);
	flow->data = joined;
	flow->at = 0;
	flow->len = (uint32_t)(waiting + len);
	return 0;
}

int
flow_prepend(struct flow *flow, const void *data, size_t len)
{
	struct flow joined = { .data = NULL };
	int r = flow_append(&joined, data, len);

	if (r == 0 && flow->data)
		r = flow_append(&joined, flow->data + flow->at, flow->len - flow->at);
	if (r < 0) {
		free(joined.data);
		return r;
	}
	free(flow->data);
	flow->data = joined.data;
	flow->at = joined.at;
	flow->len = joined.len;
	return 0;
}

void
flow_consume(struct flow *flow, size_t len)
{
	flow->at += (uint32_t)len;
	if (flow->at == flow->len)
		free(take_ptr(flow->data));
}

/* Sends once. How much went; 0: the socket is full; or negative errno. */
static ssize_t
push(struct flow_kit *kit, int to, const char *data, size_t len)
{
	ssize_t n = send(to, data, len, MSG_NOSIGNAL);

	if (n < 0)
		return is_for_later(errno) ? 0 : -errno;
	kit->out += (uint64_t)n;
	return n;
}

static int
read_by_copy(struct flow *flow, struct flow_kit *kit, int from, int to)
{
	ssize_t n = recv(from, kit->buffer, sizeof(kit->buffer), 0), sent;

	if (n < 0)
		return is_for_later(errno) ? 0 : -errno;
	if (n == 0)
		return note_end(flow);
	kit->in += (uint64_t)n;
	flow->is_bulk = n >= BULK_LEAST;
	sent = push(kit, to, kit->buffer, (size_t)n);
	if (sent < 0)
		return (int)sent;
	return sent == n ? 0 : flow_append(flow, kit->buffer + sent, (size_t)(n - sent));
}

static int
write_by_copy(struct flow *flow, struct flow_kit *kit, int to)
{
	ssize_t n = push(kit, to, flow->data + flow->at, flow->len - flow->at);

	if (n > 0)
		flow_consume(flow, (size_t)n);
	return n < 0 ? (int)n : 0;
}

/* ---- through a pipe ---- */

static int
write_by_splice(struct flow *flow, struct flow_kit *kit, int to)
{
	struct pipe *pipe = flow->pipe;
	ssize_t n = splice(pipe->read_fd, NULL, to, NULL, pipe->len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0)
		return is_for_later(errno) ? 0 : -errno;
	kit->out += (uint64_t)n;
	pipe->len -= (size_t)n;
	if (pipe->len == 0)
		drop_pipe(flow, kit);
	return 0;
}

static int
read_by_splice(struct flow *flow, struct flow_kit *kit, int from, int to, struct pipe *pipe)
{
	ssize_t n = splice(from, NULL, pipe->write_fd, NULL, PIPE_SIZE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	int error = errno;

	if (n > 0) {
		kit->in += (uint64_t)n;
		flow->is_bulk = n >= BULK_LEAST;
		pipe->len = (size_t)n;
		flow->pipe = pipe;
		return write_by_splice(flow, kit, to);
	}
	pipes_give(&kit->pipes, pipe);
	if (n == 0)
		return note_end(flow);
	if (error != EINVAL)
		return is_for_later(error) ? 0 : -error;
	pipes_forbid(&kit->pipes);
	return read_by_copy(flow, kit, from, to);
}

int
flow_gather(struct flow *flow, struct flow_kit *kit)
{
	cleanup_free char *data = NULL;
	size_t len;

	if (!flow->pipe)
		return 0;
	len = flow->pipe->len;
	data = malloc(len);
	if (!data)
		return -ENOMEM;
	/* all of it is there, so this is one read; anything else would be a pipe that somebody else reads */
	if (read(flow->pipe->read_fd, data, len) != (ssize_t)len)
		return -EIO;
	flow->pipe->len = 0;
	drop_pipe(flow, kit);
	flow->data = take_ptr(data);
	flow->at = 0;
	flow->len = (uint32_t)len;
	return 0;
}

/* ---- both ---- */

int
flow_read(struct flow *flow, struct flow_kit *kit, int from, int to)
{
	struct pipe *pipe = flow->is_bulk ? pipes_take(&kit->pipes) : NULL;

	return pipe ? read_by_splice(flow, kit, from, to, pipe) : read_by_copy(flow, kit, from, to);
}

int
flow_write(struct flow *flow, struct flow_kit *kit, int to)
{
	return flow->pipe ? write_by_splice(flow, kit, to) : write_by_copy(flow, kit, to);
}
