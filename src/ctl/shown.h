/*
 * Text on a terminal: made harmless, measured, and cut. What comes from the daemon is never trusted with the terminal.
 */
#ifndef CTL_SHOWN_H
#define CTL_SHOWN_H

#include <stddef.h>
#include <stdio.h>

/*
 * The same text, fit to be shown on one line: what the locale can print stays; control characters, what has no width (marks that
 * reorder or join others), and what is no character at all become \n, \t or \xHH, a byte each. To be freed; NULL: no memory.
 */
char *shown_text(const char *text);

/* The same for bytes of a whole text of several lines, which go to `out`: newlines and tabs stay. */
void shown_print(FILE *out, const char *text, size_t len);

/* How many columns a line takes that has been made fit; the styles of terminal.h take none. */
size_t shown_width(const char *line);

/* Prints a line that has been made fit, cut to so many columns ("..." at its end says so); 0: no limit. Ends styles that are cut. */
void shown_cut(FILE *out, const char *line, size_t columns);

#endif
