/*
 * Static files: finding, opening, and sending what was asked for of them.
 *
 * The kernel keeps us below the root (openat2 with RESOLVE_BENEATH): neither ".." nor a symbolic link leads out of it,
 * whatever somebody does to the folders in that very moment. Only regular files are sent. Nothing here blocks but for
 * the disk: a FIFO is opened without waiting for its other end.
 */
#include "service/http/files.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "service/http/condition.h"
#include "service/http/mime.h"
#include "service/http/multipart.h"
#include "service/http/path.h"
#include "service/http/range.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Files up to this are read into the reply, and go out with its head by one system call. For 1 kB that takes some 8 %
 * less time than sendfile does; at 8 kB there is no difference left.
 */
#define SMALL_MAX ((size_t)4 * 1024)

/* A rename beside the file at the same time makes the kernel ask for another try. */
#define OPEN_TRIES 8

#define TAG_MAX sizeof("\"0123456789abcdef-0123456789abcdef\"")

struct files {
	int root;
	const char *index;
	struct mime *mime;
	struct multipart multipart;
	char name[PATH_SIZE + FILES_INDEX_MAX + 1]; /* of the file that is being served */
	char small[SMALL_MAX];                      /* what is in it */
};

/* The file that is being served. */
struct file {
	int fd; /* owned */
	uint64_t size;
	struct version version;
	char tag[TAG_MAX];
	char modified[DATE_SIZE];
};

int
files_open_root(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

struct files *
files_new(int root, const char *index)
{
	struct files *files = calloc(1, sizeof(*files));

	if (!files)
		return NULL;
	files->root = -1;
	files->index = index;
	files->mime = mime_new(MIME_FILE);
	if (!files->mime || multipart_init(&files->multipart) < 0) {
		files_free(files);
		return NULL;
	}
	files->root = root;
	return files;
}

void
files_free(struct files *files)
{
	if (!files)
		return;
	fd_close(&files->root);
	mime_free(files->mime);
	free(files);
}

/* The descriptor, or negative errno. */
static int
open_beneath(int root, const char *name)
{
	static const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < OPEN_TRIES && fd < 0; i++) {
		fd = syscall(SYS_openat2, root, name, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return fd < 0 ? -EAGAIN : (int)fd;
}

/* What to answer when a file can't be opened. */
static int
status_of_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV: /* out of the root: there is nothing */
		return 404;
	case EACCES:
	case EPERM:
	case ENXIO: /* a socket, or a device */
	case ENODEV:
		return 403;
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return 503;
	default:
		return 500;
	}
}

static char *
put_hex(char *at, uint64_t n)
{
	char digits[16];
	size_t i = sizeof(digits);

	do
		digits[--i] = "0123456789abcdef"[n % 16];
	while (n /= 16);
	memcpy(at, digits + i, sizeof(digits) - i);
	return at + sizeof(digits) - i;
}

/*
 * The tag is time and size. A file that was written within this second or the last may be written again without a
 * difference in either, as times have the grain of the kernel's clock; so its tag is a weak one for so long.
 */
static void
set_version(struct file *file, const struct stat *st, time_t now)
{
	char *at = file->tag;

	*at++ = '"';
	at = put_hex(at, (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec);
	*at++ = '-';
	at = put_hex(at, (uint64_t)st->st_size);
	*at++ = '"';
	file->size = (uint64_t)st->st_size;
	file->version.tag = (struct http_text){ file->tag, (size_t)(at - file->tag) };
	file->version.is_weak = st->st_mtim.tv_sec >= now - 1;
	/* a time to come would be no good to anybody (RFC 9110, 8.8.2.1) */
	file->version.modified = st->st_mtim.tv_sec < now ? st->st_mtim.tv_sec : now;
	date_format(file->version.modified, file->modified);
}

/* The folder is there, but was named without the slash that relative links in its pages need. */
static void
redirect_to_folder(struct files *files, struct exchange *exchange)
{
	char location[4 * PATH_SIZE];
	struct http_text query = exchange->request->query;
	size_t len;

	if (path_encode(files->name, location, 3 * PATH_SIZE) < 0) {
		exchange_error(exchange, 414);
		return;
	}
	len = strlen(location);
	location[len++] = '/';
	if (query.len > 0 && query.len < sizeof(location) - len) {
		location[len++] = '?';
		memcpy(location + len, query.at, query.len);
		len += query.len;
	}
	exchange_start(exchange, 301);
	exchange_field(exchange, HTTP_TEXT("Location"), (struct http_text){ location, len });
	exchange_send_reason(exchange);
}

/* Finds and opens the file. false: it was answered otherwise. */
static bool
find_file(struct files *files, struct exchange *exchange, struct file *file)
{
	size_t len = 0;
	int status = path_resolve(exchange->request->path, files->name, &len);
	bool is_folder = len == 0 || files->name[len - 1] == '/';
	struct stat st;

	if (status == 0 && is_folder)
		memcpy(files->name + len, files->index, strlen(files->index) + 1);
	if (status == 0) {
		file->fd = open_beneath(files->root, files->name);
		status = file->fd < 0                        ? status_of_error(-file->fd)
		         : fstat(file->fd, &st) < 0          ? 500
		         : S_ISREG(st.st_mode)               ? 0
		         : S_ISDIR(st.st_mode) && !is_folder ? 301
		                                             : 403;
	}
	if (status == 0)
		set_version(file, &st, date_line_get(exchange->date).len > 0 ? exchange->date->now : 0);
	else if (status == 301)
		redirect_to_folder(files, exchange);
	else
		exchange_error(exchange, status);
	return status == 0;
}

/* Begins a reply that is about this version of the file. */
static void
start(struct exchange *exchange, const struct file *file, int status)
{
	struct http_connection *connection = exchange->connection;

	exchange_start(exchange, status);
	http_reply_lines(connection, HTTP_TEXT("Last-Modified: "));
	http_reply_lines(connection, (struct http_text){ file->modified, DATE_SIZE - 1 });
	http_reply_lines(
		connection, file->version.is_weak ? HTTP_TEXT("\r\nETag: W/") : HTTP_TEXT("\r\nETag: "));
	http_reply_lines(connection, file->version.tag);
	http_reply_lines(connection, HTTP_TEXT("\r\n"));
}

/* Ends the reply with a part of the file. */
static void
send_part(struct files *files, struct exchange *exchange, struct file *file, struct range part)
{
	bool by_sendfile = part.len > sizeof(files->small) || exchange->request->verb == HTTP_VERB_HEAD;
	ssize_t n;

	if (by_sendfile) {
		exchange_send_file(exchange, take_fd(&file->fd), (off_t)part.first, part.len);
		return;
	}
	n = pread(file->fd, files->small, (size_t)part.len, (off_t)part.first);
	if (n == (ssize_t)part.len)
		exchange_send(exchange, (struct http_text){ files->small, (size_t)n });
	else /* it has become shorter since, or can't be read: the layer deals with it as with any such file */
		exchange_send_file(exchange, take_fd(&file->fd), (off_t)part.first, part.len);
}

static void
send_whole(struct files *files, struct exchange *exchange, struct file *file)
{
	start(exchange, file, 200);
	exchange_field(exchange, HTTP_TEXT("Content-Type"), mime_type(files->mime, files->name));
	http_reply_lines(exchange->connection, HTTP_TEXT("Accept-Ranges: bytes\r\n"));
	send_part(files, exchange, file, (struct range){ 0, file->size });
}

static void
send_range(struct files *files, struct exchange *exchange, struct file *file, const struct range *range)
{
	char text[RANGE_TEXT_MAX];

	start(exchange, file, 206);
	exchange_field(exchange, HTTP_TEXT("Content-Type"), mime_type(files->mime, files->name));
	exchange_field(exchange, HTTP_TEXT("Content-Range"), range_format(range, file->size, text));
	send_part(files, exchange, file, *range);
}

static void
refuse_range(struct exchange *exchange, const struct file *file)
{
	char text[RANGE_TEXT_MAX];

	start(exchange, file, 416);
	exchange_field(exchange, HTTP_TEXT("Content-Range"), range_format(NULL, file->size, text));
	exchange_send_reason(exchange);
}

/* Several ranges; the whole, where they are too much to be put together in memory. */
static void
send_ranges(struct files *files, struct exchange *exchange, struct file *file, const struct range *ranges,
	size_t n)
{
	struct http_text type = mime_type(files->mime, files->name), body;
	char content_type[MULTIPART_TYPE_MAX];

	if (multipart_make(&files->multipart, file->fd, file->size, type, ranges, n, &body) < 0) {
		send_whole(files, exchange, file);
		return;
	}
	start(exchange, file, 206);
	exchange_field(exchange, HTTP_TEXT("Content-Type"), multipart_type(&files->multipart, content_type));
	exchange_send(exchange, body);
	multipart_free_body(body);
}

static void
send_file(struct files *files, struct exchange *exchange, struct file *file)
{
	const struct http_request *request = exchange->request;
	const struct http_text *field = NULL;
	struct range ranges[RANGES_MAX];
	int n = 0;

	/* a range means nothing but to GET (RFC 9110, 14.2) */
	if (request->verb == HTTP_VERB_GET)
		field = http_request_field(request, HTTP_TEXT("Range"));
	if (field && condition_allows_range(request, &file->version))
		n = range_parse(*field, file->size, ranges);
	if (n < 0)
		refuse_range(exchange, file);
	else if (n == 0)
		send_whole(files, exchange, file);
	else if (n == 1)
		send_range(files, exchange, file, &ranges[0]);
	else
		send_ranges(files, exchange, file, ranges, (size_t)n);
}

void
files_answer(struct files *files, struct exchange *exchange)
{
	struct file file = { .fd = -1 };

	if (!exchange_is_read(exchange) || !find_file(files, exchange, &file)) {
		fd_close(&file.fd);
		return;
	}
	switch (condition_check(exchange->request, &file.version)) {
	case CONDITION_MET:
		send_file(files, exchange, &file);
		break;
	case CONDITION_NOT_MODIFIED:
		start(exchange, &file, 304);
		exchange_send(exchange, HTTP_TEXT(""));
		break;
	case CONDITION_FAILED:
		exchange_error(exchange, 412);
		break;
	}
	fd_close(&file.fd);
}
