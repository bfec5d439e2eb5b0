/*
 * Text on a terminal, character by character as the locale has them.
 */
#include "ctl/shown.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>
#include <wchar.h>

#define MARK "..."
/* Below this the mark would take more than the text. */
#define MARK_COLUMNS_MIN (2 * (sizeof(MARK) - 1))

/* One character, or one byte that is none. */
struct glyph {
	size_t len;  /* bytes */
	int columns; /* 0: not to be shown */
};

static struct glyph
glyph_at(const char *text, size_t len)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n = mbrtowc(&c, text, len, &state);
	int columns;

	if (n == 0 || n > len) /* NUL; (size_t)-1: no character, (size_t)-2: the beginning of one */
		return (struct glyph){ 1, 0 };
	columns = wcwidth(c);
	return (struct glyph){ n, columns > 0 ? columns : 0 };
}

static void
print_escaped(FILE *out, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			fputs("\\n", out);
		else if (bytes[i] == '\t')
			fputs("\\t", out);
		else
			fprintf(out, "\\x%02x", (unsigned char)bytes[i]);
	}
}

static void
print_glyphs(FILE *out, const char *text, size_t len, const char *also)
{
	while (len > 0) {
		const struct glyph glyph = glyph_at(text, len);

		if (glyph.columns > 0 || (*text && strchr(also, *text)))
			fwrite(text, 1, glyph.len, out);
		else
			print_escaped(out, text, glyph.len);
		text += glyph.len;
		len -= glyph.len;
	}
}

void
shown_print(FILE *out, const char *text, size_t len)
{
	print_glyphs(out, text, len, "\n\t");
}

char *
shown_text(const char *text)
{
	char *shown = NULL;
	size_t len;
	FILE *out = open_memstream(&shown, &len);
	bool failed;

	if (!out)
		return NULL;
	print_glyphs(out, text, strlen(text), "");
	failed = ferror(out);
	if (fclose(out) != 0 || failed) {
		free(shown);
		return NULL;
	}
	return shown;
}

/* How many bytes a style takes that begins here; 0 when none does. All other escape characters have been made harmless. */
static size_t
style_len(const char *line)
{
	const size_t n = *line == '\033' ? strcspn(line, "m") : 0;

	return n > 0 && line[n] == 'm' ? n + 1 : 0;
}

size_t
shown_width(const char *line)
{
	size_t left = strlen(line), columns = 0;

	while (left > 0) {
		const size_t style = style_len(line);
		const struct glyph glyph = style ? (struct glyph){ style, 0 } : glyph_at(line, left);

		columns += (size_t)glyph.columns;
		line += glyph.len;
		left -= glyph.len;
	}
	return columns;
}

/* Styles pass even behind the cut, so that each that has begun ends. */
static void
print_within(FILE *out, const char *line, size_t columns)
{
	size_t left = strlen(line), used = 0;

	while (left > 0) {
		const size_t style = style_len(line);
		const struct glyph glyph = style ? (struct glyph){ style, 0 } : glyph_at(line, left);

		if (style || used + (size_t)glyph.columns <= columns)
			fwrite(line, 1, glyph.len, out);
		if (!style)
			used += (size_t)glyph
			                .columns; /* once over, it stays over: nothing narrower slips in behind */
		line += glyph.len;
		left -= glyph.len;
	}
}

void
shown_cut(FILE *out, const char *line, size_t columns)
{
	const bool has_mark = columns >= MARK_COLUMNS_MIN;

	if (columns == 0 || shown_width(line) <= columns) {
		fputs(line, out);
		return;
	}
	print_within(out, line, columns - (has_mark ? strlen(MARK) : 0));
	if (has_mark)
		fputs(MARK, out);
}
