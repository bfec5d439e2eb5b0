/*
 * Requests that depend on which version of a file the client has (RFC 9110, section 13).
 */
#ifndef SERVICE_HTTP_CONDITION_H
#define SERVICE_HTTP_CONDITION_H

#include "http/request.h"

#include <time.h>

/* Which version of a file there is. */
struct version {
	struct http_text tag; /* with its quotes, without W/ */
	bool is_weak;         /* the file may change once more without getting another tag or date */
	time_t modified;
};

enum condition {
	CONDITION_MET,          /* or there is none */
	CONDITION_NOT_MODIFIED, /* the client has this version: 304 */
	CONDITION_FAILED,       /* the client wants another one: 412 */
};

/* For a request by GET or HEAD. */
enum condition condition_check(const struct http_request *request, const struct version *version);

/* If-Range: does the client, who has one part, have a part of this version? true also when it doesn't say. */
bool condition_allows_range(const struct http_request *request, const struct version *version);

#endif
