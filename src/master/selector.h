/*
 * Which sockets of a SO_REUSEPORT group get new connections: a classic-BPF program that the kernel runs for
 * each of them.
 */
#ifndef MASTER_SELECTOR_H
#define MASTER_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/filter.h>

#define SELECTOR_SKIP_MAX 2000 /* of the 4,096 instructions (BPF_MAXINSNS) each skipped socket takes two */

/*
 * Makes the program that picks evenly among the sockets of a group of `n` for which live[i] is set, by the
 * kernel's random number: SKF_AD_RXHASH is 0 on some devices and SKF_AD_CPU is uneven. Returns its length in
 * `program`, which has room for `room` instructions; 0 when there is none to pick among, or no room.
 *
 * The index means the group's own order, the order in which its sockets began to listen.
 */
size_t selector_compile(const bool *live, unsigned n, struct sock_filter *program, size_t room);

/*
 * Attaches the program for these to the group that the socket belongs to. 0; or negative errno, and the
 * kernel goes on as it did.
 */
int selector_attach(int fd, const bool *live, unsigned n);

/*
 * Hides a listening TCP socket from new clients for good: who comes from now on is for whoever else listens there, or is refused. What is in its
 * queue stays there, and handshakes that have begun end there. 0, or negative errno.
 */
int selector_hide(int fd);

#endif
