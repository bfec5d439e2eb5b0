/*
 * A head taken apart. Each line has been checked by head.c, so there is nothing more to find out about it: the request line is a method, a
 * target and a version with a space between them, and a field a name, a colon and a value.
 */
#include "http/parser.h"

#include "base/cleanup.h"
#include "http/head.h"

static const struct {
	struct http_text name;
	enum http_verb verb;
} methods[] = {
	{ HTTP_TEXT("GET"), HTTP_VERB_GET },
	{ HTTP_TEXT("HEAD"), HTTP_VERB_HEAD },
	{ HTTP_TEXT("POST"), HTTP_VERB_POST },
	{ HTTP_TEXT("PUT"), HTTP_VERB_PUT },
	{ HTTP_TEXT("PATCH"), HTTP_VERB_PATCH },
	{ HTTP_TEXT("DELETE"), HTTP_VERB_DELETE },
	{ HTTP_TEXT("OPTIONS"), HTTP_VERB_OPTIONS },
	{ HTTP_TEXT("TRACE"), HTTP_VERB_TRACE },
	{ HTTP_TEXT("CONNECT"), HTTP_VERB_CONNECT },
};

static enum http_verb
verb_of(struct http_text method)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (http_text_equal(method, methods[i].name))
			return methods[i].verb;
	return HTTP_VERB_UNKNOWN;
}

/* `len` with the line's end. */
static int
split_request_line(struct http_request *ret, const char *line, size_t len)
{
	const size_t behind = HTTP_VERSION_LEN + HTTP_CRLF_LEN;
	const char *space = memchr(line, ' ', len), *version;

	if (!space || (size_t)(line + len - space) < strlen(" t ") + behind) /* can't be, and must not */
		return 400;
	version = line + len - behind;
	ret->method = (struct http_text){ line, (size_t)(space - line) };
	ret->target = (struct http_text){ space + 1, (size_t)(version - 1 - (space + 1)) };
	ret->verb = verb_of(ret->method);
	ret->minor = version[HTTP_VERSION_LEN - 1] > '0' ? 1 : 0;
	if (ret->verb == HTTP_VERB_UNKNOWN)
		return 501;
	return version[HTTP_VERSION_LEN - 3] == '1' ? 0 : 505;
}

/* Up to the empty line. */
static int
split_fields(struct http_request *ret, const char *at, const char *end)
{
	while (end - at > HTTP_CRLF_LEN) {
		const char *colon = memchr(at, ':', (size_t)(end - at));
		const char *lf = colon ? memchr(colon, '\n', (size_t)(end - colon)) : NULL;

		if (!lf) /* can't be, and must not */
			return 400;
		if (ret->n_fields == HTTP_FIELDS_MAX)
			return 431;
		ret->fields[ret->n_fields++] = (struct http_field){
			.name = { at, (size_t)(colon - at) },
			.value = http_text_trim(
				(struct http_text){ colon + 1, (size_t)(lf - 1 - (colon + 1)) }),
		};
		at = lf + 1;
	}
	return 0;
}

int
http_request_parse(struct http_request *ret, const char *head, size_t len)
{
	const char *lf = memchr(head, '\n', len);
	size_t line_len = lf ? (size_t)(lf + 1 - head) : len;
	int status;

	/* but for the array of fields, of which n_fields says how much counts */
	memset(ret, 0, offsetof(struct http_request, fields));
	status = split_request_line(ret, head, line_len);
	return status != 0 ? status : split_fields(ret, head + line_len, head + len);
}
