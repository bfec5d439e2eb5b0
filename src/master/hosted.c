/*
 * The side of a worker that is another's program.
 */
#include "master/hosted.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

struct hosted {
	struct hosted_host host;
	struct output *output;
	int notify_fd; /* until there is a process to listen to */
	struct notify_socket *notify;
	struct event *on_time;
	uint64_t inode; /* of the first of its sockets; 0: none is looked at */
	struct lookout *lookout;
};

/* event: it has lived long enough */
static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	const struct hosted *h = arg;

	(void)fd, (void)what;
	h->host.on_alive(h->host.arg);
}

static struct hosted *
make(const struct hosted_host *host)
{
	struct hosted *h = calloc(1, sizeof(*h));

	if (h)
		*h = (struct hosted){ .host = *host, .notify_fd = -1 };
	return h;
}

/* The socket of who says it by sd_notify. 0 or negative errno. */
static int
bind_notify(struct hosted *h, const struct exec_options *exec, struct hosted_ends *ends)
{
	if (exec->ready != EXEC_READY_NOTIFY)
		return 0;
	h->notify_fd = notify_socket_bind(ends->notify);
	ends->spawn.notify = ends->notify;
	return h->notify_fd < 0 ? h->notify_fd : 0;
}

struct hosted *
hosted_new(const struct hosted_host *host, const struct exec_options *exec, struct hosted_ends *ends)
{
	struct hosted *h;
	int r;

	*ends = (struct hosted_ends){ .spawn = { .environment = exec->environment,
					      .directory = exec->directory,
					      .parent_death_signal = exec->drain_signal },
		.output_fd = -1 };
	/* the check has seen both; a program may have gone since, and says so as it is run */
	errno = EINVAL;
	ends->program = exec->command ? exec_options_find(exec->command[0]) : NULL;
	h = ends->program ? make(host) : NULL;
	if (!h)
		return NULL;
	h->output = output_new(host->outputs, &ends->output_fd);
	r = h->output ? bind_notify(h, exec, ends) : -errno;
	if (r == 0)
		return h;
	hosted_free(h);
	errno = -r;
	return NULL;
}

void
hosted_ends_done(struct hosted_ends *ends)
{
	fd_close(&ends->output_fd);
	free(take_ptr(ends->program));
}

static int
listen_to(struct hosted *h, pid_t pid)
{
	const struct notify_host host = { .base = h->host.base,
		.talk = h->host.talk,
		.on_message = h->host.on_message,
		.on_stranger = h->host.on_stranger,
		.arg = h->host.arg };

	h->notify = notify_socket_new(&host, take_fd(&h->notify_fd), pid);
	return h->notify ? 0 : -ENOMEM;
}

static int
wait_for(struct hosted *h, uint64_t time_us)
{
	struct timeval tv = clock_timeval(time_us);

	h->on_time = evtimer_new(h->host.base, on_time, h);
	return h->on_time && event_add(h->on_time, &tv) == 0 ? 0 : -ENOMEM;
}

static int
look_out(struct hosted *h, pid_t pid)
{
	h->lookout = lookout_start(h->host.base, h->host.program, h->host.identity, pid, h->inode,
		h->host.on_accepting, h->host.arg);
	return h->lookout ? 0 : -errno;
}

/* Until it is ready. `left_us`: what is left of exec->ready_us. */
static int
wait_ready(struct hosted *h, const struct exec_options *exec, pid_t pid, uint64_t left_us)
{
	switch (exec->ready) {
	case EXEC_READY_ALIVE:
		return wait_for(h, left_us);
	case EXEC_READY_ACCEPTING:
		return look_out(h, pid);
	default:
		return 0;
	}
}

int
hosted_begin(struct hosted *h, const struct exec_options *exec, const struct event_about *about, int listener)
{
	int r = h->notify_fd >= 0 ? listen_to(h, about->pid) : 0;
	struct stat st;

	if (r == 0 && fstat(listener, &st) == 0)
		h->inode = st.st_ino;
	if (r == 0)
		r = wait_ready(h, exec, about->pid, exec->ready_us);
	if (r == 0)
		output_begin(h->output, about);
	return r;
}

void
hosted_settle(struct hosted *h)
{
	lookout_free(take_ptr(h->lookout));
	if (h->on_time)
		event_del(h->on_time);
}

bool
hosted_hear(struct hosted *h)
{
	return h->notify && notify_socket_hear(h->notify);
}

void
hosted_end(struct hosted *h)
{
	output_end(h->output);
	notify_socket_free(take_ptr(h->notify));
	hosted_settle(h);
}

const char *
hosted_words(const struct hosted *h, char words[static OUTPUT_QUOTE_MAX + 2])
{
	char quote[OUTPUT_QUOTE_MAX];

	output_quote(h->output, quote);
	snprintf(words, OUTPUT_QUOTE_MAX + 2, "%s%s", *quote ? ": " : "", quote);
	return words;
}

void
hosted_free(struct hosted *h)
{
	if (!h)
		return;
	output_release(h->output);
	fd_close(&h->notify_fd);
	notify_socket_free(h->notify);
	lookout_free(h->lookout);
	if (h->on_time)
		event_free(h->on_time);
	free(h);
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_NUMBER(struct hosted, inode, UINT64_MAX),
	HERITAGE_REST("output"),
	HERITAGE_REST("notify"), /* null: it has none */
	HERITAGE_END,
};

json_t *
hosted_save(struct heritage *heritage, const struct hosted *h)
{
	json_t *json;

	if (!h)
		return json_null();
	json = heritage_save(heritage, fields, h);
	heritage_set(heritage, json, "output", output_save(heritage, h->output));
	heritage_set(heritage, json, "notify",
		h->notify ? heritage_fd(heritage, notify_socket_fd(h->notify), false) : json_null());
	return json;
}

static bool
load_notify(struct heritage *heritage, const json_t *number, struct hosted *h, pid_t pid)
{
	if (json_is_null(number))
		return true;
	if (!heritage_load_fd(heritage, number, &h->notify_fd))
		return false;
	return heritage->trial || listen_to(h, pid) == 0 || heritage_refuse(heritage, "out of memory");
}

/* Goes on with it as it was. */
static bool
go_on(struct heritage *heritage, struct hosted *h, const struct event_about *about,
	const struct hosted_past *past)
{
	uint64_t due_us = past->started_us + past->exec->ready_us, now = clock_now_us();

	output_begin(h->output, about);
	return !past->starting ||
	       wait_ready(h, past->exec, about->pid, due_us > now ? due_us - now : 1) == 0 ||
	       heritage_refuse(heritage, "nobody can look after a program");
}

bool
hosted_load(struct heritage *heritage, const struct hosted_host *host, const struct event_about *about,
	const struct hosted_past *past, const json_t *json, struct hosted **ret)
{
	struct hosted *h;

	*ret = h = make(host);
	if (!h)
		return heritage_refuse(heritage, "out of memory");
	if (!heritage_load(heritage, fields, json, h))
		return false;
	h->output = output_load(heritage, host->outputs, json_object_get(json, "output"));
	return h->output && load_notify(heritage, json_object_get(json, "notify"), h, about->pid) &&
	       (heritage->trial || go_on(heritage, h, about, past));
}
