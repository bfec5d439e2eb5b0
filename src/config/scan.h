/*
 * Cuts the text of a configuration into the same tokens that libconfig sees: names, numbers, strings, punctuation; comments and blanks
 * are skipped. Two more than libconfig: '@', which begins an @include, and the line markers that source.c leaves where it has
 * put in a file:
 *
 *	#line 12 /etc/gracefuld.conf
 *
 * means that the next line is line 12 of that file. To libconfig it is a comment. A marker starts at the first column.
 *
 * One thing is stricter than in libconfig: a string ends on the line where it begins (adjacent strings are joined, and there is \n),
 * so a forgotten quote is found where it is missing.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include <stddef.h>

#define SCAN_MARK_WORD "#line "

enum scan_type {
	SCAN_END,
	SCAN_NAME,
	SCAN_BOOLEAN,
	SCAN_NUMBER,
	SCAN_STRING,
	SCAN_EQUALS, /* = : */
	SCAN_SEMICOLON,
	SCAN_COMMA,
	SCAN_OPEN,  /* { ( [ */
	SCAN_CLOSE, /* } ) ] */
	SCAN_AT,
	SCAN_MARK,
	SCAN_BAD, /* a character that libconfig does not know */
};

/* The token that was read last, and where to go on. Points into the text. */
struct scan {
	enum scan_type type;
	const char *token;
	size_t len;
	unsigned line;     /* of the token, from 1 */
	long long integer; /* of a number that is one; else 0 */
	const char *
		error; /* what is wrong with the token, a constant text; NULL: nothing. It may be gone on behind it. */

	const char *text;
	const char *next;
	unsigned next_line;
};

/* Starts before the first token. `text` ends in NUL, and its last line in a newline. */
void scan_init(struct scan *scan, const char *text);

/* Reads the next token into `scan` and returns its type; at the end, SCAN_END again and again. */
enum scan_type scan_next(struct scan *scan);

/* Goes on with the line after the token's, whatever stands on the rest of this one. */
void scan_skip_line(struct scan *scan);

#endif
