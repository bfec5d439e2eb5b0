/*
 * What a worker has more, when it is a program that was not written for us: a pipe for its output, a socket for sd_notify(3), and
 * where it has no words at all, somebody who looks whether it accepts, or a time after which it counts as ready.
 */
#ifndef MASTER_HOSTED_H
#define MASTER_HOSTED_H

#include "config/exec_options.h"
#include "master/lookout.h"
#include "master/notify_socket.h"
#include "master/output.h"
#include "master/spawn.h"

struct hosted;

/* Who hears of it. */
struct hosted_host {
	struct event_base *base;
	struct output_host *outputs;
	struct talk *talk;
	const char *program; /* of ours, with which it is looked at */
	const struct identity *identity;
	notify_fn *on_message;
	notify_stranger_fn *on_stranger;
	void (*on_alive)(void *arg); /* it has lived for exec->ready_us */
	lookout_fn *on_accepting;
	void *arg;
};

/* What the child gets of it, to be closed once it is there. */
struct hosted_ends {
	struct spawn_hosted spawn;
	char notify[NOTIFY_NAME_MAX];
	int output_fd;
	char *program; /* its path */
};

/* Makes all of it for a process that is to be started. *ret_ends borrows from the options. NULL with errno set. */
struct hosted *hosted_new(
	const struct hosted_host *host, const struct exec_options *exec, struct hosted_ends *ret_ends);

/* Frees what the child has by now. */
void hosted_ends_done(struct hosted_ends *ends);

/* The process runs, and is listened to from now on. `listener`: the first of its sockets. 0, or negative errno. */
int hosted_begin(struct hosted *hosted, const struct exec_options *exec, const struct event_about *about,
	int listener);

/* It is ready: nobody has to look any more. */
void hosted_settle(struct hosted *hosted);

/* Hears what it has said, one message, if there is one; it may come to its end by that. False: there was none. */
bool hosted_hear(struct hosted *hosted);

/* It has ended: what it wrote last is read, and nobody else is heard. */
void hosted_end(struct hosted *hosted);

/* ": " and the line that tells best why it has ended; or "". */
const char *hosted_words(const struct hosted *hosted, char words[static OUTPUT_QUOTE_MAX + 2]);

/* NULL is fine. What is not logged yet goes on to be. */
void hosted_free(struct hosted *hosted);

/*
 * For the master's heritage: null for a worker of ours. Who is loaded is waited for to be ready, `starting`, for what is left of its
 * time; in a trial not. False when it can't be; *ret is set to what there is of it.
 */
json_t *hosted_save(struct heritage *heritage, const struct hosted *hosted);
struct hosted_past {
	const struct exec_options *exec;
	bool starting;
	uint64_t started_us; /* clock_now_us */
};
bool hosted_load(struct heritage *heritage, const struct hosted_host *host, const struct event_about *about,
	const struct hosted_past *past, const json_t *json, struct hosted **ret);

#endif
