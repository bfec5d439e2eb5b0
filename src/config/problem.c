/*
 * The list of problems, kept sorted by place.
 */
#include "config/problem.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

void
problems_init(struct problems *problems)
{
	*problems = (struct problems){ 0 };
}

void
problems_done(struct problems *problems)
{
	for (size_t i = 0; i < problems->kept; i++)
		free(problems->text[i]);
	*problems = (struct problems){ 0 };
}

/* Takes the text over. */
static void
insert(struct problems *problems, unsigned place, char *text)
{
	size_t i = problems->kept, behind;

	while (i > 0 && problems->place[i - 1] > place)
		i--;
	if (i == PROBLEMS_MAX) {
		free(text);
		return;
	}
	if (problems->kept == PROBLEMS_MAX)
		free(problems->text[--problems->kept]);
	behind = problems->kept - i;
	memmove(&problems->text[i + 1], &problems->text[i], behind * sizeof(problems->text[0]));
	memmove(&problems->place[i + 1], &problems->place[i], behind * sizeof(problems->place[0]));
	problems->text[i] = text;
	problems->place[i] = place;
	problems->kept++;
}

void
problems_add_at(struct problems *problems, unsigned place, const char *file, unsigned line, const char *fmt,
	va_list ap)
{
	cleanup_free char *message = NULL;
	char *text;

	problems->n++;
	if (vasprintf(&message, fmt, ap) < 0) {
		message = NULL;
		return;
	}
	if (!file)
		text = take_ptr(message);
	else if (line == 0)
		text = text_format("%s: %s", file, message);
	else
		text = text_format("%s:%u: %s", file, line, message);
	if (text)
		insert(problems, place, text);
}

void
problems_add(struct problems *problems, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	problems_add_at(problems, UINT_MAX, file, line, fmt, ap);
	va_end(ap);
}

size_t
problems_kept(const struct problems *problems)
{
	return problems->kept;
}
