/*
 * One event of the log as a line of JSON, for GET /v1/events.
 */
#ifndef CONTROL_EVENT_JSON_H
#define CONTROL_EVENT_JSON_H

#include "base/log.h"

/* The line with its newline, to be freed; NULL when the record is no event, or there is no memory. */
char *event_json_line(const struct log_record *record);

#endif
