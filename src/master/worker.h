/*
 * One worker process: started, listened to, told to leave, reaped. Its state has one writer, worker.c's
 * enter_state, which also sets the deadline that the state has and logs the change.
 *
 * A worker never calls up except through host->changed, which only makes the pool look again soon; so none is
 * freed under its own feet.
 */
#ifndef MASTER_WORKER_H
#define MASTER_WORKER_H

#include "ipc/counters.h"
#include "ipc/line_reader.h"
#include "master/generation.h"
#include "master/hosted.h"
#include "master/log_event.h"
#include "master/spawn.h"
#include "master/talk.h"
#include "master/upstreams.h"
#include "master/worker_state.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* STOPPING: closing everything takes milliseconds; more is a hang. */
#define WORKER_STOP_TIMEOUT_US (5 * US_PER_SEC)
/* KILLING: how often it is said that it's still there. */
#define WORKER_KILL_INTERVAL_US (5 * US_PER_SEC)
/* KILLING after a hang: time for a core dump between SIGABRT and SIGKILL. */
#define WORKER_ABORT_TIMEOUT_US (2 * US_PER_SEC)
/* A process that exits closes its pipe just before it can be reaped: long before, if it has much memory to give back or no processor. */
#define WORKER_EOF_GRACE_US (1 * US_PER_SEC)

/* A program may ask for more time to start or to stop, up to so many times what it has. */
#define WORKER_EXTENSIONS 10

/* A deadline that comes so much too late tells of the master, not of the worker. */
#define WORKER_LATENESS_US (1 * US_PER_SEC)

/* How a worker came to its end; what reports and metrics call its reason. */
enum worker_end {
	WORKER_END_STOPPED,   /* told to leave; died without a word about its connections */
	WORKER_END_DRAINED,   /* told to leave, and said `drained` */
	WORKER_END_FAILED,    /* said `failed` */
	WORKER_END_EXITED,    /* exited unasked */
	WORKER_END_SIGNALLED, /* killed by a signal */
	WORKER_END_LATE,      /* was not ready in time */
	WORKER_END_HUNG,      /* no heartbeat */
	WORKER_END_PROTOCOL,  /* broke the protocol, or closed its pipe */
	WORKER_ENDS
};

/* "stopped", "drained", … */
const char *worker_end_name(enum worker_end end);

/* What all workers share. */
struct worker_host {
	struct event_base *base;
	const char *program;                /* of built-in services */
	unsigned open_files;                /* where limits.open_files says nothing; 0: as the master's */
	const struct config *live;          /* for what applies to what runs: drain_timeout, roll, restart */
	struct upstream_records *upstreams; /* what workers tell of, and what they are told */
	struct talk *talk;                  /* what all workers say */
	struct output_host *outputs;        /* where what hosted programs write goes */
	void (*changed)(void *arg);         /* a worker has a new state */
	/* What a worker that is about to begin in that slot should know of an upstream. */
	struct upstream_health (*known_of)(const struct upstream_record *record, unsigned slot, void *arg);
	void *arg;
};

struct worker {
	/* First what every step of a roll looks at, of every worker: one cache line, where roll.settle is not set. */
	struct generation *generation;
	enum worker_state state;
	bool stale;           /* is to be replaced by another of the same generation */
	bool leaving_soon;    /* the pool is about to let it drain: gets no new connections */
	bool failed;          /* lost against our will; `failure` says how */
	bool failure_counted; /* by the slot: it is told once */
	uint64_t state_since_us;
	const struct worker_host *host;
	unsigned slot;
	pid_t pid;
	unsigned char dice; /* random, of its own: spreads what would come to all at once */
	int pidfd;
	int control_fd;
	int status_fd;
	int handoff_fd; /* the handoff channel: outboxes and inboxes go to it */
	pid_t heir;     /* of the same slot, the last that was given its connections; 0: none */
	bool stranded;  /* it drains and has no way out for its connections; until the pool looks */
	unsigned
		rescues; /* how often it was given another one. (Both are but for this image of the master.) */
	int counters_fd; /* of the page that `counters` maps */
	struct line_reader reader;
	struct event *on_exit;     /* pidfd */
	struct event *on_status;   /* status pipe */
	struct event *on_deadline; /* of the state */
	struct event *on_eof_grace;
	struct counters *counters;
	struct hosted *hosted;   /* what a program has that was not written for us; NULL: it is one of ours */
	uint64_t started_us;     /* clock_now_us */
	uint64_t ready_since_us; /* 0: never was */
	uint64_t deadline_us;    /* when on_deadline is due, if it is */
	bool said_hello;
	bool said_unknown;            /* an unknown message was logged */
	bool hung;                    /* gets SIGABRT before SIGKILL */
	bool reprieved;               /* its deadline came too late, and was set once more */
	enum worker_end end;          /* known when it is lost, or has exited */
	char failure[256];            /* "exited with status 1: …", as verdicts quote it */
	char status[128];             /* its own words, last */
	uint64_t seen[COUNTER_COUNT]; /* worker_count's */
	/* of whom the blocks of its page speak; NULL: of nobody */
	struct upstream_record *upstream[COUNTERS_UPSTREAMS_MAX];
	bool drained; /* has told what became of its connections: */
	uint64_t finished, handed, cut;
};

/* The listening sockets that a worker is born with. */
struct worker_sockets {
	int fd[SPAWN_LISTENERS_MAX];
	size_t n;
	char *names; /* joined by colons, as LISTEN_FDNAMES wants them */
	char *ports; /* "ADDRESS=FD;…", as SERVER_STARTER_PORT wants them */
};

/* Starts a worker for a slot of that generation. `reason` is logged. NULL when that fails, errno set. */
struct worker *worker_start(const struct worker_host *host, unsigned slot, struct generation *generation,
	const struct worker_sockets *sockets, const char *reason);

/*
 * For the master's heritage. What is loaded is watched from then on, with what is left of its times; in a trial not.
 * NULL when it can't be.
 */
json_t *worker_save(struct heritage *heritage, const struct worker *worker);
struct worker *worker_load(struct heritage *heritage, const struct worker_host *host,
	struct generation *generation, const json_t *json);

/* Tells it to drain, within the live drain_timeout. One that is not READY yet stops instead. */
void worker_drain(struct worker *worker, const char *reason);

/* Tells it to leave now. */
void worker_stop(struct worker *worker, const char *reason);

/*
 * Joins the two, so that the connections of the one go to the other when it drains: `share` of them, relative to what its
 * other heirs get. What can't be done is logged (debug), and its connections stay with it.
 */
void worker_bequeath(struct worker *worker, struct worker *heir, unsigned share);

/* drain_timeout has changed: a drain under way ends at its new time. */
void worker_retime(struct worker *worker);

/* Is it what a slot with that goal should run? */
static inline bool
worker_is_of(const struct worker *worker, const struct generation *generation)
{
	return worker->generation == generation && !worker->stale;
}

/*
 * A counter of its page. What only grows never goes back here, whatever the worker writes into the page.
 */
uint64_t worker_count(struct worker *worker, enum counter counter);

/* Tells it that an upstream gets no new connections any more, or again. */
void worker_drain_upstream(struct worker *worker, const struct upstream_record *record);

/* Tells it what another worker knows of an upstream. */
void worker_recall_upstream(
	struct worker *worker, const struct upstream_record *record, const struct upstream_health *health);

/* Has it been READY for that long? *ret_left is set to what is missing, if it's only a matter of time, else
 * to 0. */
bool worker_is_seasoned(const struct worker *worker, uint64_t settle_us, uint64_t *ret_left);

/* "worker 0 gen 2 pid 900" */
const char *worker_name(const struct worker *worker, char buf[static 64]);

/* What events about it are about. */
#define WORKER_ABOUT(w)                                \
	(&(struct event_about){ .has_slot = true,      \
		.slot = (w)->slot,                     \
		.generation = (w)->generation->number, \
		.pid = (int)(w)->pid })

/* Frees one that has EXITED. */
void worker_free(struct worker *worker);

#endif
