/*
 * A request as a handler sees it.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes somewhere else; no NUL at their end. */
struct http_text {
	const char *at;
	size_t len;
};

#define HTTP_TEXT(literal)                                             \
	(struct http_text)                                             \
	{                                                              \
		.at = "" literal, .len = sizeof(literal) - sizeof(""), \
	}

/* Is it these bytes? */
static inline bool
http_text_equal(struct http_text a, struct http_text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The same, upper and lower case (of ASCII) being one. */
bool http_text_equal_nocase(struct http_text a, struct http_text b);

/* Without the spaces and tabs around it. */
struct http_text http_text_trim(struct http_text text);

/*
 * The next element of a list "a, b, c", trimmed, taken off *list. false at the end. Empty elements are skipped (RFC
 * 9110, 5.6.1).
 */
bool http_text_next(struct http_text *list, struct http_text *ret);

struct http_field {
	struct http_text name, value; /* without white space around them */
};

/* A request with more fields gets 431, whatever the limit. */
#define HTTP_FIELDS_MAX 100

enum http_verb {
	HTTP_VERB_UNKNOWN, /* never reaches a handler */
	HTTP_VERB_GET,
	HTTP_VERB_HEAD,
	HTTP_VERB_POST,
	HTTP_VERB_PUT,
	HTTP_VERB_PATCH,
	HTTP_VERB_DELETE,
	HTTP_VERB_OPTIONS,
	HTTP_VERB_TRACE,
	HTTP_VERB_CONNECT, /* never reaches a handler */
};

struct http_request {
	enum http_verb verb;
	struct http_text method;
	struct http_text target; /* as it came */
	struct http_text path;   /* "/…", still percent-encoded (http_target_decode); or "*" of OPTIONS */
	struct http_text query;  /* behind the '?', or empty */
	struct http_text host;   /* of the target or of the field Host, with port; may be empty */
	unsigned minor;          /* HTTP/1.minor: 0, or 1 (which later ones are taken for) */
	bool keep_alive;         /* the client would like to send more requests */
	struct http_text body;   /* whole, without the framing of chunks */

	/* How the body comes: by chunks, or by length. Of interest to the layer itself. */
	bool chunked;
	uint64_t content_length; /* 0: no body */
	bool expects_continue;

	size_t n_fields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* The value of the first field of that name, in any case of letters; NULL: there is none. */
const struct http_text *http_request_field(const struct http_request *request, struct http_text name);

/*
 * Draws from method, target, version and fields what the rest of the request follows from, and refuses what other
 * programs on the way may have read differently (RFC 9112, sections 3, 6 and 11.2). The fields must be those of a head that http_head_scan
 * has passed, where they are: what is around a value counts, too. 0, or the status to refuse the request with.
 */
int http_request_check(struct http_request *request);

#endif
