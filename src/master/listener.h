/*
 * One address that is listened on, and its sockets, which the master owns and every worker of its slot
 * inherits.
 *
 * A TCP address has a socket per slot, all in one SO_REUSEPORT group: each worker has a queue of its own that
 * outlives it. A socket with a queue is never closed while its address is served: when the pool shrinks, the
 * surplus sockets are parked, which means that the worker of slot j mod N serves socket j too while the
 * selector sends it nothing new. A UNIX path and systemd's sockets are shared by all workers.
 *
 * An address that leaves the configuration stays open as long as another one there covers it, as [::]:80 does with
 * 127.0.0.1:80: its clients are to be served all the same, and closing it would lose those that are just connecting.
 *
 * One that no other covers is closed, and those who wait in its queues are accepted by the workers that leave. Where such a worker has
 * died the socket is an orphan: a new worker of the slot inherits it once more.
 */
#ifndef MASTER_LISTENER_H
#define MASTER_LISTENER_H

#include "config/config.h"
#include "config/problem.h"
#include "master/heritage.h"
#include "systemd/listen_fds.h"

#include <stdbool.h>
#include <stddef.h>

#include <sys/queue.h>
#include <sys/types.h>

struct listener {
	TAILQ_ENTRY(listener) entry;
	char *address; /* as config_listen_text says it: the key by which a reload finds what is open */
	enum config_listen_kind kind;
	unsigned port; /* tcp, else 0 */
	struct config_listen
		where; /* kind, address (owned), port and ipv6_only alone: for config_listen_covers */
	bool covered;  /* no longer configured, but covered by what is; the pool's */
	bool orphaned; /* no longer configured, but somebody waits there whom nobody can accept; the pool's, till a roll ends */
	int *fd; /* tcp: fd[j] belongs to slot j; else all are shared */
	unsigned n_fd;
	unsigned n_committed; /* how many of them a committed generation has served; the pool's */
	bool *live; /* tcp: the selector's present choice, as long as fd; all of them while there is no
		       selector */
	bool has_selector;
	int backlog;    /* tcp: for listener_begin */
	bool listening; /* tcp: what is bound also listens; else it waits for listener_begin */
	char *path;     /* unix: to be unlinked at the end, if it is still ours: */
	ino_t inode;
	ino_t lost_inode; /* unix, while there are two sockets: fd[0], which the path led to once */
	bool borrowed;    /* systemd's: closed by whoever holds the list */
};

TAILQ_HEAD(listener_list, listener);

/*
 * Opens the address of `spec` with `n` sockets (for TCP). `others` is what this master has open already:
 * another program on the port is an error, sockets of our own are not. `passed` is what systemd gave us.  With
 * `late`, a TCP address is bound, but begins to listen by listener_begin: a specific address takes precedence over
 * a wildcard that is still served, from the moment that it listens. Until then there is nothing to select.
 * NULL when that fails, with the reason in `problems`.
 */
struct listener *listener_open(const struct config_listen *spec, unsigned n, bool late,
	const struct listener_list *others, const struct listen_fds *passed, struct problems *problems);

/*
 * Sees to it that there are at least n sockets (TCP), or that the path leads to one of ours (UNIX): where somebody has removed
 * it, another socket is bound there beside the one that is served, and workers get both. False when that fails, with the
 * reason in `problems`; then nothing has changed.
 */
bool listener_grow(
	struct listener *listener, const struct config_listen *spec, unsigned n, struct problems *problems);

/*
 * Closes the topmost sockets above n (TCP, UNIX): for those that have never had a connection, after a reload that
 * was taken back.
 */
void listener_shrink(struct listener *listener, unsigned n);

/*
 * Applies what may change on an open address: backlog; mode and owner of a UNIX path, of which only the socket is kept that the
 * path leads to. What fails is logged, and stays as it was.
 */
void listener_apply(struct listener *listener, const struct config_listen *spec);

/*
 * Lets new connections go to live[0..n) only, n <= n_fd; a system call only when that changes something.
 * Nothing happens when none is live.
 */
void listener_select(struct listener *listener, const bool *live, unsigned n);

/* Begins to listen, if it does not yet. What fails is logged. */
void listener_begin(struct listener *listener);

/*
 * To be called before listener_close when workers still have the sockets: new clients no longer find them, and the
 * workers can accept the queues empty.
 */
void listener_hide(struct listener *listener);

/* Closes the sockets, unlinks the path if it is still ours. NULL is fine. */
void listener_close(struct listener *listener);

/*
 * For the master's heritage; `passed` is what systemd gave us. NULL when it can't be loaded.
 */
json_t *listener_save(
	struct heritage *heritage, const struct listener *listener, const struct listen_fds *passed);
struct listener *listener_load(
	struct heritage *heritage, const json_t *json, const struct listen_fds *passed);

/* The one with that address, or NULL. */
struct listener *listener_find(const struct listener_list *list, const char *address);

#endif
