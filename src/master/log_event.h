/*
 * The events that the master logs: each has a name (GRACEFULD_EVENT) and a MESSAGE_ID, by which the journal
 * finds it and systemd/gracefuld.catalog explains it. One table; the catalog has one entry for each row that
 * asks for explanation.
 */
#ifndef MASTER_LOG_EVENT_H
#define MASTER_LOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum log_event {
	EVENT_DAEMON_STARTED,   /* the master runs, nothing serves yet */
	EVENT_DAEMON_READY,     /* the first generation serves */
	EVENT_DAEMON_FAILED,    /* the start failed */
	EVENT_DAEMON_STOPPING,  /* asked to stop */
	EVENT_DAEMON_STOPPED,   /* all workers have gone */
	EVENT_RELOAD_STARTED,   /* a reload begins */
	EVENT_RELOAD_CHANGE,    /* one changed option */
	EVENT_RELOAD_PROBLEM,   /* one error in the new configuration */
	EVENT_RELOAD_APPLIED,   /* verdict */
	EVENT_RELOAD_UNCHANGED, /* verdict */
	EVENT_RELOAD_REJECTED,  /* verdict */
	EVENT_RELOAD_REVERTING, /* a new worker failed, the way back begins */
	EVENT_RELOAD_REVERTED,  /* verdict */
	EVENT_WORKER_STATE,     /* a worker goes from one state to another */
	EVENT_WORKER_DRAINED,   /* what became of a worker's connections */
	EVENT_WORKER_FAILED,    /* a worker is lost against our will */
	EVENT_WORKER_PROTOCOL,  /* a worker broke the protocol */
	EVENT_WORKER_STATUS,    /* a worker's own words */
	EVENT_WORKER_OUTPUT,    /* a line that a hosted program has written */
	EVENT_SLOT_BACKOFF,     /* a slot waits before it starts a worker again */
	EVENT_LISTENER,         /* an address is opened or closed */
	EVENT_REEXEC_ASKED,     /* another program is to take the master's place */
	EVENT_REEXEC_STARTED,   /* it has passed its trial, and does */
	EVENT_REEXEC_DONE,      /* it has */
	EVENT_REEXEC_FAILED,    /* it can't, the old one goes on */
	EVENT_STATUS,           /* one line of the answer to SIGUSR1 */
	EVENT_COUNT
};

/* What an event is about. Members that are 0 are left out. */
struct event_about {
	bool has_slot;
	unsigned slot;
	uint64_t generation;
	int pid;
	uint64_t reload;  /* id */
	const char *from; /* states of a worker */
	const char *to;
	const char *reason;
};

/* Logs one line with the event's fields in the journal; `about` may be NULL. */
void log_event(int level, enum log_event event, const struct event_about *about, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for a text that can wait, see log_offer. */
int log_event_offer(int level, enum log_event event, const struct event_about *about, const char *text);

#endif
