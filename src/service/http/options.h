/*
 * The options of the service `http`.
 */
#ifndef SERVICE_HTTP_OPTIONS_H
#define SERVICE_HTTP_OPTIONS_H

#include "config/option.h"
#include "http/limits.h"

struct http_options {
	char *root; /* NULL: the welcome page */
	char *index;
	bool access_log;
	unsigned keepalive_requests; /* 0: any number */
	uint64_t max_header, max_body;
	uint64_t header_timeout_us, body_timeout_us, idle_timeout_us, send_timeout_us, idle_grace_us;
};

const struct option_table *http_options_table(void);

/* The options as they were given; http_options_done is due, errors or not. 0, or -ENOMEM. */
int http_options_read(struct http_options *options, const struct config *config, struct problems *problems);
void http_options_done(struct http_options *options);

/* Reads them, and adds to `problems` what is wrong. */
void http_options_check(const struct config *config, struct problems *problems);

/* What follows from them for the HTTP layer. */
void http_options_limits(const struct http_options *options, struct http_limits *ret);

#endif
