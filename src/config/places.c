/*
 * The map from lines of the text to lines of the files.
 */
#include "config/places.h"

#include "config/scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Takes "#line 12 FILE" apart. What is no such thing was written by hand, and is a comment. */
static bool
parse_mark(const struct scan *scan, struct place *ret)
{
	const char *number = scan->token + strlen(SCAN_MARK_WORD), *end = scan->token + scan->len;
	char *file;
	unsigned long line = strtoul(number, &file, 10);

	if (file == number || file + 1 >= end || *file != ' ' || line == 0 || line > UINT_MAX)
		return false;
	file++;
	for (const char *p = file; p < end; p++)
		if ((unsigned char)*p < ' ' ||
			*p == 127) /* source.c reads no such file, and messages show the name */
			return false;
	ret->line = (unsigned)line;
	ret->text_line = scan->line + 1;
	ret->file = strndup(file, (size_t)(end - file));
	return true;
}

static int
add(struct places *places, const struct place *place)
{
	/* room grows by doubling: it is full whenever n is a power of two */
	if ((places->n & (places->n - 1)) == 0) {
		size_t room = places->n ? places->n * 2 : 1;
		struct place *more = reallocarray(places->place, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		places->place = more;
	}
	places->place[places->n++] = *place;
	return 0;
}

int
places_read(struct places *places, const char *text)
{
	struct scan scan;

	*places = (struct places){ 0 };
	scan_init(&scan, text);
	while (scan_next(&scan) != SCAN_END) {
		struct place place;

		if (scan.type != SCAN_MARK || !parse_mark(&scan, &place))
			continue;
		if (!place.file || add(places, &place) < 0) {
			free(place.file);
			return -ENOMEM;
		}
	}
	return 0;
}

void
places_done(struct places *places)
{
	for (size_t i = 0; i < places->n; i++)
		free(places->place[i].file);
	free(places->place);
	*places = (struct places){ 0 };
}

void
places_find(const struct places *places, unsigned text_line, const char **ret_file, unsigned *ret_line)
{
	size_t low = 0, high = places->n;

	*ret_file = places->n > 0 ? places->place[0].file : "-";
	*ret_line = places->n > 0 ? 0 : text_line;
	while (low < high) { /* the last that is not beyond the line is in place[low - 1], once they meet */
		size_t middle = low + (high - low) / 2;

		if (places->place[middle].text_line <= text_line)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0) {
		const struct place *place = &places->place[low - 1];

		*ret_file = place->file;
		*ret_line = place->line + (text_line - place->text_line);
	}
}

void
places_vproblem(const struct places *places, struct problems *problems, unsigned text_line, const char *fmt,
	va_list ap)
{
	const char *file;
	unsigned line;

	places_find(places, text_line, &file, &line);
	problems_add_at(problems, text_line, file, line, fmt, ap);
}

void
places_problem(
	const struct places *places, struct problems *problems, unsigned text_line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	places_vproblem(places, problems, text_line, fmt, ap);
	va_end(ap);
}
