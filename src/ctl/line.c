/*
 * One line of output, collected in memory until its width is known.
 */
#include "ctl/line.h"

#include "base/cleanup.h"
#include "ctl/shown.h"

#include <stdarg.h>

void
line_init(struct line *line, const struct terminal *terminal)
{
	*line = (struct line){ .terminal = terminal };
	line->stream = open_memstream(&line->text, &line->len);
}

void
line_add(struct line *line, enum style style, const char *fmt, ...)
{
	cleanup_free char *text = NULL, *shown = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	shown = text ? shown_text(text) : NULL;
	if (!line->stream || !shown || !*shown)
		return;
	fprintf(line->stream, "%s%s%s", terminal_begin(line->terminal, style), shown,
		terminal_end(line->terminal, style));
	line->width += shown_width(shown);
}

void
line_pad(struct line *line, size_t column)
{
	if (line->stream && line->width < column) {
		fprintf(line->stream, "%*s", (int)(column - line->width), "");
		line->width = column;
	}
}

void
line_print(struct line *line, FILE *out, size_t columns)
{
	if (line->stream && fclose(line->stream) == 0)
		shown_cut(out, line->text, columns);
	free(line->text);
	*line = (struct line){ 0 };
}

void
line_end(struct line *line, FILE *out)
{
	line_print(line, out, line->terminal->columns);
	fputc('\n', out);
}
