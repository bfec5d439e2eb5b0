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

struct counters {
	_Atomic uint64_t word[COUNTERS_SIZE / sizeof(uint64_t)];
};

/* The name of a counter as `stats` lines and reports use it: "connections", "accepted", … */
const char *counters_name(enum counter counter);

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
