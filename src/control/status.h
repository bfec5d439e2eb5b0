/*
 * What the daemon knows, as JSON: the answer to GET /v1/status, and the outcome of a reload.
 */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include "master/report.h"

#include <jansson.h>

/* The whole status. NULL when there is no memory. */
json_t *status_json(const struct report *report);

/* One outcome, as POST /v1/reload answers it: with its changes and problems. NULL when there is no memory. */
json_t *status_outcome_json(const struct outcome *outcome);

#endif
