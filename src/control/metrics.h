/*
 * What the daemon counts, as text for Prometheus (GET /metrics).
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include "http/request.h"
#include "master/reload.h"
#include "master/report.h"

#include <stddef.h>

enum metrics_format {
	METRICS_TEXT,        /* Prometheus's own, version 0.0.4: what everything understands */
	METRICS_OPENMETRICS, /* for who asks for it by name */
};

/* What this value of the field Accept asks for; NULL: there is none. */
enum metrics_format metrics_format(const struct http_text *accept);

struct http_text metrics_content_type(enum metrics_format format);

/* The whole page, to be freed; NULL when there is no memory. */
char *metrics_text(enum metrics_format format, const struct report *report, const struct reload *reload,
	size_t *ret_len);

#endif
