/*
 * Status codes and their words.
 */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "http/request.h"

#include <stdbool.h>

/*
 * The whole status line of a reply, "HTTP/1.1 200 OK\r\n". An unknown code gets the line of 500: it is an error of
 * the program.
 */
struct http_text http_status_line(int status);

/* The words of a status, "Not Found". */
struct http_text http_status_reason(int status);

/* Does a reply of this status never have a body, nor a length of it? */
bool http_status_is_bodiless(int status);

#endif
