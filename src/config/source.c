/*
 * Configuration files: which may be read, and how they are put together.
 */
#include "config/source.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/trust.h"
#include "config/config.h"
#include "config/scan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

struct source {
	struct problems *problems;
	const char *path; /* of the first file */
	char *text;
	size_t len, size;
	size_t read; /* bytes of all files; bounds the time as CONFIG_TEXT_MAX bounds the memory */
	bool failed; /* there are problems; what is left is read nevertheless, to find them all */
};

/* A file that is being read, and who wants it. */
struct file {
	const char *path;
	const struct file *includer; /* NULL: the first */
	unsigned depth;
	unsigned line; /* of the @include at hand */
	dev_t dev;
	ino_t ino;
};

/* A problem with `path`, at the @include that names it. Returns -EINVAL. */
static int __attribute__((format(printf, 4, 5)))
add_problem(struct source *source, const struct file *includer, const char *path, const char *fmt, ...)
{
	cleanup_free char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	if (includer)
		problems_add(source->problems, includer->path, includer->line, "%s: %s", path,
			message ? message : "?");
	else
		problems_add(source->problems, path, 0, "%s", message ? message : "?");
	source->failed = true;
	return -EINVAL;
}

static int
add_too_large(struct source *source)
{
	add_problem(source, NULL, source->path, "larger than %d bytes, with all that it includes",
		CONFIG_SIZE_MAX);
	return -EFBIG;
}

static int
append(struct source *source, const char *data, size_t len)
{
	if (len > CONFIG_TEXT_MAX - source->len)
		return add_too_large(source);
	if (source->size - source->len <= len) {
		size_t size = (source->len + len + 1) * 2;
		char *text = realloc(source->text, size);

		if (!text)
			return -ENOMEM;
		source->text = text;
		source->size = size;
	}
	memcpy(source->text + source->len, data, len);
	source->len += len;
	source->text[source->len] = '\0';
	return 0;
}

/* The next line of the text is this one of the file. */
static int
append_mark(struct source *source, const struct file *file, unsigned line)
{
	cleanup_free char *mark = text_format(SCAN_MARK_WORD "%u %s\n", line, file->path);

	return mark ? append(source, mark, strlen(mark)) : -ENOMEM;
}

/* Could somebody have written it who may not command this process? */
static int
check_file(struct source *source, const struct file *includer, const char *path, const struct stat *st)
{
	char why[TRUST_TEXT_MAX];

	return trust_file(st, why) ? 0 : add_problem(source, includer, path, "%s", why);
}

/* "/a:3 -> /b:1": the way to a file. NULL: no memory. */
static char *
format_chain(const struct file *file)
{
	cleanup_free char *before = NULL;

	if (!file->includer)
		return text_format("%s:%u", file->path, file->line);
	before = format_chain(file->includer);
	return before ? text_format("%s -> %s:%u", before, file->path, file->line) : NULL;
}

static int
check_chain(struct source *source, const struct file *includer, const char *path, const struct stat *st)
{
	const struct file *file = includer;
	cleanup_free char *chain = NULL;

	while (file && (file->dev != st->st_dev || file->ino != st->st_ino))
		file = file->includer;
	if (!file && (!includer || includer->depth < SOURCE_DEPTH_MAX))
		return 0;
	chain = format_chain(includer);
	if (!chain)
		return -ENOMEM;
	if (file)
		return add_problem(source, includer, path, "includes itself (%s)", chain);
	return add_problem(source, includer, path, "more than %d files deep (%s)", SOURCE_DEPTH_MAX, chain);
}

static unsigned
count_lines(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

/* All bytes of a file that may be read; *ret_st tells which it is. */
static int
read_bytes(
	struct source *source, const struct file *includer, const char *path, char **ret, struct stat *ret_st)
{
	/* O_NONBLOCK: a FIFO without a writer must not hold us up */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *data = NULL;
	const char *nul;
	size_t len;
	int r;

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return add_problem(source, includer, path, "%s", strerror(errno));
	if ((r = check_file(source, includer, path, ret_st)) < 0 ||
		(r = check_chain(source, includer, path, ret_st)) < 0)
		return r;
	r = fd_read_all(fd, CONFIG_SIZE_MAX - source->read, &data, &len);
	if (r == -EFBIG)
		return add_too_large(source);
	if (r < 0)
		return r == -ENOMEM ? r : add_problem(source, includer, path, "%s", strerror(-r));
	source->read += len;
	nul = memchr(data, '\0', len);
	if (nul) {
		problems_add(source->problems, path, count_lines(data, (size_t)(nul - data)) + 1,
			"not a text file: NUL byte");
		source->failed = true;
		return -EINVAL;
	}
	*ret = take_ptr(data);
	return 0;
}

/* Neither a line marker nor a message could show a name with a newline or such in it. */
static int
check_name(struct source *source, const struct file *includer, const char *path)
{
	char shown[256];

	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p >= ' ' && *p != 127)
			continue;
		text_escape(shown, sizeof(shown), path, strlen(path));
		return add_problem(source, includer, shown, "refused: control character in the name");
	}
	return 0;
}

static int read_file(struct source *source, const struct file *includer, const char *path);

/* A path as seen from the folder of a file; as a pattern, the folder's own letters mean nothing special. NULL: no memory. */
static char *
resolve(const struct file *from, const char *path, bool is_pattern)
{
	const char *slash = strrchr(from->path, '/');
	const size_t folder = slash ? (size_t)(slash + 1 - from->path) : 0;
	char *resolved, *p;

	if (*path == '/')
		return strdup(path);
	p = resolved = malloc(2 * folder + strlen(path) + 1);
	if (!resolved)
		return NULL;
	for (size_t i = 0; i < folder; i++) {
		if (is_pattern && strchr("*?[\\", from->path[i]))
			*p++ = '\\';
		*p++ = from->path[i];
	}
	memcpy(p, path, strlen(path) + 1);
	return resolved;
}

/* A folder that is not there has no files in it; one that can't be read is an error. */
static int
on_glob_error(const char *path, int error)
{
	(void)path;
	return error != ENOENT;
}

static int
include_pattern(struct source *source, const struct file *from, const char *pattern)
{
	cleanup_free char *path = resolve(from, pattern, true);
	glob_t found = { 0 };
	int r;

	if (!path)
		return -ENOMEM;
	r = glob(path, 0, on_glob_error, &found);
	if (r == GLOB_NOSPACE)
		r = -ENOMEM;
	else if (r == GLOB_ABORTED)
		r = add_problem(source, from, pattern, "%s", strerror(errno));
	else
		r = 0;
	for (size_t i = 0; i < found.gl_pathc && (r == 0 || r == -EINVAL); i++)
		r = read_file(source, from, found.gl_pathv[i]);
	globfree(&found);
	return r;
}

static int
include(struct source *source, const struct file *from, const char *path)
{
	cleanup_free char *resolved = NULL;
	int r = check_name(source, from, path);

	if (r < 0)
		return r;
	if (strpbrk(path, "*?["))
		return include_pattern(source, from, path);
	resolved = resolve(from, path, false);
	return resolved ? read_file(source, from, resolved) : -ENOMEM;
}

/* Is the '@' the first on its line? */
static bool
is_first_on_line(const struct scan *scan)
{
	const char *p = scan->token;

	while (p > scan->text && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == scan->text || p[-1] == '\n';
}

/* The path of `@include "path"`, or NULL when the line from '@' on is none. *ret_error tells that there is no memory. */
static char *
parse_include(const char *at, int *ret_error)
{
	static const char word[] = "@include";
	const char *p = at, *end;
	char *path;

	*ret_error = 0;
	if (strncmp(p, word, strlen(word)) != 0)
		return NULL;
	p += strlen(word);
	p += strspn(p, " \t");
	end = *p == '"' ? p + 1 + strcspn(p + 1, "\"\n") : p;
	if (end <= p + 1 || *end != '"')
		return NULL;
	at = p + 1;
	p = end + 1;
	p += strspn(p, " \t\r");
	if (*p != '\n' && *p != '\0' && *p != '#' && strncmp(p, "//", 2) != 0)
		return NULL;
	path = strndup(at, (size_t)(end - at));
	*ret_error = path ? 0 : -ENOMEM;
	return path;
}

/* Puts what is included in the place of its line. */
static int
expand_include(struct source *source, struct file *file, const struct scan *scan)
{
	cleanup_free char *path = NULL;
	int r;

	path = parse_include(scan->token, &r);
	if (r < 0)
		return r;
	file->line = scan->line;
	if (path) {
		r = include(source, file, path);
	} else {
		problems_add(source->problems, file->path, scan->line,
			"syntax error: @include \"FILE\" expected, alone on its line");
		source->failed = true;
	}
	if (r < 0 && r != -EINVAL)
		return r;
	return append_mark(source, file, scan->line + 1);
}

/* Copies the text of a file, expanding what it includes. */
static int
expand(struct source *source, struct file *file, const char *data)
{
	const char *copied = data; /* so far */
	struct scan scan;
	int r = append_mark(source, file, 1);

	scan_init(&scan, data);
	while (r == 0 && scan_next(&scan) != SCAN_END) {
		if (scan.type == SCAN_MARK) {
			/* it only looks like one of ours: a blank before it, and it is the comment that it was */
			if ((r = append(source, copied, (size_t)(scan.token - copied))) == 0)
				r = append(source, " ", 1);
			copied = scan.token;
		} else if (scan.type == SCAN_AT && is_first_on_line(&scan)) {
			if ((r = append(source, copied, (size_t)(scan.token - copied))) == 0 &&
				(r = append(source, "\n", 1)) == 0)
				r = expand_include(source, file, &scan);
			scan_skip_line(&scan);
			copied = scan.next + (*scan.next == '\n');
		}
	}
	if (r == 0 && scan.error) { /* it would swallow what follows in the other files */
		problems_add(source->problems, file->path, scan.line, "syntax error: %s: /*", scan.error);
		source->failed = true;
	}
	if (r == 0)
		r = append(source, copied, strlen(copied));
	return r < 0 || source->text[source->len - 1] == '\n' ? r : append(source, "\n", 1);
}

/* Adds the text of one file. -EINVAL is no reason to stop, other errors are. */
static int
read_file(struct source *source, const struct file *includer, const char *path)
{
	struct file file = {
		.path = path, .includer = includer, .depth = includer ? includer->depth + 1 : 1
	};
	cleanup_free char *data = NULL;
	struct stat st = { 0 };
	int r;

	r = check_name(source, includer, path);
	if (r == 0)
		r = read_bytes(source, includer, path, &data, &st);
	if (r < 0)
		return r;
	assert(data);
	file.dev = st.st_dev;
	file.ino = st.st_ino;
	return expand(source, &file, data);
}

int
source_read(const char *path, char **ret, size_t *ret_len, struct problems *problems)
{
	struct source source = { .problems = problems, .path = path };
	cleanup_free char *text = NULL;
	int r = read_file(&source, NULL, path);

	text = source.text;
	if (r == -ENOMEM)
		problems_add(problems, path, 0, "%s", strerror(ENOMEM));
	if (r == -EFBIG || (r == 0 && source.failed))
		r = -EINVAL;
	if (r < 0)
		return r;
	*ret = take_ptr(text);
	*ret_len = source.len;
	return 0;
}
