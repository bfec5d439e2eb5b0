/*
 * Which requests are understood, which are refused and with what status, and where they end: whatever the pieces they
 * come in.
 */
#include "http/framing.h"

#include "base/cleanup.h"
#include "http/target.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MORE (-EAGAIN)

static const struct http_limits limits = {
	.max_head = 512, .max_target = 64, .max_fields = 6, .max_body = 32, .max_unsent = 1
};

struct result {
	int status;     /* 0, MORE, or the refusal */
	size_t len;     /* of the request, when 0 */
	char text[512]; /* what was understood, when 0 */
};

#define SHOW(text) (int)(text).len, (text).at

static void
describe(const struct http_request *request, char *text, size_t size)
{
	int n = snprintf(text, size, "%.*s p=%.*s q=%.*s h=%.*s 1.%u%s%s b=%.*s", SHOW(request->method),
		SHOW(request->path), SHOW(request->query), SHOW(request->host), request->minor,
		request->keep_alive ? " keep" : "", request->expects_continue ? " expect" : "",
		SHOW(request->body));

	for (size_t i = 0; i < request->n_fields; i++)
		n += snprintf(text + n, size - (size_t)n, " %.*s=[%.*s]", SHOW(request->fields[i].name),
			SHOW(request->fields[i].value));
}

/* Reads all in two steps at most: the first `first` bytes, then one more byte a time, or the rest at once. */
static struct result
scan(const char *data, size_t len, size_t first, bool bytewise)
{
	struct http_framing framing = { .checked = false };
	struct http_request request, scratch;
	struct result result = { .status = MORE };
	/* of its very size, so that a sanitizer sees a read behind the last byte */
	cleanup_free char *copy = malloc(len + 1);
	size_t have = first;

	assert_non_null(copy);
	for (;;) {
		cleanup_free char *exact = malloc(have + (have == 0));

		assert_non_null(exact);
		memcpy(exact, data, have);
		memset(&scratch, 0x55, sizeof(scratch));
		request = scratch;
		result.status = http_framing_scan(&framing, exact, have, &limits, &request, &result.len);
		if (result.status == 0)
			describe(&request, result.text, sizeof(result.text));
		if (result.status != MORE || have == len)
			return result;
		have = bytewise ? have + 1 : len;
	}
}

/* The result for the whole, which must be the same for any pieces. */
static struct result
scan_all_ways(const char *data, size_t len)
{
	struct result whole = scan(data, len, len, false), other;

	for (size_t first = 0; first <= len; first++) {
		other = scan(data, len, first, false);
		assert_int_equal(other.status, whole.status);
		assert_string_equal(other.text, whole.text);
	}
	other = scan(data, len, 0, true);
	assert_int_equal(other.status, whole.status);
	assert_string_equal(other.text, whole.text);
	if (whole.status == 0)
		assert_int_equal(other.len, whole.len);
	return whole;
}

struct good {
	const char *name;
	struct http_text data;
	const char *understood;
	size_t rest; /* bytes behind it */
};

#define H "Host: a\r\n"

static const struct good good[] = {
	{ "plain", HTTP_TEXT("GET / HTTP/1.1\r\n" H "\r\n"), "GET p=/ q= h=a 1.1 keep b= Host=[a]", 0 },
	{ "query", HTTP_TEXT("GET /x?a=b?c HTTP/1.1\r\n" H "\r\n"),
		"GET p=/x q=a=b?c h=a 1.1 keep b= Host=[a]", 0 },
	{ "one empty line first", HTTP_TEXT("\r\nGET / HTTP/1.1\r\n" H "\r\n"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a]", 0 },
	{ "a second request behind", HTTP_TEXT("GET / HTTP/1.1\r\n" H "\r\nGET"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a]", 3 },
	{ "values are trimmed", HTTP_TEXT("GET / HTTP/1.1\r\nHost: \t a \t \r\nX:\r\n\r\n"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a] X=[]", 0 },
	{ "bytes above ASCII in a value", HTTP_TEXT("GET / HTTP/1.1\r\n" H "X: \xc3\xa4\r\n\r\n"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a] X=[\xc3\xa4]", 0 },
	{ "close", HTTP_TEXT("GET / HTTP/1.1\r\n" H "Connection: x, Close\r\n\r\n"),
		"GET p=/ q= h=a 1.1 b= Host=[a] Connection=[x, Close]", 0 },
	{ "close in a second field",
		HTTP_TEXT("GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n"),
		"GET p=/ q= h=a 1.1 b= Host=[a] Connection=[keep-alive] Connection=[close]", 0 },
	{ "1.0", HTTP_TEXT("GET / HTTP/1.0\r\n\r\n"), "GET p=/ q= h= 1.0 b=", 0 },
	{ "1.0 kept", HTTP_TEXT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
		"GET p=/ q= h= 1.0 keep b= Connection=[keep-alive]", 0 },
	{ "1.9 is 1.1", HTTP_TEXT("GET / HTTP/1.9\r\n" H "\r\n"), "GET p=/ q= h=a 1.1 keep b= Host=[a]", 0 },
	{ "empty host", HTTP_TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "GET p=/ q= h= 1.1 keep b= Host=[]",
		0 },
	{ "host and port", HTTP_TEXT("GET / HTTP/1.1\r\nHost: a.b-c:80\r\n\r\n"),
		"GET p=/ q= h=a.b-c:80 1.1 keep b= Host=[a.b-c:80]", 0 },
	{ "IPv6 host", HTTP_TEXT("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
		"GET p=/ q= h=[::1]:80 1.1 keep b= Host=[[::1]:80]", 0 },
	{ "absolute form", HTTP_TEXT("GET http://b:1/x?y HTTP/1.1\r\n" H "\r\n"),
		"GET p=/x q=y h=b:1 1.1 keep b= Host=[a]", 0 },
	{ "absolute form, behind TLS", HTTP_TEXT("GET https://b/x HTTP/1.1\r\n" H "\r\n"),
		"GET p=/x q= h=b 1.1 keep b= Host=[a]", 0 },
	{ "absolute form without path", HTTP_TEXT("GET HTTP://b?y HTTP/1.1\r\n" H "\r\n"),
		"GET p=/ q=y h=b 1.1 keep b= Host=[a]", 0 },
	{ "asterisk form", HTTP_TEXT("OPTIONS * HTTP/1.1\r\n" H "\r\n"),
		"OPTIONS p=* q= h=a 1.1 keep b= Host=[a]", 0 },
	{ "body by length", HTTP_TEXT("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET"),
		"POST p=/ q= h=a 1.1 keep b=abc Host=[a] Content-Length=[3]", 3 },
	{ "a name that begins like another",
		HTTP_TEXT(
			"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding7: chunked\r\n\r\na"),
		"POST p=/ q= h=a 1.1 keep b=a Host=[a] Content-Length=[1] Transfer-Encoding7=[chunked]", 0 },
	{ "spaces around a length", HTTP_TEXT("POST / HTTP/1.1\r\n" H "Content-Length:   1  \r\n\r\na"),
		"POST p=/ q= h=a 1.1 keep b=a Host=[a] Content-Length=[1]", 0 },
	{ "white space around a value", HTTP_TEXT("GET / HTTP/1.1\r\n" H "X: \t a\tb \t\r\n\r\n"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a] X=[a\tb]", 0 },
	{ "body of length 0", HTTP_TEXT("POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\nx"),
		"POST p=/ q= h=a 1.1 keep b= Host=[a] Content-Length=[0]", 1 },
	{ "a body of GET", HTTP_TEXT("GET / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"),
		"GET p=/ q= h=a 1.1 keep b=abc Host=[a] Content-Length=[3]", 0 },
	{ "the largest body",
		HTTP_TEXT(
			"POST / HTTP/1.1\r\n" H "Content-Length: 32\r\n\r\n0123456789abcdef0123456789abcdef"),
		"POST p=/ q= h=a 1.1 keep b=0123456789abcdef0123456789abcdef Host=[a] Content-Length=[32]",
		0 },
	{ "chunks",
		HTTP_TEXT("POST / HTTP/1.1\r\n" H
			  "Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n00b\r\nbcdefghijkl\r\n0\r\n\r\nGET"),
		"POST p=/ q= h=a 1.1 keep b=abcdefghijkl Host=[a] Transfer-Encoding=[Chunked]", 3 },
	{ "chunks with data like framing",
		HTTP_TEXT("POST / HTTP/1.1\r\n" H
			  "Transfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
		"POST p=/ q= h=a 1.1 keep b=0\r\n\r\n Host=[a] Transfer-Encoding=[chunked]", 0 },
	{ "no chunks", HTTP_TEXT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		"POST p=/ q= h=a 1.1 keep b= Host=[a] Transfer-Encoding=[chunked]", 0 },
	{ "the largest chunked body",
		HTTP_TEXT(
			"POST / HTTP/1.1\r\n" H
			"Transfer-Encoding: chunked\r\n\r\n20\r\n0123456789abcdef0123456789abcdef\r\n0\r\n\r\n"),
		"POST p=/ q= h=a 1.1 keep b=0123456789abcdef0123456789abcdef Host=[a] Transfer-Encoding=[chunked]",
		0 },
	{ "extensions and trailers",
		HTTP_TEXT(
			"POST / HTTP/1.1\r\n" H
			"Transfer-Encoding: chunked\r\n\r\n1;x=\"y z\";w\r\na\r\n0;q\r\nHost: evil\r\nX: y\r\n\r\n-"),
		"POST p=/ q= h=a 1.1 keep b=a Host=[a] Transfer-Encoding=[chunked]", 1 },
	{ "expectation",
		HTTP_TEXT("POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na"),
		"POST p=/ q= h=a 1.1 keep expect b=a Host=[a] Expect=[100-Continue] Content-Length=[1]", 0 },
	{ "expectation without a body", HTTP_TEXT("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a] Expect=[100-continue]", 0 },
	{ "expectation in 1.0", HTTP_TEXT("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\na"),
		"POST p=/ q= h= 1.0 b=a Expect=[x] Content-Length=[1]", 0 },
	{ "an upgrade is not taken up",
		HTTP_TEXT("GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: h2c\r\n\r\nxx"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a] Connection=[upgrade] Upgrade=[h2c]", 2 },
	{ "as many fields as there may be",
		HTTP_TEXT("GET / HTTP/1.1\r\n" H "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n"),
		"GET p=/ q= h=a 1.1 keep b= Host=[a] A=[] B=[] C=[] D=[] E=[]", 0 },
	{ "unusual characters in a target", HTTP_TEXT("GET /a|b{c}^`\"<>\\%zz HTTP/1.1\r\n" H "\r\n"),
		"GET p=/a|b{c}^`\"<>\\%zz q= h=a 1.1 keep b= Host=[a]", 0 },
};

static void
good_requests_are_understood(void **state)
{
	struct result result;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		result = scan_all_ways(good[i].data.at, good[i].data.len);
		if (result.status != 0 || strcmp(result.text, good[i].understood) != 0)
			print_message("%s\n", good[i].name);
		assert_int_equal(result.status, 0);
		assert_string_equal(result.text, good[i].understood);
		assert_int_equal(result.len, good[i].data.len - good[i].rest);
	}
}

/* Each beginning of a good request is one, unless it is all of it. */
static void
a_beginning_is_no_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (size_t len = 0; len + good[i].rest < good[i].data.len; len++)
			assert_int_equal(scan(good[i].data.at, len, 0, true).status, MORE);
}

struct bad {
	const char *name;
	struct http_text data;
	int status;
};

#define GET    "GET / HTTP/1.1\r\n"
#define POST   "POST / HTTP/1.1\r\n" H
#define CHUNKS POST "Transfer-Encoding: chunked\r\n\r\n"
#define TEN(x) x x x x x x x x x x

static const struct bad bad[] = {
	/* ends of lines */
	{ "bare LF in all lines", HTTP_TEXT("GET / HTTP/1.1\nHost: a\n\n"), 400 },
	{ "bare LF behind the request line", HTTP_TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400 },
	{ "another character for its CR", HTTP_TEXT("GET / HTTP/1.1X\nHost: a\r\n\r\n"), 400 },
	{ "another character for a field's CR", HTTP_TEXT(GET "Host: aX\n\r\n"), 400 },
	{ "bare LF behind a field", HTTP_TEXT(GET "Host: a\nX: y\r\n\r\n"), 400 },
	{ "bare LF as the end", HTTP_TEXT(GET H "\n"), 400 },
	{ "bare CR in a value", HTTP_TEXT(GET H "X: a\rb\r\n\r\n"), 400 },
	{ "bare CR as a value", HTTP_TEXT(GET H "X:\r\rY: b\r\n\r\n"), 400 },
	{ "bare CR in the request line", HTTP_TEXT("GET /\r HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "CR CR LF", HTTP_TEXT(GET H "X: a\r\r\n\r\n"), 400 },
	{ "CR and another character as the end", HTTP_TEXT(GET H "\rX\n"), 400 },
	{ "two empty lines first", HTTP_TEXT("\r\n\r\n" GET H "\r\n"), 400 },
	{ "a bare LF first", HTTP_TEXT("\n" GET H "\r\n"), 400 },
	{ "a bare CR first", HTTP_TEXT("\r" GET H "\r\n"), 400 },
	/* fields */
	{ "folded field", HTTP_TEXT(GET H "X: a\r\n b\r\n\r\n"), 400 },
	{ "folded field, tab", HTTP_TEXT(GET H "X: a\r\n\tb\r\n\r\n"), 400 },
	{ "folded length", HTTP_TEXT(POST "Content-Length: 1\r\n 2\r\n\r\n"), 400 },
	{ "fold behind the request line", HTTP_TEXT(GET " X: a\r\n" H "\r\n"), 400 },
	{ "space before the colon", HTTP_TEXT(GET H "X : a\r\n\r\n"), 400 },
	{ "tab before the colon", HTTP_TEXT(GET H "X\t: a\r\n\r\n"), 400 },
	{ "space before the colon of a length", HTTP_TEXT(POST "Content-Length : 1\r\n\r\na"), 400 },
	{ "space within a name", HTTP_TEXT(GET H "X Y: a\r\n\r\n"), 400 },
	{ "no colon", HTTP_TEXT(GET H "X\r\n\r\n"), 400 },
	{ "no name", HTTP_TEXT(GET H ": a\r\n\r\n"), 400 },
	{ "a name above ASCII", HTTP_TEXT(GET H "X\xc3: a\r\n\r\n"), 400 },
	{ "NUL in a name", HTTP_TEXT(GET H "X\0: a\r\n\r\n"), 400 },
	{ "NUL in a value", HTTP_TEXT(GET H "X: a\0b\r\n\r\n"), 400 },
	{ "NUL as a value", HTTP_TEXT(GET H "X: \0\r\n\r\n"), 400 },
	{ "control character in a value", HTTP_TEXT(GET H "X: a\x01\r\n\r\n"), 400 },
	{ "DEL in a value", HTTP_TEXT(GET H "X: a\x7f\r\n\r\n"), 400 },
	{ "control character in a length's value", HTTP_TEXT(POST "Content-Length: 1\x0b\r\n\r\n"), 400 },
	/* request lines */
	{ "no version", HTTP_TEXT("GET /\r\n\r\n"), 400 },
	{ "no target", HTTP_TEXT("GET HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "an empty target", HTTP_TEXT("GET  HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "two spaces before the target", HTTP_TEXT("GET  / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "two spaces behind the target", HTTP_TEXT("GET /  HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a space behind the version", HTTP_TEXT("GET / HTTP/1.1 \r\n" H "\r\n"), 400 },
	{ "a tab between", HTTP_TEXT("GET\t/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a space first", HTTP_TEXT(" GET / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "another protocol", HTTP_TEXT("GET / HXXX/1.1\r\n" H "\r\n"), 400 },
	{ "lower case protocol", HTTP_TEXT("GET / http/1.1\r\n" H "\r\n"), 400 },
	{ "a long version", HTTP_TEXT("GET / HTTP/1.10\r\n" H "\r\n"), 400 },
	{ "a short version", HTTP_TEXT("GET / HTTP/1\r\n" H "\r\n"), 400 },
	{ "ICE", HTTP_TEXT("SOURCE / ICE/1.0\r\n" H "\r\n"), 400 },
	{ "HTTP/2", HTTP_TEXT("GET / HTTP/2.0\r\n" H "\r\n"), 505 },
	{ "the preface of HTTP/2", HTTP_TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 501 },
	{ "HTTP/0.9, said so", HTTP_TEXT("GET / HTTP/0.9\r\n\r\n"), 505 },
	{ "an unknown method", HTTP_TEXT("BREW / HTTP/1.1\r\n" H "\r\n"), 501 },
	{ "a method of WebDAV", HTTP_TEXT("PROPFIND / HTTP/1.1\r\n" H "\r\n"), 501 },
	{ "a method with a hyphen", HTTP_TEXT("M-SEARCH / HTTP/1.1\r\n" H "\r\n"), 501 },
	{ "a method of lower case", HTTP_TEXT("get / HTTP/1.1\r\n" H "\r\n"), 501 },
	{ "the beginning of a method", HTTP_TEXT("GE / HTTP/1.1\r\n" H "\r\n"), 501 },
	{ "a method that goes on", HTTP_TEXT("GETS / HTTP/1.1\r\n" H "\r\n"), 501 },
	{ "a method that is no token", HTTP_TEXT("G@T / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "TLS", HTTP_TEXT("\x16\x03\x01\x02\x00\x01"), 400 },
	/* targets */
	{ "a tab in the target", HTTP_TEXT("GET /\t HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "NUL in the target", HTTP_TEXT("GET /\0 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a byte above ASCII in the target", HTTP_TEXT("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "DEL in the target", HTTP_TEXT("GET /\x7f HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a fragment", HTTP_TEXT("GET /#x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a relative path", HTTP_TEXT("GET x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "another scheme", HTTP_TEXT("GET ftp://a/ HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "absolute form without a host", HTTP_TEXT("GET http:///x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "absolute form with a user", HTTP_TEXT("GET http://u@a/x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "the asterisk of GET", HTTP_TEXT("GET * HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a path behind the asterisk", HTTP_TEXT("OPTIONS */x HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "CONNECT", HTTP_TEXT("CONNECT a:80 HTTP/1.1\r\n" H "\r\n"), 501 },
	/* hosts */
	{ "no host", HTTP_TEXT(GET "\r\n"), 400 },
	{ "no host beside an absolute form", HTTP_TEXT("GET http://a/ HTTP/1.1\r\n\r\n"), 400 },
	{ "two hosts", HTTP_TEXT(GET H "hOST: b\r\n\r\n"), 400 },
	{ "two hosts, the same", HTTP_TEXT(GET H H "\r\n"), 400 },
	{ "two hosts in 1.0", HTTP_TEXT("GET / HTTP/1.0\r\n" H H "\r\n"), 400 },
	{ "a list of hosts", HTTP_TEXT(GET "Host: a, b\r\n\r\n"), 400 },
	{ "a path in the host", HTTP_TEXT(GET "Host: a/b\r\n\r\n"), 400 },
	{ "a user in the host", HTTP_TEXT(GET "Host: u@a\r\n\r\n"), 400 },
	{ "a port that is none", HTTP_TEXT(GET "Host: a:8x\r\n\r\n"), 400 },
	{ "nothing in brackets", HTTP_TEXT(GET "Host: []\r\n\r\n"), 400 },
	{ "a bracket within brackets", HTTP_TEXT(GET "Host: [[::1]\r\n\r\n"), 400 },
	{ "a name in brackets", HTTP_TEXT(GET "Host: [x]\r\n\r\n"), 400 },
	{ "a port that is too long", HTTP_TEXT(GET "Host: a:123456\r\n\r\n"), 400 },
	{ "an open bracket", HTTP_TEXT(GET "Host: [::1\r\n\r\n"), 400 },
	{ "more behind the bracket", HTTP_TEXT(GET "Host: [::1]a\r\n\r\n"), 400 },
	/* lengths */
	{ "length and chunks",
		HTTP_TEXT(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400 },
	{ "chunks and length",
		HTTP_TEXT(POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"), 400 },
	{ "two lengths", HTTP_TEXT(POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\na"), 400 },
	{ "two lengths, the same", HTTP_TEXT(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"), 400 },
	{ "a list of lengths", HTTP_TEXT(POST "Content-Length: 1, 1\r\n\r\na"), 400 },
	{ "a length with a sign", HTTP_TEXT(POST "Content-Length: +1\r\n\r\na"), 400 },
	{ "a negative length", HTTP_TEXT(POST "Content-Length: -1\r\n\r\na"), 400 },
	{ "a hexadecimal length", HTTP_TEXT(POST "Content-Length: 0x1\r\n\r\na"), 400 },
	{ "a length with a space", HTTP_TEXT(POST "Content-Length: 1 1\r\n\r\na"), 400 },
	{ "an empty length", HTTP_TEXT(POST "Content-Length:\r\n\r\na"), 400 },
	{ "a length beyond 64 bits", HTTP_TEXT(POST "Content-Length: 18446744073709551617\r\n\r\na"), 400 },
	{ "a body that is too large", HTTP_TEXT(POST "Content-Length: 33\r\n\r\n"), 413 },
	{ "a body that is much too large", HTTP_TEXT(POST "Content-Length: 999999999999999999\r\n\r\n"),
		413 },
	{ "a tab before the length", HTTP_TEXT(POST "Content-Length:\t1\r\n\r\na"), 400 },
	{ "a tab and a space before the length", HTTP_TEXT(POST "Content-Length:\t 1\r\n\r\na"), 400 },
	{ "a space and a tab before the length", HTTP_TEXT(POST "Content-Length: \t1\r\n\r\na"), 400 },
	{ "a tab behind the length", HTTP_TEXT(POST "Content-Length: 1\t\r\n\r\na"), 400 },
	{ "a tab and a space behind the length", HTTP_TEXT(POST "Content-Length: 1\t \r\n\r\na"), 400 },
	{ "a space and a tab behind the length", HTTP_TEXT(POST "Content-Length: 1 \t\r\n\r\na"), 400 },
	{ "a length of white space", HTTP_TEXT(POST "Content-Length: \t \r\n\r\na"), 400 },
	/* codings */
	{ "chunks in 1.0", HTTP_TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400 },
	{ "another coding", HTTP_TEXT(POST "Transfer-Encoding: gzip\r\n\r\n"), 400 },
	{ "identity", HTTP_TEXT(POST "Transfer-Encoding: identity\r\n\r\n"), 400 },
	{ "chunks of another coding", HTTP_TEXT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
		501 },
	{ "chunks, not last", HTTP_TEXT(POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), 400 },
	{ "chunks twice", HTTP_TEXT(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), 400 },
	{ "two codings fields",
		HTTP_TEXT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		400 },
	{ "a coding that looks like it", HTTP_TEXT(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
		400 },
	{ "a coding with more behind it", HTTP_TEXT(POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
		400 },
	{ "a tab before the coding", HTTP_TEXT(POST "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n"), 400 },
	{ "a tab and a space before the coding",
		HTTP_TEXT(POST "Transfer-Encoding:\t chunked\r\n\r\n0\r\n\r\n"), 400 },
	{ "a tab behind the coding", HTTP_TEXT(POST "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"), 400 },
	{ "a space and a tab behind the coding",
		HTTP_TEXT(POST "Transfer-Encoding: chunked \t\r\n\r\n0\r\n\r\n"), 400 },
	{ "a quoted coding", HTTP_TEXT(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), 400 },
	{ "an empty coding", HTTP_TEXT(POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), 400 },
	{ "a coding behind a vertical tab",
		HTTP_TEXT(POST "Transfer-Encoding: \x0b"
			       "chunked\r\n\r\n0\r\n\r\n"),
		400 },
	/* chunks */
	{ "no size", HTTP_TEXT(CHUNKS "\r\n\r\n"), 400 },
	{ "a size that is none", HTTP_TEXT(CHUNKS "g\r\n"), 400 },
	{ "a size with a prefix", HTTP_TEXT(CHUNKS "0x1\r\na\r\n0\r\n\r\n"), 400 },
	{ "a size with a sign", HTTP_TEXT(CHUNKS "+1\r\na\r\n0\r\n\r\n"), 400 },
	{ "a negative size", HTTP_TEXT(CHUNKS "-1\r\na\r\n0\r\n\r\n"), 400 },
	{ "a space before a size", HTTP_TEXT(CHUNKS " 1\r\na\r\n0\r\n\r\n"), 400 },
	{ "a space behind a size", HTTP_TEXT(CHUNKS "1 \r\na\r\n0\r\n\r\n"), 400 },
	{ "many zeros", HTTP_TEXT(CHUNKS "0000000000000001\r\na\r\n0\r\n\r\n"), 400 },
	{ "a size beyond 64 bits", HTTP_TEXT(CHUNKS "10000000000000001\r\na\r\n0\r\n\r\n"), 400 },
	{ "bare LF behind a size", HTTP_TEXT(CHUNKS "1\na\r\n0\r\n\r\n"), 400 },
	{ "CR and another character behind a size", HTTP_TEXT(CHUNKS "1\rXa\r\n0\r\n\r\n"), 400 },
	{ "bare LF in an extension", HTTP_TEXT(CHUNKS "1;x\na\r\n0\r\n\r\n"), 400 },
	{ "CR in an extension", HTTP_TEXT(CHUNKS "1;x\ry\r\na\r\n0\r\n\r\n"), 400 },
	{ "NUL in an extension", HTTP_TEXT(CHUNKS "1;\0\r\na\r\n0\r\n\r\n"), 400 },
	{ "no line end behind data", HTTP_TEXT(CHUNKS "1\r\nab\r\n0\r\n\r\n"), 400 },
	{ "other characters for it", HTTP_TEXT(CHUNKS "1\r\naXX0\r\n\r\n"), 400 },
	{ "bare LF behind data", HTTP_TEXT(CHUNKS "1\r\na\n0\r\n\r\n"), 400 },
	{ "CR CR behind data", HTTP_TEXT(CHUNKS "1\r\na\r\r0\r\n\r\n"), 400 },
	{ "bare LF in a trailer", HTTP_TEXT(CHUNKS "0\r\nX: y\n\r\n"), 400 },
	{ "bare LF as the end", HTTP_TEXT(CHUNKS "0\r\n\n"), 400 },
	{ "a folded trailer", HTTP_TEXT(CHUNKS "0\r\nX: y\r\n z\r\n\r\n"), 400 },
	{ "a trailer without colon", HTTP_TEXT(CHUNKS "0\r\nGET / HTTP/1.1\r\n\r\n"), 400 },
	{ "a chunk that is too large", HTTP_TEXT(CHUNKS "21\r\n"), 413 },
	{ "chunks that are too large together",
		HTTP_TEXT(CHUNKS "1f\r\n0123456789abcdef0123456789abcde\r\n2\r\n"), 413 },
	{ "a long extension", HTTP_TEXT(CHUNKS "1;" TEN(TEN("123456")) "\r\na\r\n0\r\n\r\n"), 413 },
	{ "a long trailer", HTTP_TEXT(CHUNKS "0\r\nX:" TEN(TEN("123456")) "\r\n\r\n"), 413 },
	{ "many trailers", HTTP_TEXT(CHUNKS "0\r\n" TEN(TEN("X: y\r\n")) "\r\n"), 413 },
	/* limits */
	{ "a long target", HTTP_TEXT("GET /" TEN("1234567") " HTTP/1.1\r\n" H "\r\n"), 414 },
	{ "a very long target", HTTP_TEXT("GET /" TEN(TEN("123456")) " HTTP/1.1\r\n" H "\r\n"), 414 },
	{ "a long method", HTTP_TEXT(TEN(TEN("ABCDEF")) " / HTTP/1.1\r\n" H "\r\n"), 414 },
	{ "a long line that is none", HTTP_TEXT("?" TEN(TEN("ABCDEF")) " / HTTP/1.1\r\n" H "\r\n"), 400 },
	{ "a long field", HTTP_TEXT(GET H "X: " TEN(TEN("12345")) "\r\n\r\n"), 431 },
	{ "a field that goes on and on", HTTP_TEXT(GET H "X: " TEN(TEN("12345"))), 431 },
	{ "many fields", HTTP_TEXT(GET H "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\n\r\n"), 431 },
	/* expectations */
	{ "another expectation", HTTP_TEXT(POST "Expect: x\r\n\r\n"), 417 },
	{ "two expectations", HTTP_TEXT(POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"), 400 },
};

static void
bad_requests_are_refused(void **state)
{
	struct result result;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		result = scan_all_ways(bad[i].data.at, bad[i].data.len);
		if (result.status != bad[i].status)
			print_message("%s\n", bad[i].name);
		assert_int_equal(result.status, bad[i].status);
	}
}

/*
 * Whatever one byte of a good request is changed to: the pieces it comes in make no difference, and no byte behind it
 * is read.
 */
static void
no_byte_depends_on_the_pieces(void **state)
{
	static const char request[] = "\r\nPOST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
				      "2;x\r\nab\r\n0\r\nT: u\r\n\r\n";
	char changed[sizeof(request)];
	struct result whole, bytewise;

	(void)state;
	for (size_t at = 0; at < sizeof(request) - 1; at++) {
		for (int byte = 0; byte < 256; byte++) {
			memcpy(changed, request, sizeof(request));
			changed[at] = (char)byte;
			whole = scan(changed, sizeof(request) - 1, sizeof(request) - 1, false);
			bytewise = scan(changed, sizeof(request) - 1, 0, true);
			assert_int_equal(bytewise.status, whole.status);
			assert_string_equal(bytewise.text, whole.text);
		}
	}
}

/* The request of a good head, for what looks at fields. */
static void
fields_are_found_in_any_case(void **state)
{
	char data[] = GET "Host: a\r\nX-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n\r\n";
	struct http_framing framing = { .checked = false };
	struct http_request request;
	const struct http_text *value;
	size_t len;

	(void)state;
	assert_int_equal(http_framing_scan(&framing, data, sizeof(data) - 1, &limits, &request, &len), 0);
	value = http_request_field(&request, HTTP_TEXT("x-one"));
	assert_non_null(value);
	assert_true(http_text_equal(*value, HTTP_TEXT("1")));
	value = http_request_field(&request, HTTP_TEXT("X-Two"));
	assert_non_null(value);
	assert_true(http_text_equal(*value, HTTP_TEXT("2")));
	assert_null(http_request_field(&request, HTTP_TEXT("X-On")));
	assert_null(http_request_field(&request, HTTP_TEXT("X-Three")));
}

static void
lists_are_split(void **state)
{
	struct http_text list = HTTP_TEXT(" a,, b c ,\t,d"), element;

	(void)state;
	assert_true(http_text_next(&list, &element));
	assert_true(http_text_equal(element, HTTP_TEXT("a")));
	assert_true(http_text_next(&list, &element));
	assert_true(http_text_equal(element, HTTP_TEXT("b c")));
	assert_true(http_text_next(&list, &element));
	assert_true(http_text_equal(element, HTTP_TEXT("d")));
	assert_false(http_text_next(&list, &element));
}

static void
paths_are_decoded(void **state)
{
	static const struct {
		struct http_text path;
		ssize_t len;
		const char *decoded;
	} cases[] = {
		{ HTTP_TEXT("/"), 1, "/" },
		{ HTTP_TEXT("/a%20b+c"), 6, "/a b+c" },
		{ HTTP_TEXT("/%C3%a4"), 3, "/\xc3\xa4" },
		{ HTTP_TEXT("/%2e%2E/%25"), 5, "/../%" },
		{ HTTP_TEXT("/1234567"), 8, "/1234567" },
		{ HTTP_TEXT("/12345678"), -ENAMETOOLONG, NULL },
		{ HTTP_TEXT("/1234567%41"), -ENAMETOOLONG, NULL },
		{ HTTP_TEXT(""), 0, "" },
		{ HTTP_TEXT("/%"), -EINVAL, NULL },
		{ HTTP_TEXT("/%4"), -EINVAL, NULL },
		{ HTTP_TEXT("/%4g"), -EINVAL, NULL },
		{ HTTP_TEXT("/%g4"), -EINVAL, NULL },
		{ HTTP_TEXT("/%+4"), -EINVAL, NULL },
		{ HTTP_TEXT("/%00"), -EINVAL, NULL },
		{ HTTP_TEXT("/a%00b"), -EINVAL, NULL },
		{ HTTP_TEXT("/\0"), -EINVAL, NULL },
	};
	char decoded[9];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(http_target_decode(cases[i].path, decoded, sizeof(decoded)), cases[i].len);
		if (cases[i].len >= 0)
			assert_string_equal(decoded, cases[i].decoded);
	}
	assert_int_equal(http_target_decode(HTTP_TEXT(""), decoded, 0), -ENAMETOOLONG);
}

static void
parameters_are_found(void **state)
{
	static const struct {
		struct http_text query;
		const char *name;
		ssize_t len;
		const char *value;
	} cases[] = {
		{ HTTP_TEXT("a=1&b=2"), "a", 1, "1" },
		{ HTTP_TEXT("a=1&b=2"), "b", 1, "2" },
		{ HTTP_TEXT("a=1&b=2"), "c", -ENOENT, NULL },
		{ HTTP_TEXT("a=1&a=2"), "a", 1, "1" },
		{ HTTP_TEXT("ab=1&a=2"), "a", 1, "2" },
		{ HTTP_TEXT("a=1&ab=2"), "ab", 1, "2" },
		{ HTTP_TEXT("a"), "a", 0, "" },
		{ HTTP_TEXT("a=&b"), "a", 0, "" },
		{ HTTP_TEXT("&&a=b=c&"), "a", 3, "b=c" },
		{ HTTP_TEXT("a=x+y%2B"), "a", 4, "x y+" },
		{ HTTP_TEXT("%61=1"), "a", 1, "1" },
		{ HTTP_TEXT("a+b=1"), "a b", 1, "1" },
		{ HTTP_TEXT("=1"), "", -ENOENT, NULL },
		{ HTTP_TEXT(""), "a", -ENOENT, NULL },
		{ HTTP_TEXT("a=%zz"), "a", -EINVAL, NULL },
		{ HTTP_TEXT("a=%00"), "a", -EINVAL, NULL },
		{ HTTP_TEXT("a=123456789"), "a", -ENAMETOOLONG, NULL },
	};
	char value[9];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			http_target_query(cases[i].query, cases[i].name, value, sizeof(value)), cases[i].len);
		if (cases[i].len >= 0)
			assert_string_equal(value, cases[i].value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests_are_understood),
		cmocka_unit_test(a_beginning_is_no_request),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(no_byte_depends_on_the_pieces),
		cmocka_unit_test(fields_are_found_in_any_case),
		cmocka_unit_test(lists_are_split),
		cmocka_unit_test(paths_are_decoded),
		cmocka_unit_test(parameters_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
