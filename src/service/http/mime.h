/*
 * The type of a file, from the end of its name.
 */
#ifndef SERVICE_HTTP_MIME_H
#define SERVICE_HTTP_MIME_H

#include "http/request.h"

struct mime;

#define MIME_TYPE_MAX 127 /* letters; longer ones are not taken */

/* The system's table (Debian: media-types) … */
#define MIME_FILE "/etc/mime.types"

/*
 * Reads a table: lines "type/subtype ext ext …". Where the file can't be read, only the commonest types are known,
 * which are built in. NULL: no memory.
 */
struct mime *mime_new(const char *path);
void mime_free(struct mime *mime); /* NULL is fine */

/* "text/html"; "application/octet-stream" for what is not known. Lives as long as `mime`. */
struct http_text mime_type(const struct mime *mime, const char *name);

#endif
