/*
 * One direction of a relay: bytes from one socket to another.
 *
 * While anything is left that the receiver has not taken, nothing is read. So memory is bounded, and a receiver that is slow slows
 * the sender down. What is left is in memory of the flow's own, or in a pipe; where nothing is left, all flows of a worker share one
 * buffer and a few pipes.
 */
#ifndef SERVICE_PROXY_FLOW_H
#define SERVICE_PROXY_FLOW_H

#include "service/proxy/pipes.h"

#include <stdint.h>

/* The size that costs least, see service/connection.h. */
#define FLOW_BUFFER (64 * 1024)

/* More than this never waits in one direction, see flow_gather. */
#define FLOW_WAITING_MAX (FLOW_BUFFER > PIPE_SIZE ? FLOW_BUFFER : PIPE_SIZE)

/* What the flows of a worker have in common. */
struct flow_kit {
	struct pipes pipes;
	uint64_t in, out; /* bytes read and sent, since somebody has set them to 0 */
	/* what it holds matters during one call only; pages that were never read into cost nothing */
	char buffer[FLOW_BUFFER];
};

/* All zero: open, nothing waits. */
struct flow {
	char *data; /* [at … len) waits; NULL: nothing */
	uint32_t at, len;
	struct pipe *pipe; /* what is in it waits; NULL: nothing. Never beside `data` */
	bool is_bulk;      /* the last read was a large one */
	bool has_ended;    /* the sender has finished: the receiver is to be told, see flow_end */
};

static inline bool
flow_waits(const struct flow *flow)
{
	return flow->data || flow->pipe;
}

/* Frees what waits. */
void flow_done(struct flow *flow, struct flow_kit *kit);

/* Tells the receiver. (Needless when both directions have ended, since they are closed then.) */
void flow_end(int to);

/*
 * Reads once and sends what goes. Nothing waits, and the flow has not ended. 0; or negative errno: one of the two sockets
 * has failed.
 */
int flow_read(struct flow *flow, struct flow_kit *kit, int from, int to);

/* Sends what waits, as far as it goes. 0, or negative errno. */
int flow_write(struct flow *flow, struct flow_kit *kit, int to);

/* Lets bytes wait, behind what waits already (not in a pipe), or before it. 0, or -ENOMEM. */
int flow_append(struct flow *flow, const void *data, size_t len);
int flow_prepend(struct flow *flow, const void *data, size_t len);

/* The first `len` bytes of what waits in `data` are of no use any more. */
void flow_consume(struct flow *flow, size_t len);

/* Brings all that waits into `data`. 0, or negative errno, and nothing is changed. */
int flow_gather(struct flow *flow, struct flow_kit *kit);

#endif
