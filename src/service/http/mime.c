/*
 * The type of a file, from the end of its name: the table is sorted, and looked through by halves.
 */
#include "service/http/mime.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <ctype.h>
#include <fcntl.h>
#include <strings.h>

#define FILE_MAX      ((size_t)1024 * 1024) /* Debian's has 72 kB */
#define EXTENSION_MAX 16 /* longer ones are no use: the longest of Debian's has 12 letters */

struct entry {
	const char *extension, *type;
};

struct mime {
	char *text; /* the file's; entries refer to it. NULL: there is none */
	struct entry *entries;
	size_t n;
};

/* Sorted. */
static const struct entry built_in[] = {
	{ "avif", "image/avif" },
	{ "css", "text/css" },
	{ "csv", "text/csv" },
	{ "gif", "image/gif" },
	{ "htm", "text/html" },
	{ "html", "text/html" },
	{ "ico", "image/vnd.microsoft.icon" },
	{ "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },
	{ "js", "text/javascript" },
	{ "json", "application/json" },
	{ "mjs", "text/javascript" },
	{ "mp4", "video/mp4" },
	{ "pdf", "application/pdf" },
	{ "png", "image/png" },
	{ "svg", "image/svg+xml" },
	{ "txt", "text/plain" },
	{ "wasm", "application/wasm" },
	{ "webm", "video/webm" },
	{ "webmanifest", "application/manifest+json" },
	{ "webp", "image/webp" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "xml", "application/xml" },
	{ "zip", "application/zip" },
};

static int
compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->extension, y->extension);
}

/* Of the same extension, the one that stands first in the file; it lies lower in its text. */
static int
compare_with_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = compare(a, b);

	return order != 0 ? order : x->extension < y->extension ? -1 : x->extension > y->extension;
}

static bool
add_entry(struct mime *mime, char *extension, const char *type)
{
	struct entry *more;

	if ((mime->n & (mime->n - 1)) == 0) { /* full: room is a power of two */
		more = reallocarray(mime->entries, mime->n ? mime->n * 2 : 1, sizeof(*more));
		if (!more)
			return false;
		mime->entries = more;
	}
	for (char *p = extension; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	mime->entries[mime->n++] = (struct entry){ extension, type };
	return true;
}

/* One line. What can't be a type is passed over: it would become a part of a head. */
static bool
read_line(struct mime *mime, char *line)
{
	char *rest = NULL, *type = strtok_r(line, " \t\r", &rest), *extension;

	if (!type || type[0] == '#' || !strchr(type, '/') || strlen(type) > MIME_TYPE_MAX)
		return true;
	while ((extension = strtok_r(NULL, " \t\r", &rest)))
		if (!add_entry(mime, extension, type))
			return false;
	return true;
}

static bool
read_table(struct mime *mime, const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *rest = NULL, *line;
	struct entry *fitting;
	size_t len, n = 0;

	if (fd < 0 || fd_read_all(fd, FILE_MAX, &mime->text, &len) < 0)
		return true;
	for (line = strtok_r(mime->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!read_line(mime, line))
			return false;
	if (mime->n == 0)
		return true;
	qsort(mime->entries, mime->n, sizeof(mime->entries[0]), compare_with_place);
	for (size_t i = 0; i < mime->n; i++)
		if (n == 0 || compare(&mime->entries[n - 1], &mime->entries[i]) != 0)
			mime->entries[n++] = mime->entries[i];
	mime->n = n;
	fitting = reallocarray(mime->entries, n, sizeof(*fitting));
	if (fitting)
		mime->entries = fitting;
	return true;
}

struct mime *
mime_new(const char *path)
{
	struct mime *mime = calloc(1, sizeof(*mime));

	if (mime && !read_table(mime, path)) {
		mime_free(mime);
		return NULL;
	}
	return mime;
}

void
mime_free(struct mime *mime)
{
	if (!mime)
		return;
	free(mime->text);
	free(mime->entries);
	free(mime);
}

struct http_text
mime_type(const struct mime *mime, const char *name)
{
	const char *slash = strrchr(name, '/'), *point = strrchr(slash ? slash : name, '.');
	char extension[EXTENSION_MAX];
	struct entry key = { .extension = extension };
	const struct entry *found = NULL;
	size_t len = point ? strlen(point + 1) : 0;

	if (len == 0 || len >= sizeof(extension))
		return HTTP_TEXT("application/octet-stream");
	for (size_t i = 0; i <= len; i++)
		extension[i] = (char)tolower((unsigned char)point[1 + i]);
	if (mime->n > 0)
		found = bsearch(&key, mime->entries, mime->n, sizeof(key), compare);
	if (!found)
		found = bsearch(&key, built_in, ARRAY_LEN(built_in), sizeof(key), compare);
	return found ? (struct http_text){ found->type, strlen(found->type) }
	             : HTTP_TEXT("application/octet-stream");
}
