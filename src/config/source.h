/*
 * Reads a configuration file with all that it includes into one text, with the line markers of scan.h.
 *
 *	@include "path-or-pattern"
 *
 * on a line of its own stands for the lines of a file. A relative path starts at the folder of the file that it stands in. Of a pattern
 * (glob(7)) all files are taken in the order of their names; there may be none.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "config/problem.h"

#include <stddef.h>

#define SOURCE_DEPTH_MAX 10 /* files that include each other, the first one counted */

/*
 * 0 with *ret (NUL-terminated, to be freed) and *ret_len; -EINVAL with what is wrong in `problems`; or another negative errno, with a
 * problem as well. Never blocks on a FIFO or device, and reads no file that others than root and this process's user could
 * have written.
 */
int source_read(const char *path, char **ret, size_t *ret_len, struct problems *problems);

#endif
