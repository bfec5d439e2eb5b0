/*
 * What is wrong with a configuration: all problems that were found, each with its place, in the order of the text.
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>

#define PROBLEMS_MAX 100 /* more are counted, not kept: nobody reads on, and memory stays bounded */

struct problems {
	size_t n;                     /* found; the first PROBLEMS_MAX of them are kept */
	size_t kept;                  /* how many can be read from `text` */
	char *text[PROBLEMS_MAX];     /* "file:line: message", or "file: message" where there is no line */
	unsigned place[PROBLEMS_MAX]; /* what they are sorted by: see problems_add_at */
};

void problems_init(struct problems *problems);
void problems_done(struct problems *problems);

/*
 * Adds one behind all others. `file` may be NULL (then only the message stands there), `line` 0 for none. Out of memory, it is
 * counted only.
 */
void problems_add(struct problems *problems, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * The same, but sorted in: it stands behind those of the same or a lower `place`, which is any number that grows along the text.
 * What problems_add has added has the highest place.
 */
void problems_add_at(struct problems *problems, unsigned place, const char *file, unsigned line,
	const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

/* How many can be read from `text`: min(n, PROBLEMS_MAX), less what memory did not suffice for. */
size_t problems_kept(const struct problems *problems);

#endif
