/*
 * What the daemon answers, as JSON; and what it says when it does not.
 */
#ifndef CTL_API_H
#define CTL_API_H

#include "ctl/client.h"

#include <jansson.h>
#include <stdio.h>

/* How long a question may take that the daemon can answer at once. */
#define API_TIMEOUT_US UINT64_C(10000000)

static inline void
cleanup_json_(json_t **json)
{
	json_decref(*json);
}

/* A local json_t * that is released at the end of its scope; must be initialised. */
#define cleanup_json __attribute__((cleanup(cleanup_json_)))

/* The object that this text is. 0 with *ret (to be released); else -EPROTO or -ENOMEM, with client_error. */
int api_parse(struct client *client, const char *text, size_t len, json_t **ret);

/*
 * Looks at an answer's status. 0 for 2xx; else, with client_error saying what the daemon said: -EACCES for 403, -EAGAIN for 503 (it cannot
 * now), -EINVAL for other 4xx, -EPROTO.
 */
int api_check(struct client *client, const struct client_answer *answer);

/* Asks for a JSON object. 0 with *ret (to be released); else negative errno with client_error. */
int api_get(struct client *client, const char *path, json_t **ret);

/* Asks for a text. 0 with *ret (to be freed) and *ret_len; else negative errno with client_error. */
int api_get_text(struct client *client, const char *path, char **ret, size_t *ret_len);

/* Prints it, with flags of json_dumps and a newline, in ASCII and without a control character. 0, or -ENOMEM. */
int api_print(const json_t *json, size_t flags, FILE *out);

/* A member's string, number or length; `none`, NULL or 0 where it is missing, null, or something else. Numbers below 0 are 0. */
const char *api_string(const json_t *object, const char *name, const char *none);
uint64_t api_count(const json_t *object, const char *name);

/* A duration in this unit; UINT64_MAX where there is none. */
uint64_t api_duration_us(const json_t *object, const char *name, uint64_t unit_us);

#endif
