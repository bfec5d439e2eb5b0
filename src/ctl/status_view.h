/*
 * The status for a person: a few lines about the daemon, and a table of its workers.
 */
#ifndef CTL_STATUS_VIEW_H
#define CTL_STATUS_VIEW_H

#include "ctl/terminal.h"

#include <jansson.h>
#include <stdio.h>

/* Prints what the daemon has answered to /v1/status. What is missing there is left out. */
void status_view_print(const json_t *status, const struct terminal *terminal, FILE *out);

#endif
