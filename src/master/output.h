/*
 * What a hosted program writes to its standard output and standard error: one pipe, whose lines go into the log with slot and
 * generation.
 *
 * Nothing that it writes can hold up the master: little is read in a turn, behind all that matters more, and all programs together get
 * half of a processor. Who writes faster than the log takes it waits, as at any full pipe; nothing is lost.
 */
#ifndef MASTER_OUTPUT_H
#define MASTER_OUTPUT_H

#include "base/clock.h"
#include "base/pace.h"
#include "master/heritage.h"
#include "master/log_event.h"

#include <event2/event.h>
#include <sys/queue.h>

#define OUTPUT_LINE_MAX  1536       /* bytes of a record; a longer line becomes several */
#define OUTPUT_TURN_MAX  (8 * 1024) /* bytes read at a time */
#define OUTPUT_QUOTE_MAX 160        /* bytes of a line that a verdict quotes, with its NUL */

/* All programs together: half of a processor. */
#define OUTPUT_REST      1
#define OUTPUT_CREDIT_US (10 * US_PER_MS)
/* A log that takes nothing is asked again after so long … */
#define OUTPUT_RETRY_US (10 * US_PER_MS)
/* … and may hold the words of a program that has ended for so long. */
#define OUTPUT_END_TIMEOUT_US (5 * US_PER_SEC)

struct output;

LIST_HEAD(output_list, output);

/* What all outputs share. */
struct output_host {
	struct event_base *base;
	struct pace pace;
	struct output_list ending; /* of programs that have ended, not logged to the end yet */
	void (*ended)(void *arg);  /* one of these is done with */
	void *arg;
};

void output_host_init(struct output_host *host, struct event_base *base, void (*ended)(void *arg), void *arg);

/* Frees those that are ending: what they have is lost. */
void output_host_done(struct output_host *host);

/* Makes the pipe. *ret_fd is the program's end. NULL with errno set. */
struct output *output_new(struct output_host *host, int *ret_fd);

/* Reads from now on, for this worker. */
void output_begin(struct output *output, const struct event_about *about);

/*
 * The program has ended: reads what is in the pipe yet, and no more, whoever else may write there. Then output_quote knows the last that
 * was written.
 */
void output_end(struct output *output);

/* The line that tells best why a program has ended, as output_choose finds it. "" when it wrote nothing. */
void output_quote(const struct output *output, char quote[static OUTPUT_QUOTE_MAX]);

/*
 * Of the last that was written: the first line that speaks of an error, and is not indented as a stack or source line is; else the last
 * line. Pure.
 */
void output_choose(const char *text, size_t len, char quote[static OUTPUT_QUOTE_MAX]);

/* Gives it up; after output_end it goes on to log what it has. NULL is fine. */
void output_release(struct output *output);

/* For the master's heritage. */
json_t *output_save(struct heritage *heritage, const struct output *output);
struct output *output_load(struct heritage *heritage, struct output_host *host, const json_t *json);

#endif
