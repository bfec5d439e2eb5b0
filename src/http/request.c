/*
 * What follows from a request's fields, and which requests are refused for them.
 *
 * Two programs that disagree about where a request ends can be made to see a different next one (request smuggling),
 * so all that could be read in two ways is refused, even where the standard would allow to repair it:
 *
 *  - Content-Length with Transfer-Encoding; more than one of either, even if equal; a length that is not all digits
 *  - Transfer-Encoding other than exactly "chunked", and any in HTTP/1.0, which did not know it
 *  - a tab before or behind the value of either: it is white space, but to some only a space is
 *  - no Host in HTTP/1.1; more than one Host in any version; a Host that is no host
 */
#include "http/request.h"

#include "http/chars.h"

#include <ctype.h>
#include <strings.h>

bool
http_text_equal_nocase(struct http_text a, struct http_text b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

struct http_text
http_text_trim(struct http_text text)
{
	while (text.len > 0 && is_space(text.at[0]))
		text.at++, text.len--;
	while (text.len > 0 && is_space(text.at[text.len - 1]))
		text.len--;
	return text;
}

bool
http_text_next(struct http_text *list, struct http_text *ret)
{
	while (list->len > 0) {
		const char *comma = memchr(list->at, ',', list->len);
		size_t len = comma ? (size_t)(comma - list->at) : list->len;
		struct http_text element = http_text_trim((struct http_text){ list->at, len });

		list->at += len + (comma != NULL);
		list->len -= len + (comma != NULL);
		if (element.len > 0) {
			*ret = element;
			return true;
		}
	}
	return false;
}

const struct http_text *
http_request_field(const struct http_request *request, struct http_text name)
{
	for (size_t i = 0; i < request->n_fields; i++)
		if (http_text_equal_nocase(request->fields[i].name, name))
			return &request->fields[i].value;
	return NULL;
}

/* The fields that the layer acts on. What occurs once at most is NULL or the one. */
struct framing_fields {
	const struct http_text *host, *length, *coding, *expect;
	bool close, keep_alive; /* from all Connection fields */
};

static void
read_connection(struct framing_fields *fields, struct http_text list)
{
	struct http_text option;

	while (http_text_next(&list, &option)) {
		if (http_text_equal_nocase(option, HTTP_TEXT("close")))
			fields->close = true;
		else if (http_text_equal_nocase(option, HTTP_TEXT("keep-alive")))
			fields->keep_alive = true;
	}
}

/* Notes one that may occur only once. */
static int
set_once(const struct http_text **slot, const struct http_text *value)
{
	if (*slot)
		return 400;
	*slot = value;
	return 0;
}

/* In the white space around a value, up to the colon before it and the CR behind it. */
static bool
has_tab_around(const struct http_text *value)
{
	const char *before = value->at - 1, *behind = value->at + value->len;

	while (*before == ' ')
		before--;
	while (*behind == ' ')
		behind++;
	return *before == '\t' || *behind == '\t';
}

/* … one that says where the request ends. */
static int
set_framing(const struct http_text **slot, const struct http_text *value)
{
	return has_tab_around(value) ? 400 : set_once(slot, value);
}

static int
read_field(struct framing_fields *fields, const struct http_field *field)
{
	/* by length first: most fields are none of these, and are looked at no further */
	switch (field->name.len) {
	case sizeof("Host") - 1:
		if (http_text_equal_nocase(field->name, HTTP_TEXT("Host")))
			return set_once(&fields->host, &field->value);
		break;
	case sizeof("Expect") - 1:
		if (http_text_equal_nocase(field->name, HTTP_TEXT("Expect")))
			return set_once(&fields->expect, &field->value);
		break;
	case sizeof("Connection") - 1:
		if (http_text_equal_nocase(field->name, HTTP_TEXT("Connection")))
			read_connection(fields, field->value);
		break;
	case sizeof("Content-Length") - 1:
		if (http_text_equal_nocase(field->name, HTTP_TEXT("Content-Length")))
			return set_framing(&fields->length, &field->value);
		break;
	case sizeof("Transfer-Encoding") - 1:
		if (http_text_equal_nocase(field->name, HTTP_TEXT("Transfer-Encoding")))
			return set_framing(&fields->coding, &field->value);
		break;
	default:
		break;
	}
	return 0;
}

/* A port may be empty (RFC 3986, 3.2.3). */
static bool
is_port(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)at[i]))
			return false;
	return len <= 5;
}

/* How many characters of an IPv6 address there are at the beginning. */
static size_t
ipv6_span(const char *at, size_t len)
{
	size_t n = 0;

	while (n < len && (isxdigit((unsigned char)at[n]) || at[n] == ':' || at[n] == '.'))
		n++;
	return n;
}

/*
 * host [":" port], where host is a name, an IPv4 address, or an IPv6 address in brackets. Not a full check of the
 * grammar: what matters is that nothing passes that others read as the end of it, as a slash, a comma, white space or
 * an '@'.
 */
static bool
is_authority(struct http_text host)
{
	bool bracket = host.len > 0 && host.at[0] == '[';
	size_t i = bracket ? 1 + ipv6_span(host.at + 1, host.len - 1)
	                   : http_chars_span(host.at, host.len, HTTP_CHARS_NAME);

	if (bracket && (i == 1 || i == host.len || host.at[i++] != ']'))
		return false;
	return i == host.len || (host.at[i] == ':' && is_port(host.at + i + 1, host.len - i - 1));
}

/* Splits path and query. */
static void
set_path(struct http_request *request, struct http_text text)
{
	const char *mark = memchr(text.at, '?', text.len);
	size_t len = mark ? (size_t)(mark - text.at) : text.len;

	request->path = (struct http_text){ text.at, len };
	request->query = mark ? (struct http_text){ mark + 1, text.len - len - 1 } : HTTP_TEXT("");
	if (request->path.len == 0)
		request->path = HTTP_TEXT("/");
}

/*
 * http://host/path?query: what a client says to a proxy; every server must understand it. Its host counts, not that
 * of the field.
 */
static int
read_absolute(struct http_request *request, size_t scheme_len)
{
	struct http_text rest = { request->target.at + scheme_len, request->target.len - scheme_len };
	size_t len = 0;

	while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?')
		len++;
	request->host = (struct http_text){ rest.at, len };
	if (len == 0 || !is_authority(request->host))
		return 400;
	set_path(request, (struct http_text){ rest.at + len, rest.len - len });
	return 0;
}

static bool
starts_with(struct http_text text, struct http_text prefix)
{
	return text.len >= prefix.len &&
	       http_text_equal_nocase((struct http_text){ text.at, prefix.len }, prefix);
}

static int
read_target(struct http_request *request)
{
	struct http_text target = request->target;

	if (request->verb == HTTP_VERB_CONNECT)
		return 501; /* a tunnel: we are no proxy */
	if (target.len == 0 || http_chars_span(target.at, target.len, HTTP_CHARS_TARGET) < target.len)
		return 400;
	if (target.at[0] == '/') {
		set_path(request, target);
		return 0;
	}
	if (http_text_equal(target, HTTP_TEXT("*"))) {
		request->path = target;
		request->query = HTTP_TEXT("");
		return request->verb == HTTP_VERB_OPTIONS ? 0 : 400;
	}
	if (starts_with(target, HTTP_TEXT("http://")))
		return read_absolute(request, strlen("http://"));
	if (starts_with(target, HTTP_TEXT("https://"))) /* from one who has taken TLS off for us */
		return read_absolute(request, strlen("https://"));
	return 400;
}

static int
read_host(struct http_request *request, const struct http_text *host)
{
	if (!host && request->minor > 0)
		return 400;
	if (host && !is_authority(*host))
		return 400;
	request->host = host ? *host : HTTP_TEXT("");
	return 0;
}

/* Digits only: no sign, no space, no list. */
static int
read_length(struct http_request *request, struct http_text value)
{
	uint64_t length = 0;

	/* 18 digits can't overflow */
	if (value.len == 0 || value.len > 18)
		return 400;
	for (size_t i = 0; i < value.len; i++) {
		if (!isdigit((unsigned char)value.at[i]))
			return 400;
		length = length * 10 + (uint64_t)(value.at[i] - '0');
	}
	request->content_length = length;
	return 0;
}

/*
 * Only "chunked" is known. What ends in it is a body that could be found the end of, but not understood; all else is
 * none.
 */
static int
read_coding(struct http_request *request, struct http_text list)
{
	struct http_text coding = HTTP_TEXT("");
	size_t n = 0, n_chunked = 0;

	if (request->minor == 0)
		return 400;
	request->chunked = http_text_equal_nocase(list, HTTP_TEXT("chunked"));
	if (request->chunked)
		return 0;
	for (; http_text_next(&list, &coding); n++)
		n_chunked += http_text_equal_nocase(coding, HTTP_TEXT("chunked"));
	return n > 1 && n_chunked == 1 && http_text_equal_nocase(coding, HTTP_TEXT("chunked")) ? 501 : 400;
}

static int
read_body_framing(struct http_request *request, const struct framing_fields *fields)
{
	if (fields->length && fields->coding)
		return 400;
	if (fields->coding)
		return read_coding(request, *fields->coding);
	return fields->length ? read_length(request, *fields->length) : 0;
}

static int
read_expectation(struct http_request *request, const struct http_text *expect)
{
	if (!expect || request->minor == 0)
		return 0;
	if (!http_text_equal_nocase(*expect, HTTP_TEXT("100-continue")))
		return 417;
	request->expects_continue = request->chunked || request->content_length > 0;
	return 0;
}

int
http_request_check(struct http_request *request)
{
	struct framing_fields fields = { .host = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->n_fields; i++)
		r = read_field(&fields, &request->fields[i]);
	if (r == 0)
		r = read_host(request, fields.host);
	if (r == 0)
		r = read_target(request);
	if (r == 0)
		r = read_body_framing(request, &fields);
	if (r == 0)
		r = read_expectation(request, fields.expect);
	request->keep_alive = !fields.close && (request->minor > 0 || fields.keep_alive);
	return r;
}
