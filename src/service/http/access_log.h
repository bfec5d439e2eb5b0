/*
 * One line of JSON for each request, in the log. Its length is bounded, and nothing waits for the log: what it can't
 * take is lost and counted there.
 */
#ifndef SERVICE_HTTP_ACCESS_LOG_H
#define SERVICE_HTTP_ACCESS_LOG_H

#include "http/request.h"

#define ACCESS_LOG_LINE_MAX   2000 /* within LOG_TEXT_MAX */
#define ACCESS_LOG_CLIENT_MAX 56   /* "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" */

/* What there is to say. Texts that are not known are empty. */
struct access {
	const char *client;
	const struct http_request *request; /* NULL: it could not be understood */
	int status;
	uint64_t length; /* of the reply's body */
};

/* Who the other end of a socket is: "192.0.2.1:80", "[2001:db8::1]:80", or "unix". */
void access_log_client(int fd, char dst[ACCESS_LOG_CLIENT_MAX]);

/* The line, without an end. Texts that are too long for it end in "...". */
void access_log_format(const struct access *access, char dst[ACCESS_LOG_LINE_MAX]);

void access_log_write(const struct access *access);

#endif
