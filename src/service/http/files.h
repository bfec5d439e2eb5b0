/*
 * Static files below a root.
 */
#ifndef SERVICE_HTTP_FILES_H
#define SERVICE_HTTP_FILES_H

#include "service/http/exchange.h"

#define FILES_INDEX_MAX 255

struct files;

/* Opens a folder to be the root of files_new. The descriptor, or negative errno: -ENOTDIR, and so on. */
int files_open_root(const char *path);

/* Serves what is below `root`, which is taken; `index` must stay. NULL: no memory, and `root` is the caller's. */
struct files *files_new(int root, const char *index);
void files_free(struct files *files); /* NULL is fine */

/* Answers a request, whatever it is. */
void files_answer(struct files *files, struct exchange *exchange);

#endif
