/*
 * The messages between master and worker: each is one line of text on a pipe, at most PIPE_BUF bytes with its
 * newline, so that a write is atomic. This is the whole protocol; doc/protocol.md says it byte by byte.
 *
 *	worker → master   hello 1 NAME VERSION · ready · alive · status TEXT · stats k=v … ·
 *	                  drained finished=N handed=N cut=N · failed TEXT · upstream N NAME · resolved N ADDRESS … · stranded
 *	master → worker   drain SECONDS · stop · drain-upstream NAME · enable-upstream NAME ·
 *	                  recall-upstream NAME down=N streak=N result=N · resolve-upstream NAME ADDRESS …
 *
 * and, with a descriptor each, one to a packet on the handoff channel:
 *
 *	master → worker   outbox SHARE · inbox
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include "ipc/counters.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX PIPE_BUF /* with the newline */

enum message_type {
	MESSAGE_UNKNOWN, /* a well-formed word that is none of these: to be logged once and ignored */
	MESSAGE_HELLO,
	MESSAGE_READY,
	MESSAGE_ALIVE,
	MESSAGE_STATUS,
	MESSAGE_STATS,
	MESSAGE_DRAINED,
	MESSAGE_FAILED,
	MESSAGE_UPSTREAM,
	MESSAGE_RESOLVED,
	MESSAGE_STRANDED,
	MESSAGE_DRAIN,
	MESSAGE_STOP,
	MESSAGE_DRAIN_UPSTREAM,
	MESSAGE_ENABLE_UPSTREAM,
	MESSAGE_RECALL_UPSTREAM,
	MESSAGE_RESOLVE_UPSTREAM,
	MESSAGE_OUTBOX,
	MESSAGE_INBOX,
	MESSAGE_TYPES
};

enum message_direction {
	MESSAGE_TO_MASTER,
	MESSAGE_TO_WORKER,
	MESSAGE_WITH_FD, /* to the worker, on the handoff channel */
};

#define MESSAGE_SHARE_MAX 1000000 /* far more than anybody needs: shares are relative to each other */

/* Texts point into the line that was parsed, and live as long as it does. */
struct message {
	enum message_type type;
	const char *text; /* status, failed: the rest of the line; unknown: the whole line; stats: its pairs;
			  upstream, drain-upstream, enable-upstream, recall-upstream, resolve-upstream: the name */
	const char *addresses; /* resolved, resolve-upstream: numeric ones, with a blank between them */
	uint64_t number;       /* upstream, resolved: which of the blocks of the counter page is its own */
	struct {
		uint64_t version;
		const char *name;
		const char *program_version;
	} hello;
	struct {
		uint64_t finished, handed, cut;
	} drained;
	struct upstream_health health; /* recall-upstream */
	uint64_t drain_us;
	uint64_t
		share; /* outbox: of the worker's connections, relative to that of other outboxes; 1 … MESSAGE_SHARE_MAX */
};

/*
 * Parses one line (without its newline; cut apart in place) that came in this direction. 0 with *ret, or
 * -EBADMSG with *ret_error, a constant text that says what is wrong. Strict: a known word must have just the
 * arguments that it should.
 */
int message_parse(char *line, enum message_direction direction, struct message *ret, const char **ret_error);

/*
 * Takes the next `key=number` off the pairs of `stats` (or of `drained`). 1 with *ret_key and *ret_value; 0
 * when there are no more; -EBADMSG for a pair that is none. *pairs is cut apart and moved on.
 */
int message_next_pair(char **pairs, const char **ret_key, uint64_t *ret_value);

/*
 * Makes a line, newline included, in buf; returns its length. Text arguments are made safe: control
 * characters become '?', what is too long is cut.
 */
size_t message_format_word(
	char buf[static MESSAGE_MAX], enum message_type type); /* ready alive stop inbox stranded */
size_t message_format_text(
	char buf[static MESSAGE_MAX], enum message_type type, const char *text); /* status failed */
size_t message_format_hello(char buf[static MESSAGE_MAX], const char *name, const char *version);
size_t message_format_drained(char buf[static MESSAGE_MAX], uint64_t finished, uint64_t handed, uint64_t cut);
size_t message_format_drain(char buf[static MESSAGE_MAX], uint64_t drain_us);
/* drain-upstream, enable-upstream: message_format_text */
size_t message_format_upstream(char buf[static MESSAGE_MAX], size_t number, const char *name);
size_t message_format_resolved(char buf[static MESSAGE_MAX], size_t number, const char *addresses);
size_t message_format_resolve(char buf[static MESSAGE_MAX], const char *name, const char *addresses);
size_t message_format_recall(
	char buf[static MESSAGE_MAX], const char *name, const struct upstream_health *health);
size_t message_format_outbox(char buf[static MESSAGE_MAX], uint64_t share);

#endif
