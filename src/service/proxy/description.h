/*
 * How a relayed connection is described when it moves to another worker: the fields of its record. Pure.
 */
#ifndef SERVICE_PROXY_DESCRIPTION_H
#define SERVICE_PROXY_DESCRIPTION_H

#include "ipc/handoff.h"
#include "service/proxy/balance.h"
#include "service/proxy/flow.h"
#include "service/proxy/proxy_protocol.h"
#include "service/proxy/relay_state.h"

/* Of the fields; to be raised when their meaning changes. */
#define DESCRIPTION_VERSION 1

/* Longer than any name of an upstream is. */
#define DESCRIPTION_NAME_MAX 512

struct description_text {
	const char *at; /* lives as long as the record; NULL: none */
	size_t len;
};

struct description {
	enum relay_state state; /* not CHOOSING, not CLOSED */
	struct description_text upstream;
	struct description_text up, down;  /* bytes that wait */
	bool up_has_ended, down_has_ended; /* not both */
	uint64_t deadline_us;              /* clock_now_us; 0: none */
	uint64_t active_us, removed_us;
	uint64_t tries;
	struct description_text tried[BALANCE_PEERS_MAX];
	size_t n_tried;
	struct proxy_header client;
};

/* Writes the fields. */
void description_write(const struct description *description, struct handoff_writer *writer);

/*
 * Reads them up to the end. 0 with *ret; -EBADMSG: they are none, or don't go together. How many descriptors there must be follows from
 * the state: see description_fds.
 */
int description_read(struct description *ret, struct handoff_record *record);

/* With that state: the client's, and the upstream's where there is one. */
size_t description_fds(enum relay_state state);

#endif
