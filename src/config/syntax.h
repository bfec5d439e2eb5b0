/*
 * Checks the text before libconfig sees it.
 *
 * libconfig stops at the first error and knows its line only roughly, leaks memory then, lets numbers wrap that are too large, opens files
 * by itself (@include), nests as deep as its stack allows, and takes time that grows with the square of the number of settings in a
 * group. So this says what is wrong, and libconfig gets nothing that it could stumble over.
 */
#ifndef CONFIG_SYNTAX_H
#define CONFIG_SYNTAX_H

#include "config/places.h"
#include "config/problem.h"

#define SYNTAX_DEPTH_MAX  32   /* { ( [ inside each other */
#define SYNTAX_GROUP_MAX  512  /* settings in one group */
#define SYNTAX_NAME_MAX   63   /* letters of a setting's name */
#define SYNTAX_VALUES_MAX 5000 /* values in all, elements of lists included */

/* A value as it stands in the text. */
struct syntax_value {
	unsigned line;     /* of the text, where it begins */
	long long integer; /* of a number that is one; else 0 */
};

/*
 * 0 when all is well; -EINVAL with what is wrong in `problems`; -ENOMEM. On success, `values` has all values in their order: of a group
 * or list first itself, then what is inside.
 */
int syntax_check(const char *text, const struct places *places, struct problems *problems,
	struct syntax_value values[static SYNTAX_VALUES_MAX]);

#endif
