/*
 * A table of text: columns as wide as what stands in them, and as many of them as the terminal has room for.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "ctl/terminal.h"

#include <stddef.h>
#include <stdio.h>

struct table_column {
	const char *title;
	bool is_number; /* stands to the right */
	unsigned
		importance; /* where room is short, the least important goes first; of two alike the one to the right */
};

struct table;

/* An empty table; the columns must stay. NULL: no memory. */
struct table *table_new(const struct table_column *columns, size_t n_columns);

/* NULL is fine. */
void table_free(struct table *table);

/* Begins a row, whose cells are empty until they are set. 0, or -ENOMEM. */
int table_add_row(struct table *table);

/* Sets a cell of the last row. What has come from elsewhere is made fit by the table. 0, or -ENOMEM. */
int table_set(struct table *table, size_t column, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Prints titles and rows, one line each, without blanks at their ends. A column in which nothing stands is left out, and so are those
 * that there is no room for; the most important one stays in any case.
 */
void table_print(const struct table *table, const struct terminal *terminal, FILE *out);

#endif
