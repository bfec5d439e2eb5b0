/*
 * The counter page: one page of memory that a worker writes and the master reads, even after the worker has
 * crashed.
 *
 * Native-endian 64-bit words, each read and written whole (aligned, relaxed atomics). A word has one writer,
 * the worker; the master only reads, and believes nothing: a worker may write what it likes, but into numbers
 * only. The place of a word is part of the contract: new ones are added at the end, none is ever moved.
 */
#ifndef IPC_COUNTERS_H
#define IPC_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTERS_SIZE 4096

enum counter {
	COUNTER_CONNECTIONS, /* open now: the only word that goes down too */
	COUNTER_ACCEPTED,    /* connections accepted */
	COUNTER_REQUESTS,    /* answers begun, as the service counts them */
	COUNTER_FINISHED,    /* connections that came to their own end */
	COUNTER_CUT,         /* connections closed by force: deadline or stop */
	COUNTER_HANDED_IN,   /* connections taken over from another worker */
	COUNTER_HANDED_OUT,  /* connections that another worker took over */
	COUNTER_RECEIVED,    /* bytes from clients */
	COUNTER_SENT,        /* bytes to clients */
	COUNTER_LOST,        /* requests that were under way on connections closed by force */
	COUNTER_COUNT
};

/*
 * Behind them, a block of words for each upstream of a service that has any. The block of number n begins at word
 * COUNTERS_UPSTREAMS + n * UPSTREAM_COUNTERS.
 */
#define COUNTERS_UPSTREAMS     64
#define COUNTERS_UPSTREAMS_MAX 48

enum upstream_counter {
	UPSTREAM_STATE,                  /* enum upstream_state */
	UPSTREAM_CONNECTIONS,            /* that it has now */
	UPSTREAM_ACCEPTED,               /* connections that it has accepted from us */
	UPSTREAM_FAILURES,               /* connections, and probes, that it has not */
	UPSTREAM_RECEIVED,               /* bytes from it */
	UPSTREAM_SENT,                   /* bytes to it */
	UPSTREAM_SUMS,                   /* those before this one add up over all workers */
	UPSTREAM_HEALTH = UPSTREAM_SUMS, /* see upstream_health_get */
	UPSTREAM_RESULT,
	UPSTREAM_COUNTERS,
};

enum upstream_state {
	UPSTREAM_STATE_UP,
	UPSTREAM_STATE_DOWN,
	UPSTREAM_STATE_UNRESOLVED, /* its name has no address yet */
	UPSTREAM_STATE_DRAINED,    /* up, but it gets no new connections */
	UPSTREAM_STATES
};

/* What a worker has found out about an upstream; all zero: nothing yet. */
struct upstream_health {
	bool is_down;
	uint64_t streak; /* results in a row, the latest ones, that speak against that */
	/*
	 * clock_now_us of the latest result, connection or probe. Before the first, so much as if there had been one, for the next to be
	 * due in time. 0: none, and none is due.
	 */
	uint64_t result_us;
};

struct counters {
	_Atomic uint64_t word[COUNTERS_SIZE / sizeof(uint64_t)];
};

/* The name of a counter as `stats` lines and reports use it: "connections", "accepted", … */
const char *counters_name(enum counter counter);

_Static_assert(UPSTREAM_COUNTERS == 8, "the size of a block is part of the contract");
_Static_assert(
	(COUNTERS_UPSTREAMS + COUNTERS_UPSTREAMS_MAX * UPSTREAM_COUNTERS) * sizeof(uint64_t) <= COUNTERS_SIZE,
	"they fit");

/* Makes a new page, all zero. The descriptor (close-on-exec), or negative errno. */
int counters_create(void);

/* Maps the page. NULL with errno set. The descriptor may be closed afterwards. */
struct counters *counters_map(int fd);

/* Unmaps; NULL is fine. */
void counters_unmap(struct counters *counters);

static inline uint64_t
counters_get(const struct counters *counters, enum counter counter)
{
	return atomic_load_explicit(&counters->word[counter], memory_order_relaxed);
}

/* The block of an upstream; number < COUNTERS_UPSTREAMS_MAX. */
static inline _Atomic uint64_t *
counters_upstream(struct counters *counters, size_t number)
{
	return &counters->word[COUNTERS_UPSTREAMS + number * UPSTREAM_COUNTERS];
}

/* One word, by the worker only. */
static inline void
counters_put(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static inline void
counters_bump(_Atomic uint64_t *word, uint64_t n)
{
	counters_put(word, atomic_load_explicit(word, memory_order_relaxed) + n);
}

/* One word has what belongs together, so that whoever reads it never finds the one half of it before and the other after a change. */
static inline void
upstream_health_put(_Atomic uint64_t *block, const struct upstream_health *health)
{
	counters_put(&block[UPSTREAM_HEALTH], health->streak << 1 | health->is_down);
	counters_put(&block[UPSTREAM_RESULT], health->result_us);
}

static inline struct upstream_health
upstream_health_get(const _Atomic uint64_t *block)
{
	uint64_t word = atomic_load_explicit(&block[UPSTREAM_HEALTH], memory_order_relaxed);

	return (struct upstream_health){
		.is_down = word & 1,
		.streak = word >> 1,
		.result_us = atomic_load_explicit(&block[UPSTREAM_RESULT], memory_order_relaxed),
	};
}

/* By the worker only: a load and a store, no locked instruction, since there is one writer. */
static inline void
counters_add(struct counters *counters, enum counter counter, uint64_t n)
{
	atomic_store_explicit(
		&counters->word[counter], counters_get(counters, counter) + n, memory_order_relaxed);
}

/* The same, downwards: for COUNTER_CONNECTIONS. */
static inline void
counters_sub(struct counters *counters, enum counter counter, uint64_t n)
{
	counters_add(counters, counter, (uint64_t)0 - n);
}

#endif
