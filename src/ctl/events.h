/*
 * The stream of events: cut into lines, and each read as a JSON object; and gracefulctl events.
 */
#ifndef CTL_EVENTS_H
#define CTL_EVENTS_H

#include "ctl/ctl.h"

#include <jansson.h>

#define EVENTS_LINE_MAX (64 * 1024) /* bytes; a line of the log is a hundredth of that */

/* Takes one event. Returns 0, or negative errno to end the stream with. */
typedef int events_fn(const json_t *event, void *arg);

struct events {
	struct client *client;
	events_fn *on_event;
	void *arg;
	char *line; /* what has come of a line */
	size_t len;
};

void events_init(struct events *events, struct client *client, events_fn *on_event, void *arg);
void events_done(struct events *events);

/* A client_data_fn, for a struct events *. -EPROTO, with client_error, when a line makes no sense or does not end. */
int events_feed(const char *data, size_t len, void *arg);

/* events [--json] */
ctl_command_fn events_run;

#endif
