/*
 * Where a line of the expanded text came from: its line markers, as a map.
 */
#ifndef CONFIG_PLACES_H
#define CONFIG_PLACES_H

#include "config/problem.h"

#include <stddef.h>

struct places {
	struct place {
		unsigned text_line; /* from this line of the text on … */
		unsigned line;      /* … the lines of the file are counted from here */
		char *file;
	} * place; /* sorted by text_line */
	size_t n;
};

/* Collects the markers of a text as scan.h has it. 0 or -ENOMEM; places_done is due in both cases. */
int places_read(struct places *places, const char *text);
void places_done(struct places *places);

/* The file and line that a line of the text came from; "-" for text that is not from a file. The name lives as long as `places`. */
void places_find(const struct places *places, unsigned text_line, const char **ret_file, unsigned *ret_line);

/* Adds a problem with a line of the text, sorted in by its place; text_line 0: the text as a whole. */
void places_problem(const struct places *places, struct problems *problems, unsigned text_line,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void places_vproblem(const struct places *places, struct problems *problems, unsigned text_line,
	const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

#endif
