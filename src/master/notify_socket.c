/*
 * Hearing what hosted programs say by sd_notify(3).
 */
#include "master/notify_socket.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ANCESTORS_MAX = 32 }; /* between a worker and its child's child's child … */

struct notify_socket {
	struct notify_host host;
	int fd;
	pid_t leader;
	struct event *on_input;
};

/* ---- the text ---- */

/* As the lines of a pipe are: nothing that could break a log or a terminal. */
static const char *
make_clean(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return text;
}

static void
parse_line(char *line, struct notify_message *m)
{
	char *value = strchr(line, '=');
	uint64_t number;

	if (!value)
		return;
	value++;
	if (strcmp(line, "READY=1") == 0)
		m->ready = true;
	else if (strcmp(line, "STOPPING=1") == 0)
		m->stopping = true;
	else if (strcmp(line, "RELOADING=1") == 0)
		m->reloading = true;
	else if (strcmp(line, "WATCHDOG=1") == 0)
		m->watchdog = true;
	else if (strcmp(line, "WATCHDOG=trigger") == 0)
		m->trigger = true;
	else if (strncmp(line, "STATUS=", 7) == 0)
		m->status = make_clean(value);
	else if (strncmp(line, "EXTEND_TIMEOUT_USEC=", 20) == 0 && text_parse_u64(value, &number) == 0)
		m->extend_us = number;
}

void
notify_message_parse(char *text, struct notify_message *ret)
{
	char *line;

	*ret = (struct notify_message){ 0 };
	while ((line = strsep(&text, "\n")))
		parse_line(line, ret);
}

/* ---- who says it ---- */

/* The parent of a process; 0: there is none. */
static pid_t
parent_of(pid_t pid)
{
	char path[32], text[512];
	cleanup_file FILE *file = NULL;
	const char *rest;
	int parent = 0;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[n] = '\0';
	/* the name may have anything in it */
	rest = strrchr(text, ')');
	return rest && sscanf(rest + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* The worker, one of its process group, or a descendant that has left that. One that has ended meanwhile is nobody. */
static bool
is_of(pid_t leader, pid_t pid)
{
	if (pid <= 0)
		return false;
	if (pid == leader || getpgid(pid) == leader)
		return true;
	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		pid = parent_of(pid);
		if (pid == leader)
			return true;
	}
	return false;
}

/* ---- the socket ---- */

/* A datagram and its sender; descriptors that come with it find no room, and are closed. Its length, or negative errno. */
static ssize_t
receive(int fd, char *text, size_t size, pid_t *ret_pid)
{
	union {
		char space[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec part = { text, size };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
	struct ucred sender;

	*ret_pid = 0;
	if (n < 0)
		return -errno;
	if (message.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
		memcpy(&sender, CMSG_DATA(header), sizeof(sender));
		*ret_pid = sender.pid;
	}
	return n;
}

bool
notify_socket_hear(struct notify_socket *s)
{
	const struct notify_host host = s->host;
	uint64_t began_us = talk_begins(host.talk, s->on_input);
	char text[NOTIFY_TEXT_MAX + 1];
	struct notify_message message;
	pid_t pid;
	ssize_t n = receive(s->fd, text, NOTIFY_TEXT_MAX, &pid);
	bool known = n > 0 && is_of(s->leader, pid);

	if (known) {
		text[n] = '\0';
		notify_message_parse(text, &message);
		host.on_message(&message, host.arg);
	} else if (n > 0)
		host.on_stranger(pid, host.arg);
	talk_heard(host.talk, began_us);
	return n != -EAGAIN;
}

/* event: a datagram */
static void
on_input(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	notify_socket_hear(arg);
}

int
notify_socket_bind(char name[static NOTIFY_NAME_MAX])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(address);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	size_t n;

	/* with the family alone, the kernel finds an abstract name */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	n = len - offsetof(struct sockaddr_un, sun_path);
	if (n < 2 || n >= NOTIFY_NAME_MAX)
		return -EAFNOSUPPORT;
	snprintf(name, NOTIFY_NAME_MAX, "@%.*s", (int)(n - 1), address.sun_path + 1);
	return take_fd(&fd);
}

struct notify_socket *
notify_socket_new(const struct notify_host *host, int fd, pid_t leader)
{
	struct notify_socket *s = calloc(1, sizeof(*s));

	if (!s) {
		fd_close(&fd);
		return NULL;
	}
	*s = (struct notify_socket){ .host = *host, .fd = fd, .leader = leader };
	s->on_input = event_new(host->base, fd, EV_READ | EV_PERSIST, on_input, s);
	if (s->on_input && event_add(s->on_input, NULL) == 0)
		return s;
	notify_socket_free(s);
	return NULL;
}

int
notify_socket_fd(const struct notify_socket *s)
{
	return s->fd;
}

void
notify_socket_free(struct notify_socket *s)
{
	if (!s)
		return;
	if (s->on_input)
		event_free(s->on_input);
	fd_close(&s->fd);
	free(s);
}
