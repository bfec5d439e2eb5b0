/*
 * What a worker has more, when it is a program that was not written for us: a pipe for its output, a socket for sd_notify(3), and
 * where it has no words at all, a time after which it counts as ready.
 */
#ifndef MASTER_HOSTED_H
#define MASTER_HOSTED_H

#include "config/exec_options.h"
#include "master/notify_socket.h"
#include "master/output.h"
#include "master/spawn.h"

struct hosted;

/* Who hears of it. */
struct hosted_host {
	struct event_base *base;
	struct output_host *outputs;
	struct pace *talk;
	notify_fn *on_message;
	notify_stranger_fn *on_stranger;
	void (*on_time)(void *arg); /* it has lived for exec->ready_us */
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

/* The process runs, and is listened to from now on. 0, or negative errno. */
int hosted_begin(struct hosted *hosted, const struct exec_options *exec, const struct event_about *about);

/* It has ended: what it wrote last is read, and nobody else is heard. */
void hosted_end(struct hosted *hosted);

/* ": " and the line that tells best why it has ended; or "". */
const char *hosted_words(const struct hosted *hosted, char words[static OUTPUT_QUOTE_MAX + 2]);

/* NULL is fine. What is not logged yet goes on to be. */
void hosted_free(struct hosted *hosted);

/*
 * For the master's heritage: null for a worker of ours. Loading needs the time that is left until it counts as ready, 0 for none, and
 * begins with it but in a trial. False when it can't be; *ret is set to what there is of it.
 */
json_t *hosted_save(struct heritage *heritage, const struct hosted *hosted);
bool hosted_load(struct heritage *heritage, const struct hosted_host *host, const struct event_about *about,
	uint64_t time_us, const json_t *json, struct hosted **ret);

#endif
