/*
 * Sending.
 */
#include "http/output.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/*
 * Bytes of a file for each turn. A fast client on the same machine takes them as quickly as they come, and would keep
 * all others waiting; this much takes some 200 us.
 */
#define FILE_TURN_MAX ((size_t)1024 * 1024)

void
http_output_init(struct http_output *output)
{
	*output = (struct http_output){ .file = -1 };
}

void
http_output_done(struct http_output *output)
{
	http_buffer_free(&output->bytes);
	fd_close(&output->file);
}

void
http_output_set_file(struct http_output *output, int file, off_t offset, uint64_t len)
{
	output->file = file;
	output->offset = offset;
	output->left = len;
	if (len == 0)
		fd_close(&output->file);
}

/* What an error of sending means to the caller. A signal came: as good as a full socket, which is looked at again. */
static int
send_error(int error)
{
	return error == EINTR ? -EAGAIN : -error;
}

static int
send_bytes(struct http_output *output, int fd, uint64_t *sent)
{
	struct http_buffer *bytes = &output->bytes;
	size_t len = http_buffer_len(bytes);
	/* the head of a reply waits in the socket for the file's first bytes, and shares a packet with them */
	int flags = MSG_NOSIGNAL | (output->file >= 0 ? MSG_MORE : 0);
	ssize_t n = send(fd, http_buffer_bytes(bytes), len, flags);

	if (n < 0)
		return send_error(errno);
	*sent += (uint64_t)n;
	http_buffer_consume(bytes, (size_t)n);
	return (size_t)n < len ? -EAGAIN : 0;
}

static int
send_file(struct http_output *output, int fd, uint64_t *sent)
{
	size_t len = output->left < FILE_TURN_MAX ? (size_t)output->left : FILE_TURN_MAX;
	ssize_t n = sendfile(fd, output->file, &output->offset, len);

	if (n < 0)
		return send_error(errno);
	if (n == 0)
		return -ENODATA;
	*sent += (uint64_t)n;
	output->left -= (uint64_t)n;
	if (output->left > 0)
		return -EAGAIN;
	fd_close(&output->file);
	return 0;
}

int
http_output_send(struct http_output *output, int fd, uint64_t *sent)
{
	int r = output->bytes.end > 0 ? send_bytes(output, fd, sent) : 0;

	if (r < 0 || output->file < 0)
		return r;
	return send_file(output, fd, sent);
}
