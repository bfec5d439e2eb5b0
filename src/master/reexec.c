/*
 * Trying and exec'ing the program anew.
 */
#include "master/reexec.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/log_event.h"
#include "master/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How long the journal may take to read the last words of this image; the workers serve meanwhile. */
#define LOG_WAIT_US (100 * US_PER_MS)

/* The way in which it comes to nothing. */
static void
fail(struct reexec *r, const char *why)
{
	log_event(LOG_ERR, EVENT_REEXEC_FAILED, NULL, "re-exec: refused: %s; this program goes on", why);
	r->state = r->again ? REEXEC_WANTED : REEXEC_IDLE;
	r->again = false;
	reexec_resume(r);
}

static void
fail_with(struct reexec *r, const char *what, int error)
{
	char why[256];

	snprintf(why, sizeof(why), "%s: %s", what, strerror(error));
	fail(r, why);
}

/* ---- the trial ---- */

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Would another trial say the same? */
static bool
is_as_tried(const struct reexec *r)
{
	struct stat now;

	return stat(r->program, &now) == 0 && is_same_file(&now, &r->tried) &&
	       strcmp(r->fingerprint, r->host.fingerprint(r->host.arg)) == 0;
}

/* A checker_fn. */
static void
on_tried(void *arg)
{
	struct reexec *r = arg;
	const char *first = problems_kept(&r->answer) > 0 ? r->answer.text[0] : "it says nothing";
	bool passed = trial_is_passed(&r->answer);
	char why[512];

	r->checker = NULL; /* frees itself */
	/* it said yes, and then something else came */
	if (!passed && problems_kept(&r->answer) > 1 && strcmp(first, TRIAL_ANSWER) == 0)
		first = r->answer.text[1];
	snprintf(why, sizeof(why), "%s does not take over: %s", r->program, first);
	problems_done(&r->answer);
	problems_init(&r->answer);
	if (!passed) {
		fail(r, why);
		return;
	}
	r->state = REEXEC_PASSED;
	reexec_resume(r);
}

static void
try_program(struct reexec *r)
{
	struct heritage heritage = { 0 };
	cleanup_fd int fd = -1;

	if (!r->program || stat(r->program, &r->tried) < 0) {
		fail_with(r, r->program ? r->program : "the program's path is not known",
			r->program ? errno : ENOENT);
		return;
	}
	snprintf(r->fingerprint, sizeof(r->fingerprint), "%s", r->host.fingerprint(r->host.arg));
	fd = heritage_seal(&heritage, r->host.save(&heritage, true, r->host.arg));
	if (fd < 0)
		errno = -fd;
	else
		r->checker = trial_start(
			r->host.base, r->program, r->host.argv, &heritage, fd, &r->answer, on_tried, r);
	heritage_done(&heritage);
	if (r->checker)
		r->state = REEXEC_TRYING;
	else
		fail_with(r, "the program can't be tried", errno);
}

/* ---- the exec ---- */

/* Does not come back, or with negative errno and everything as before. */
static int
replace(struct reexec *r, const struct heritage *heritage, int fd)
{
	char **environment = heritage_environment(fd);
	int error, kept = environment ? heritage_keep(heritage, true) : -ENOMEM;

	if (kept == 0)
		execve(r->program, r->host.argv, environment);
	error = kept < 0 ? kept : -errno;
	heritage_keep(heritage, false);
	heritage_environment_free(environment);
	return error;
}

static void
leave(struct reexec *r)
{
	struct heritage heritage = { 0 };
	cleanup_fd int fd = -1;
	int error;

	log_event(LOG_NOTICE, EVENT_REEXEC_STARTED, NULL, "re-exec: %s takes over", r->program);
	r->host.on_leave(r->host.arg);
	log_finish(LOG_WAIT_US); /* what is lost of it is part of what is saved */
	fd = heritage_seal(&heritage, r->host.save(&heritage, false, r->host.arg));
	error = fd < 0 ? fd : replace(r, &heritage, fd);
	heritage_done(&heritage);
	r->host.on_return(r->host.arg);
	fail_with(r, r->program, -error);
}

/* event: it may be quiet */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct reexec *r = arg;

	(void)fd, (void)what;
	if ((r->state != REEXEC_WANTED && r->state != REEXEC_PASSED) || !r->host.is_quiet(r->host.arg))
		return;
	if (r->state == REEXEC_PASSED && is_as_tried(r))
		leave(r);
	else
		try_program(r);
}

/* ---- from outside ---- */

int
reexec_init(struct reexec *r, const struct reexec_host *host, char *program)
{
	*r = (struct reexec){ .host = *host, .program = program };
	problems_init(&r->answer);
	r->on_turn = event_new(host->base, -1, 0, on_turn, r);
	return r->on_turn ? 0 : -ENOMEM;
}

void
reexec_ask(struct reexec *r, const char *origin)
{
	bool quiet = r->host.is_quiet(r->host.arg);

	log_event(LOG_NOTICE, EVENT_REEXEC_ASKED, NULL, "re-exec: asked for (%s)%s", origin,
		quiet ? "" : ", waits for what is under way");
	if (r->state == REEXEC_IDLE)
		r->state = REEXEC_WANTED;
	else if (r->state == REEXEC_TRYING)
		r->again = true;
	reexec_resume(r);
}

void
reexec_resume(struct reexec *r)
{
	if (r->state == REEXEC_WANTED || r->state == REEXEC_PASSED)
		event_active(r->on_turn, 0, 0);
}

void
reexec_cancel(struct reexec *r)
{
	checker_cancel(r->checker);
	r->checker = NULL;
	r->again = false;
	r->state = REEXEC_IDLE;
}

void
reexec_done(struct reexec *r)
{
	checker_cancel(r->checker);
	problems_done(&r->answer);
	if (r->on_turn)
		event_free(r->on_turn);
	free(r->program);
}
