/*
 * Small work on strings: escaping what came from outside, strict numbers, the distance between two words.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Makes `len` bytes fit to be shown on one line: printable ASCII as it is, all else (the backslash too) as
 * \n, \t, \\ or \xHH. What does not fit `size` is cut and marked by "..." at the end. Always ends in NUL;
 * size must be >= 8.
 */
void text_escape(char *dst, size_t size, const void *src, size_t len);

/*
 * Reads a decimal number that makes up the whole of `s`: digits only, no sign, no space.
 * 0 with *ret; -EINVAL when it is none; -ERANGE above UINT64_MAX.
 */
int text_parse_u64(const char *s, uint64_t *ret);

/*
 * How many letters must be changed, added, dropped or swapped with their neighbour to make a from b; words of
 * up to 63 letters, else SIZE_MAX.
 */
size_t text_distance(const char *a, const char *b);

/* The same, or is it? NULL equals only NULL. */
bool text_equal(const char *a, const char *b);

/* printf into new memory, to be freed; NULL when there is none. */
char *text_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
