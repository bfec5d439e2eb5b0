/*
 * The tokens of a configuration.
 */
#include "config/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS     "0123456789"
#define HEX_DIGITS DIGITS "abcdefABCDEF"
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

void
scan_init(struct scan *scan, const char *text)
{
	*scan = (struct scan){ .text = text, .next = text, .next_line = 1, .line = 1 };
}

static bool
is_line_start(const struct scan *scan, const char *at)
{
	return at == scan->text || at[-1] == '\n';
}

/* Skips a comment like this one. When it is never closed, the token is its beginning. */
static const char *
skip_block_comment(struct scan *scan, const char *at)
{
	const char *p = at + 2;
	unsigned line = scan->next_line;

	for (; *p && !(p[0] == '*' && p[1] == '/'); p++)
		line += *p == '\n';
	if (*p == '\0') {
		scan->error = "comment that is never closed";
		scan->line = scan->next_line;
		scan->token = at;
		scan->len = 2;
		return p;
	}
	scan->next_line = line;
	return p + 2;
}

/* Goes on to the next token or marker. */
static const char *
skip_blanks(struct scan *scan)
{
	const char *at = scan->next;

	while (*at && !scan->error) {
		if (*at == '\n')
			scan->next_line++;
		if (strchr(" \t\r\n\f", *at)) {
			at++;
		} else if (at[0] == '/' && at[1] == '*') {
			at = skip_block_comment(scan, at);
		} else if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
			if (is_line_start(scan, at) &&
				strncmp(at, SCAN_MARK_WORD, strlen(SCAN_MARK_WORD)) == 0)
				break;
			at += strcspn(at, "\n");
		} else {
			break;
		}
	}
	return at;
}

/* ".5", "1.5e3", "1e3": how long the fraction and exponent at `at` are. 0 when this is an integer. */
static size_t
float_rest(const char *at, bool has_digits)
{
	const char *p = at;
	size_t exponent;

	if (*p == '.')
		p += 1 + strspn(p + 1, DIGITS);
	if ((p > at || has_digits) && (*p == 'e' || *p == 'E')) {
		exponent = 1 + (p[1] == '+' || p[1] == '-');
		if (isdigit((unsigned char)p[exponent]))
			p += exponent + strspn(p + exponent, DIGITS);
	}
	return (size_t)(p - at);
}

/* Takes the value of an integer. What stands behind its digits does not matter. */
static void
read_integer(struct scan *scan, const char *at, int base)
{
	unsigned long long value;

	errno = 0;
	if (base == 10) {
		scan->integer = strtoll(at, NULL, base);
	} else {
		value = strtoull(at, NULL, base);
		scan->integer = (long long)value;
		if (value > INT64_MAX)
			errno = ERANGE;
	}
	if (errno == ERANGE)
		scan->error = "number above 64 bits";
}

/* The end of the integer's digits at `at`: behind up to two L. */
static const char *
skip_long(const char *at)
{
	at += *at == 'L';
	return at + (*at == 'L' && at[-1] == 'L');
}

/* How long the number is that begins at `at`; 0: it is none. */
static size_t
number_length(struct scan *scan, const char *at)
{
	const char *p = at + (*at == '+' || *at == '-'), *digits = p;
	const int base =
		p == at && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && isxdigit((unsigned char)p[2]) ? 16
													: 10;
	size_t rest;

	p += base == 16 ? 2 + strspn(p + 2, HEX_DIGITS) : strspn(p, DIGITS);
	rest = base == 16 ? 0 : float_rest(p, p > digits);
	if (rest > 0) {
		if (p == digits && !isdigit((unsigned char)p[1]))
			scan->error = "number without digits";
		return (size_t)(p + rest - at);
	}
	if (p == digits)
		return 0;
	read_integer(scan, at, base);
	return (size_t)(skip_long(p) - at);
}

static size_t
string_length(struct scan *scan, const char *at)
{
	const char *p = at + 1;

	while (*p != '"') {
		if (*p == '\n' || *p == '\0') {
			scan->error = "string without its closing quote";
			return (size_t)(p - at);
		}
		p += p[0] == '\\' && (p[1] == '"' || p[1] == '\\') ? 2 : 1;
	}
	return (size_t)(p + 1 - at);
}

static enum scan_type
word_type(const char *word, size_t len)
{
	if ((len == 4 && strncasecmp(word, "true", len) == 0) ||
		(len == 5 && strncasecmp(word, "false", len) == 0))
		return SCAN_BOOLEAN;
	return SCAN_NAME;
}

static enum scan_type
one_character(struct scan *scan, char c)
{
	static const char characters[] = "=:;,{([})]@";
	static const enum scan_type type[] = { SCAN_EQUALS, SCAN_EQUALS, SCAN_SEMICOLON, SCAN_COMMA,
		SCAN_OPEN, SCAN_OPEN, SCAN_OPEN, SCAN_CLOSE, SCAN_CLOSE, SCAN_CLOSE, SCAN_AT };
	const char *found = strchr(characters, c);

	if (found)
		return type[found - characters];
	scan->error = "character that means nothing here";
	return SCAN_BAD;
}

/* The type of the token at `at`, and its length into scan->len. */
static enum scan_type
read_token(struct scan *scan, const char *at)
{
	scan->len = 1;
	if (*at == '#') {
		scan->len = strcspn(at, "\n");
		return SCAN_MARK;
	}
	if (*at == '"') {
		scan->len = string_length(scan, at);
		return SCAN_STRING;
	}
	if (*at == '*' || strchr(LETTERS, *at)) {
		scan->len = strspn(at, LETTERS DIGITS "*_-");
		return word_type(at, scan->len);
	}
	if (strchr(DIGITS "+-.", *at)) {
		size_t len = number_length(scan, at);

		if (len > 0) {
			scan->len = len;
			return SCAN_NUMBER;
		}
	}
	return one_character(scan, *at);
}

enum scan_type
scan_next(struct scan *scan)
{
	const char *at;

	scan->error = NULL;
	scan->integer = 0;
	at = skip_blanks(scan);
	if (!scan->error) {
		scan->token = at;
		scan->len = 0;
		scan->line = scan->next_line;
	}
	scan->type = *at ? read_token(scan, at) : SCAN_END;
	scan->next = *at ? at + scan->len : at;
	return scan->type;
}

void
scan_skip_line(struct scan *scan)
{
	scan->next += strcspn(scan->next, "\n");
}
