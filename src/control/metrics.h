/*
 * What the daemon counts, as OpenMetrics text (GET /metrics).
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include "master/reload.h"
#include "master/report.h"

#include <stddef.h>

#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* The whole page, to be freed; NULL when there is no memory. */
char *metrics_text(const struct report *report, const struct reload *reload, size_t *ret_len);

#endif
