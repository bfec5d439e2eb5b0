/*
 * Answering a request with JSON.
 */
#ifndef CONTROL_JSON_REPLY_H
#define CONTROL_JSON_REPLY_H

#include "http/reply.h"

#include <jansson.h>

/* A string. Text from outside may be no UTF-8, which JSON must be: it is escaped then. NULL: no memory. */
json_t *json_text(const char *text);

/* The whole reply. Takes `json`; NULL means that there was no memory for it. */
void json_reply(struct http_connection *connection, int status, json_t *json);

/* {"error": TEXT} */
void json_reply_error(struct http_connection *connection, int status, const char *text);

#endif
