/*
 * What a hosted program says by sd_notify(3): a datagram socket of its own, on which only the worker and its descendants are heard.
 */
#ifndef MASTER_NOTIFY_SOCKET_H
#define MASTER_NOTIFY_SOCKET_H

#include "master/talk.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NOTIFY_NAME_MAX 16   /* of the socket's address, '@' first, with its NUL */
#define NOTIFY_TEXT_MAX 4096 /* bytes of a datagram; a longer one is ignored */

/* One datagram. Texts point into it. */
struct notify_message {
	bool ready, stopping, reloading;
	bool watchdog;      /* alive */
	bool trigger;       /* it says itself that it hangs */
	uint64_t extend_us; /* 0: not said */
	const char *status; /* NULL: not said */
};

/* Reads the text of a datagram, which is cut apart. What is not known is ignored, as sd_notify(3) has it. Pure. */
void notify_message_parse(char *text, struct notify_message *ret);

struct notify_socket;

typedef void notify_fn(const struct notify_message *message, void *arg);
/* Somebody else has spoken. */
typedef void notify_stranger_fn(pid_t pid, void *arg);

struct notify_host {
	struct event_base *base;
	struct talk *talk;
	notify_fn *on_message;
	notify_stranger_fn *on_stranger;
	void *arg;
};

/* Makes a socket at an address that nobody else has. The descriptor, or negative errno. */
int notify_socket_bind(char name[static NOTIFY_NAME_MAX]);

/* Listens to that process and its descendants. Takes the descriptor. NULL: no memory. */
struct notify_socket *notify_socket_new(const struct notify_host *host, int fd, pid_t leader);

/* Reads one datagram, if there is one. Who hears it may free the socket. False: there was none. */
bool notify_socket_hear(struct notify_socket *socket);

int notify_socket_fd(const struct notify_socket *socket);

/* NULL is fine. */
void notify_socket_free(struct notify_socket *socket);

#endif
