/*
 * One line of output: put together from pieces in different styles, each made fit to be shown, and cut to the terminal's width.
 */
#ifndef CTL_LINE_H
#define CTL_LINE_H

#include "ctl/terminal.h"

#include <stddef.h>
#include <stdio.h>

struct line {
	const struct terminal *terminal;
	FILE *stream; /* NULL: no memory, nothing will be printed */
	char *text;   /* of the stream */
	size_t len;
	size_t width; /* columns so far */
};

/* Begins a line, which line_print ends. */
void line_init(struct line *line, const struct terminal *terminal);

/* Adds a piece. */
void line_add(struct line *line, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds blanks up to this column. */
void line_pad(struct line *line, size_t column);

/* Prints it without a newline, at most so many columns (0: no limit), and frees it. */
void line_print(struct line *line, FILE *out, size_t columns);

/* Prints it as a line of the terminal: cut to its width, with a newline. Frees it. */
void line_end(struct line *line, FILE *out);

#endif
