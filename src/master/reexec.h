/*
 * Another program takes the master's place, in the same process: SIGUSR2.
 *
 *	asked for ─▶ quiet? ─▶ trial ─▶ quiet? ─▶ exec
 *
 * Quiet is a master with no start, roll, reload or stop under way: until then the wish waits. The program at the path by which this
 * one was started is first tried as a child (trial.h); a bad one is refused, and all goes on as it was. If it passes, everything is
 * saved (heritage.h), and exec'd over this one. Should even that fail, nothing has changed either.
 */
#ifndef MASTER_REEXEC_H
#define MASTER_REEXEC_H

#include "config/problem.h"
#include "master/heritage.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/stat.h>

struct checker;

struct reexec_host {
	struct event_base *base;
	char *const *argv; /* of this process */
	bool (*is_quiet)(void *arg);
	/* What a trial depends on beside the program: another text, another trial. */
	const char *(*fingerprint)(void *arg);
	json_t *(*save)(struct heritage *heritage, bool trial, void *arg);
	void (*on_leave)(void *arg);  /* just before all is saved for the exec */
	void (*on_return)(void *arg); /* the exec came to nothing */
	void *arg;
};

enum reexec_state {
	REEXEC_IDLE,
	REEXEC_WANTED, /* waits for quiet */
	REEXEC_TRYING, /* the trial is under way */
	REEXEC_PASSED, /* waits for quiet again */
};

struct reexec {
	struct reexec_host host;
	char *program; /* its path, from the root on; NULL: not known */
	enum reexec_state state;
	bool again;              /* asked for during the trial: if that fails, there is another */
	struct event *on_turn;   /* so that no exec comes while somebody up the stack is at work */
	struct checker *checker; /* TRYING */
	struct problems answer;  /* the trial's */
	struct stat tried;       /* the file of the trial … */
	char fingerprint[65];    /* … and what the host said */
};

/* Takes `program`. 0 or -ENOMEM. */
int reexec_init(struct reexec *reexec, const struct reexec_host *host, char *program);

/* Asks for it; `origin` is logged. */
void reexec_ask(struct reexec *reexec, const char *origin);

/* To be called when it may have become quiet. */
void reexec_resume(struct reexec *reexec);

/* The daemon stops: it is forgotten. */
void reexec_cancel(struct reexec *reexec);

void reexec_done(struct reexec *reexec);

#endif
