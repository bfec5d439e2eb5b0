/*
 * Handing a connection over to another process: all that there is to know about it, as plain data. How that is
 * carried there, with the descriptors, is somebody else's business.
 *
 *     the old process                             the new process
 *     http_handoff_freeze   --  state, fds  -->   http_handoff_adopt
 *     http_handoff_forget   <--   adopted   --    http_handoff_thaw
 *     or, if that never comes: http_handoff_thaw
 *
 * It works at any moment but while the handler owes an answer: between requests, with a part of a head or of a body
 * read, with further requests read and not served, with a part of a reply sent, in the middle of a file.
 */
#ifndef HTTP_HANDOFF_H
#define HTTP_HANDOFF_H

#include "http/request.h"
#include "http/server.h"

#include <sys/types.h>

struct http_handoff {
	/* from the first byte on of a request that was not served; to be read again, from the beginning */
	struct http_text input;
	struct http_text output; /* not sent yet */
	int file;                /* to be sent behind it; -1: none */
	off_t file_offset;
	uint64_t file_left;
	uint64_t requests; /* served on this connection so far */
	unsigned ending;   /* 0 … 2: of a number to be kept, see enum http_ending */
	unsigned phase;    /* what its deadline is for: likewise, see enum http_phase; 0: nothing */
	uint64_t due_us;   /* and until when, on CLOCK_MONOTONIC; 0: there was no limit */
	bool continued; /* "100 Continue" has been said to the request that `input` begins with, or is in `output` */
};

/*
 * Stops a connection: no event reaches it, and it has no deadline. *ret_state refers to its memory and its file,
 * which stay as they are until it is thawed or forgotten. 0; -EBUSY: the handler owes an answer (see on_released), or
 * it is this connection's turn just now; -ENOTCONN: it is at its end, all is said, and there is nothing to hand over.
 */
int http_handoff_freeze(struct http_connection *connection, struct http_handoff *ret_state);

/* Goes on where it was stopped, or adopted. */
void http_handoff_thaw(struct http_connection *connection);

/*
 * The other process has it: closes this one's descriptors, without a word to the client, and frees. on_closed is not
 * called.
 */
void http_handoff_forget(struct http_connection *connection);

/*
 * Makes a connection like the one that was frozen; it does nothing until it is thawed. What `state` refers to is
 * copied. Takes `fd` and state->file. 0 with *ret; -EINVAL: that can't be a state; -ENOMEM. On errors all descriptors
 * are the caller's still.
 */
int http_handoff_adopt(
	struct http_server *server, int fd, const struct http_handoff *state, struct http_connection **ret);

#endif
