/*
 * Dates of HTTP (RFC 9110, 5.6.7).
 */
#ifndef SERVICE_HTTP_DATE_H
#define SERVICE_HTTP_DATE_H

#include "http/request.h"

#include <time.h>

#define DATE_SIZE sizeof("Sun, 06 Nov 1994 08:49:37 GMT")

/* Writes it, with a NUL at its end. Years beyond 9999 become 9999. */
void date_format(time_t when, char dst[DATE_SIZE]);

/* Reads any of the three forms that there have been. 0, or -EINVAL. */
int date_parse(struct http_text text, time_t *ret);

/* The field "Date", written once for each second. All zero at first. */
struct date_line {
	time_t now; /* what it says */
	char text[sizeof("Date: \r\n") + DATE_SIZE];
};

/* The field as it is now, complete with its line end, and in line->now the second that it means. */
struct http_text date_line_get(struct date_line *line);

#endif
