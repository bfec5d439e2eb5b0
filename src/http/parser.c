/*
 * Over libhttp-parser 2, which takes the request line apart, in one call: so the target comes in one piece, and the library has no state
 * that would have to be kept. What it is too lax about is refused before (head.c) and after (request.c). In particular its own idea of how
 * long the body is isn't used.
 *
 * It sees no fields. Each is a line, a name, a colon and a value, when head.c has passed them: there is no more to find out about them, and
 * the library would look at every byte again, and be laxer.
 */
#include "http/parser.h"

#include <http_parser.h>

struct parsing {
	struct http_request *request;
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
	case HPE_INVALID_VERSION:
		return 505;
	default:
		return 400;
	}
	/* does it not agree with head.c about where the line ends? That can't be, and must not. */
	if (parsing->n_ends != 1)
		return 400;
	return parser->http_major == 1 ? 0 : 505;
}

static int
parse_request_line(struct http_request *ret, const char *line, size_t len)
{
	static const http_parser_settings settings = {
		.on_url = on_url,
		.on_headers_complete = on_headers_complete,
	};
	struct parsing parsing = { .request = ret };
	http_parser parser;
	int status;

	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &parsing;
	http_parser_execute(&parser, &settings, line, len);
	http_parser_execute(&parser, &settings, "\r\n", 2);
	status = status_of(&parser, &parsing);
	if (status != 0)
		return status;
	ret->verb = verb_of(&parser);
	ret->method.at = line;
	ret->method.len = strlen(http_method_str((enum http_method)parser.method));
	ret->minor = parser.http_minor > 0 ? 1 : 0;
	return 0;
}

/* Up to the empty line. */
static int
split_fields(struct http_request *ret, const char *at, const char *end)
{
	while (end - at > 2) {
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
	status = parse_request_line(ret, head, line_len);
	return status != 0 ? status : split_fields(ret, head + line_len, head + len);
}
