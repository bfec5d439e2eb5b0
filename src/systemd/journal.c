/*
 * The journal as the sink of the log: one datagram a record, never waited for.
 * The format is systemd's, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: FIELD=value lines.
 */
#include "systemd/journal.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum { FIELDS_MAX = 16, PARTS_OWN = 2, SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };

static const struct sockaddr_un journal_address = { AF_UNIX, JOURNAL_SOCKET };

static int journal_fd = -1;

bool
journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

/* The socket that we were connected to is gone, as when systemd's own unit of it was started anew. */
static bool
is_gone(int error)
{
	return error == ECONNREFUSED || error == ECONNRESET || error == ENOTCONN;
}

/*
 * To the socket of then: by its name, since a worker in its sandbox may not connect to it. Others do, so that the name need not be looked up for
 * each record.
 */
static ssize_t
send_anew(const struct msghdr *message)
{
	struct sockaddr_un address = journal_address;
	struct msghdr addressed = *message;

	(void)!connect(journal_fd, (const struct sockaddr *)&address, sizeof(address));
	addressed.msg_name = &address;
	addressed.msg_namelen = sizeof(address);
	return sendmsg(journal_fd, &addressed, SEND_FLAGS);
}

/* As a log_sink returns it. */
static int
send_parts(const struct msghdr *message)
{
	ssize_t n = sendmsg(journal_fd, message, SEND_FLAGS);

	if (n < 0 && is_gone(errno))
		n = send_anew(message);
	if (n >= 0)
		return 0;
	if (is_gone(errno) || errno == ENOENT)
		return -ENOTCONN;
	return errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -errno;
}

/* A log_sink. Values have no newline, which the log sees to, so no field needs the protocol's binary form. */
static int
send_record(const struct log_record *record, void *arg)
{
	char own[LOG_TEXT_MAX + 128];
	struct iovec part[PARTS_OWN + FIELDS_MAX * 2];
	struct msghdr message = { .msg_iov = part };
	int n = snprintf(own, sizeof(own), "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n", record->text,
		record->level, record->program);

	(void)arg;
	if (n < 0 || (size_t)n >= sizeof(own))
		return -EMSGSIZE;
	part[message.msg_iovlen++] = (struct iovec){ own, (size_t)n };
	for (size_t i = 0; i < record->n_fields && i < FIELDS_MAX; i++) {
		const char *field = record->fields[i];

		part[message.msg_iovlen++] = (struct iovec){ (void *)(uintptr_t)field, strlen(field) };
		part[message.msg_iovlen++] = (struct iovec){ (void *)(uintptr_t) "\n", 1 };
	}
	return send_parts(&message);
}

int
journal_open(void)
{
	cleanup_fd int fd = -1;

	if (journal_fd >= 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&journal_address, sizeof(journal_address)) < 0)
		return -errno;
	journal_fd = take_fd(&fd);
	log_set_sink(send_record, NULL);
	return 0;
}

void
journal_close(void)
{
	log_set_sink(NULL, NULL);
	fd_close(&journal_fd);
}
