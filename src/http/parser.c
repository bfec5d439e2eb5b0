/*
 * Over libhttp-parser 2.
 *
 * Only heads are parsed, each in one call: so every name and value comes in one piece, and the library has no state
 * that would have to be kept. What it is too lax about is refused before (head.c) and after (request.c). In
 * particular its own idea of how long the body is isn't used.
 */
#include "http/parser.h"

#include <http_parser.h>

struct parsing {
	struct http_request *request;
	bool overflow;   /* there are more fields than it can hold */
	unsigned n_ends; /* ends of a head that the library has seen */
};

static enum http_verb
verb_of(const http_parser *parser)
{
	switch (parser->method) {
	case HTTP_GET:
		return HTTP_VERB_GET;
	case HTTP_HEAD:
		return HTTP_VERB_HEAD;
	case HTTP_POST:
		return HTTP_VERB_POST;
	case HTTP_PUT:
		return HTTP_VERB_PUT;
	case HTTP_PATCH:
		return HTTP_VERB_PATCH;
	case HTTP_DELETE:
		return HTTP_VERB_DELETE;
	case HTTP_OPTIONS:
		return HTTP_VERB_OPTIONS;
	case HTTP_TRACE:
		return HTTP_VERB_TRACE;
	case HTTP_CONNECT:
		return HTTP_VERB_CONNECT;
	default:
		return HTTP_VERB_OTHER;
	}
}

static int
on_url(http_parser *parser, const char *at, size_t len)
{
	struct parsing *parsing = parser->data;

	parsing->request->target = (struct http_text){ at, len };
	return 0;
}

static int
on_header_field(http_parser *parser, const char *at, size_t len)
{
	struct parsing *parsing = parser->data;
	struct http_request *request = parsing->request;

	parsing->overflow = request->n_fields == HTTP_FIELDS_MAX;
	if (parsing->overflow)
		return -1;
	request->fields[request->n_fields++] = (struct http_field){ .name = { at, len }, .value = { at, 0 } };
	return 0;
}

static int
on_header_value(http_parser *parser, const char *at, size_t len)
{
	struct parsing *parsing = parser->data;
	struct http_request *request = parsing->request;

	/* what is behind the value belongs to it here; what is before does not */
	request->fields[request->n_fields - 1].value = http_text_trim((struct http_text){ at, len });
	return 0;
}

/* Stops the parser before it thinks about a body: 1 is "there is none". */
static int
on_headers_complete(http_parser *parser)
{
	struct parsing *parsing = parser->data;

	parsing->n_ends++;
	return 1;
}

static int
status_of(const http_parser *parser, const struct parsing *parsing)
{
	switch (HTTP_PARSER_ERRNO(parser)) {
	case HPE_OK:
		break;
	case HPE_INVALID_METHOD: /* a token, as head.c has seen, but of no method that is known */
		return 501;
	case HPE_HEADER_OVERFLOW:
		return 431;
	case HPE_INVALID_VERSION:
		return 505;
	default:
		return parsing->overflow ? 431 : 400;
	}
	if (parsing->n_ends !=
		1) /* it doesn't agree with head.c about where the head ends: can't be, and must not */
		return 400;
	return parser->http_major == 1 ? 0 : 505;
}

int
http_request_parse(struct http_request *ret, const char *head, size_t len)
{
	static const http_parser_settings settings = {
		.on_url = on_url,
		.on_header_field = on_header_field,
		.on_header_value = on_header_value,
		.on_headers_complete = on_headers_complete,
	};
	struct parsing parsing = { .request = ret };
	http_parser parser;
	int status;

	/* but for the array of fields, of which n_fields says how much counts */
	memset(ret, 0, offsetof(struct http_request, fields));
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &parsing;
	http_parser_execute(&parser, &settings, head, len);
	status = status_of(&parser, &parsing);
	if (status != 0)
		return status;
	ret->verb = verb_of(&parser);
	ret->method.at = head;
	ret->method.len = strlen(http_method_str((enum http_method)parser.method));
	ret->minor = parser.http_minor > 0 ? 1 : 0;
	return 0;
}
