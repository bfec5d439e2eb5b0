/*
 * What an output can show: how wide it is, and whether it knows colours.
 */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include <stdbool.h>

struct terminal {
	bool can_move; /* a terminal that knows control sequences: may be drawn on in place */
	bool has_colour;
	bool is_terminal;
	unsigned columns; /* 0: no limit */
	unsigned rows;    /* 0: no limit */
};

enum style {
	STYLE_PLAIN,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_GOOD,
	STYLE_BUSY,
	STYLE_BAD,
};

/* Looks at a descriptor, and at NO_COLOR, TERM and COLUMNS. */
void terminal_look(struct terminal *terminal, int fd);

/* Asks for the size again, which a person may have changed. */
void terminal_measure(struct terminal *terminal, int fd);

/* The control sequences around a text in this style; "" for none. */
const char *terminal_begin(const struct terminal *terminal, enum style style);
const char *terminal_end(const struct terminal *terminal, enum style style);

/* ECMA-48: to the first column, and erase the line. */
#define TERMINAL_RESTART_LINE "\r\033[K"
#define TERMINAL_ERASE_REST   "\033[K"
#define TERMINAL_CLEAR        "\033[H\033[2J"
#define TERMINAL_HOME         "\033[H"
#define TERMINAL_ERASE_BELOW  "\033[J"

#endif
