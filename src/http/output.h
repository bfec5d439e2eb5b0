/*
 * What is still to be sent on a connection: bytes, and behind them at most one piece of a file.
 */
#ifndef HTTP_OUTPUT_H
#define HTTP_OUTPUT_H

#include "http/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct http_output {
	struct http_buffer bytes;
	int file; /* owned; -1: none. While there is one, nothing may be appended to `bytes` */
	off_t offset;
	uint64_t left; /* > 0 while there is a file */
};

void http_output_init(struct http_output *output);

/* Frees and closes what is left. */
void http_output_done(struct http_output *output);

/*
 * Adds `len` bytes of `file`, from `offset` on. Takes the descriptor, also when `len` is 0. There must be none yet.
 */
void http_output_set_file(struct http_output *output, int file, off_t offset, uint64_t len);

/* Is anything left to send? */
static inline bool
http_output_is_pending(const struct http_output *output)
{
	return output->bytes.end > 0 || output->file >= 0;
}

/*
 * Sends what the socket takes at once: one `send`, one `sendfile` of a limited size. Adds to *sent what went, also on
 * errors. 0: nothing is left; -EAGAIN: something is; -ENODATA: the file has become shorter than was promised; else
 * negative errno.
 */
int http_output_send(struct http_output *output, int fd, uint64_t *sent);

#endif
