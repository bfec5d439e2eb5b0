/*
 * A table of text.
 */
#include "ctl/table.h"

#include "base/cleanup.h"
#include "ctl/line.h"
#include "ctl/shown.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define GAP 2 /* columns between two cells */

struct cell {
	char *text; /* fit to be shown; NULL: empty */
	size_t width;
	enum style style;
};

struct table {
	const struct table_column *column;
	size_t n_columns;
	struct cell *cell; /* row by row; the titles are the first */
	size_t n_rows, room_rows;
};

/* A column as it will be printed. */
struct fitted {
	size_t width;
	bool is_left_out;
};

void
table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
		free(table->cell[i].text);
	free(table->cell);
	free(table);
}

static struct cell *
cell_at(const struct table *table, size_t row, size_t column)
{
	return &table->cell[row * table->n_columns + column];
}

/* By half as much again, so that the time for many rows stays in proportion to their number. */
static int
make_room(struct table *table)
{
	const size_t room = table->n_rows + table->n_rows / 2 + 1;
	struct cell *more;

	if (table->n_rows < table->room_rows)
		return 0;
	more = reallocarray(table->cell, room * table->n_columns, sizeof(*more));
	if (!more)
		return -ENOMEM;
	table->cell = more;
	table->room_rows = room;
	return 0;
}

int
table_add_row(struct table *table)
{
	if (make_room(table) < 0)
		return -ENOMEM;
	memset(cell_at(table, table->n_rows, 0), 0, table->n_columns * sizeof(*table->cell));
	table->n_rows++;
	return 0;
}

int
table_set(struct table *table, size_t column, enum style style, const char *fmt, ...)
{
	struct cell *cell = cell_at(table, table->n_rows - 1, column);
	cleanup_free char *text = NULL;
	va_list ap;
	int n;

	assert(table->n_rows > 0 && column < table->n_columns && !cell->text);
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	if (n == 0)
		return 0;
	cell->text = shown_text(text);
	if (!cell->text)
		return -ENOMEM;
	cell->width = shown_width(cell->text);
	cell->style = style;
	return 0;
}

struct table *
table_new(const struct table_column *columns, size_t n_columns)
{
	struct table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return NULL;
	*table = (struct table){ .column = columns, .n_columns = n_columns };
	r = table_add_row(table);
	for (size_t i = 0; i < n_columns && r == 0; i++)
		r = table_set(table, i, STYLE_BOLD, "%s", columns[i].title);
	if (r < 0) {
		table_free(table);
		return NULL;
	}
	return table;
}

static struct fitted
measure_column(const struct table *table, size_t column)
{
	struct fitted fitted = { .is_left_out = true };

	for (size_t row = 0; row < table->n_rows; row++) {
		const struct cell *cell = cell_at(table, row, column);

		if (row > 0 && cell->text)
			fitted.is_left_out = false;
		if (cell->width > fitted.width)
			fitted.width = cell->width;
	}
	return fitted;
}

static size_t
total_width(const struct fitted *fitted, size_t n, size_t *ret_n_kept)
{
	size_t total = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!fitted[i].is_left_out) {
			total += fitted[i].width + (kept > 0 ? GAP : 0);
			kept++;
		}
	*ret_n_kept = kept;
	return total;
}

static size_t
least_important(const struct table *table, const struct fitted *fitted)
{
	size_t least = table->n_columns;

	for (size_t i = 0; i < table->n_columns; i++)
		if (!fitted[i].is_left_out &&
			(least == table->n_columns ||
				table->column[i].importance <= table->column[least].importance))
			least = i;
	return least;
}

/* Leaves out columns until the rest fits. */
static void
fit_columns(const struct table *table, struct fitted *fitted, size_t room)
{
	size_t kept;

	for (size_t i = 0; i < table->n_columns; i++)
		fitted[i] = measure_column(table, i);
	while (room > 0 && total_width(fitted, table->n_columns, &kept) > room && kept > 1)
		fitted[least_important(table, fitted)].is_left_out = true;
}

/* Cells are padded on their left side only, so that a line never ends in blanks. */
static void
print_row(FILE *out, const struct terminal *terminal, const struct table *table, const struct fitted *fitted,
	const struct cell *cells)
{
	struct line line;
	size_t begin = 0;

	line_init(&line, terminal);
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct cell *cell = &cells[i];

		if (fitted[i].is_left_out)
			continue;
		if (cell->text) {
			line_pad(&line,
				begin + (table->column[i].is_number ? fitted[i].width - cell->width : 0));
			line_add(&line, cell->style, "%s", cell->text);
		}
		begin += fitted[i].width + GAP;
	}
	line_end(&line, out);
}

void
table_print(const struct table *table, const struct terminal *terminal, FILE *out)
{
	cleanup_free struct fitted *fitted = calloc(table->n_columns, sizeof(*fitted));

	if (!fitted)
		return;
	fit_columns(table, fitted, terminal->columns);
	for (size_t row = 0; row < table->n_rows; row++)
		print_row(out, terminal, table, fitted, cell_at(table, row, 0));
}
