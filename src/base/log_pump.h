/*
 * Offers the log's sink again what it could not take at once, from an event loop.
 *
 * By a timer, and not when the sink's descriptor is ready: what a log is written to may be a file, which no loop waits for, and may be
 * another one after each reload. It runs only while something waits.
 */
#ifndef BASE_LOG_PUMP_H
#define BASE_LOG_PUMP_H

#include <event2/event.h>

struct log_pump;

/* For the one log of this process, from now until it is freed. NULL: no memory. */
struct log_pump *log_pump_new(struct event_base *base);

/* What waits stays; see log_finish. NULL is fine. */
void log_pump_free(struct log_pump *pump);

#endif
