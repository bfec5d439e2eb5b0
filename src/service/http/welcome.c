/*
 * The page that is served without a root, as text, HTML or JSON. What changes in it is a number of seconds, so it is
 * made once for each second.
 */
#include "service/http/welcome.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "service/http/accept.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* What the page says: arguments of printf for "%d … %" PRIu64 three times. */
#define FACTS(welcome, uptime) (int)getpid(), (welcome)->slot, (welcome)->generation, uptime

typedef int print_fn(const struct welcome *welcome, uint64_t uptime, char *dst, size_t size);

static int
print_text(const struct welcome *welcome, uint64_t uptime, char *dst, size_t size)
{
	return snprintf(dst, size,
		"hello world\n"
		"worker %d, slot %" PRIu64 ", generation %" PRIu64 ", up %" PRIu64 " s\n",
		FACTS(welcome, uptime));
}

static int
print_html(const struct welcome *welcome, uint64_t uptime, char *dst, size_t size)
{
	return snprintf(dst, size,
		"<!DOCTYPE html>\n"
		"<html lang=\"en\">\n"
		"<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<title>hello world</title>\n"
		"<style>\n"
		":root{color-scheme:light dark}\n"
		"body{font:1.2em/1.5 system-ui,sans-serif;max-width:30em;margin:15vh auto;padding:0 1em}\n"
		"dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1.5em}\n"
		"dt{opacity:.6}dd{margin:0}\n"
		"</style>\n"
		"<h1>hello world</h1>\n"
		"<dl><dt>worker<dd>%d<dt>slot<dd>%" PRIu64 "<dt>generation<dd>%" PRIu64
		"<dt>uptime<dd>%" PRIu64 " s</dl>\n"
		"</html>\n",
		FACTS(welcome, uptime));
}

static int
print_json(const struct welcome *welcome, uint64_t uptime, char *dst, size_t size)
{
	return snprintf(dst, size,
		"{\"message\":\"hello world\",\"pid\":%d,\"slot\":%" PRIu64 ",\"generation\":%" PRIu64
		",\"uptime_s\":%" PRIu64 "}\n",
		FACTS(welcome, uptime));
}

/* In the order of preference where a client has none. */
static const struct http_text types[WELCOME_FORMS] = { { "text/plain", 10 }, { "text/html", 9 },
	{ "application/json", 16 } };

static const struct {
	const char *parameters; /* of the type */
	print_fn *print;
} forms[WELCOME_FORMS] = {
	{ "; charset=utf-8", print_text },
	{ "; charset=utf-8", print_html },
	{ "", print_json },
};

void
welcome_init(struct welcome *welcome, uint64_t slot, uint64_t generation)
{
	welcome->slot = slot;
	welcome->generation = generation;
	welcome->started_us = clock_now_us();
	welcome->made = 0;
}

/* What printf says, of a text that fits as its parts are bounded. */
static size_t
fitting(int n, size_t size)
{
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static void
make_pages(struct welcome *welcome)
{
	uint64_t uptime = (clock_now_us() - welcome->started_us) / US_PER_SEC;

	for (size_t i = 0; i < WELCOME_FORMS; i++) {
		char *text = welcome->page[i].text;
		size_t size = sizeof(welcome->page[i].text);
		size_t len =
			fitting(snprintf(text, size,
					"Content-Type: %s%s\r\nVary: Accept\r\nCache-Control: no-store\r\n",
					types[i].at, forms[i].parameters),
				size);

		welcome->page[i].head_len = len;
		len += fitting(forms[i].print(welcome, uptime, text + len, size - len), size - len);
		welcome->page[i].len = len;
	}
}

void
welcome_answer(struct welcome *welcome, struct exchange *exchange)
{
	size_t form, head_len;
	const char *text;

	if (!exchange_is_read(exchange))
		return;
	if (!http_text_equal(exchange->request->path, HTTP_TEXT("/"))) {
		exchange_error(exchange, 404);
		return;
	}
	exchange_start(exchange, 200);
	if (welcome->made != exchange->date->now) {
		make_pages(welcome);
		welcome->made = exchange->date->now;
	}
	form = accept_choose(exchange->request, types, ARRAY_LEN(types));
	text = welcome->page[form].text;
	head_len = welcome->page[form].head_len;
	http_reply_lines(exchange->connection, (struct http_text){ text, head_len });
	exchange_send(exchange, (struct http_text){ text + head_len, welcome->page[form].len - head_len });
}
