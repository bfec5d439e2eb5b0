/*
 * Describing a master's state, and reading the description.
 */
#include "master/heritage.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* ---- bytes as text: printable ASCII as it is, all else and the percent sign as %XX ---- */

static bool
is_plain(unsigned char c)
{
	return c >= ' ' && c <= '~' && c != '%';
}

json_t *
heritage_bytes(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	cleanup_free char *text = malloc(3 * len + 1);
	const unsigned char *from = data;
	char *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (is_plain(from[i])) {
			*to++ = (char)from[i];
			continue;
		}
		*to++ = '%';
		*to++ = digits[from[i] >> 4];
		*to++ = digits[from[i] & 15];
	}
	return json_stringn(text, (size_t)(to - text));
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *
heritage_load_bytes(const json_t *text, size_t *ret_len)
{
	const char *from = json_string_value(text), *end = from ? from + json_string_length(text) : NULL;
	cleanup_free char *bytes = from ? malloc((size_t)(end - from) + 1) : NULL;
	char *to = bytes;

	if (!bytes)
		return NULL;
	while (from < end) {
		if (is_plain((unsigned char)*from)) {
			*to++ = *from++;
			continue;
		}
		if (*from != '%' || end - from < 3 || hex_digit(from[1]) < 0 || hex_digit(from[2]) < 0)
			return NULL;
		*to++ = (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]));
		from += 3;
	}
	*to = '\0';
	*ret_len = (size_t)(to - bytes);
	return take_ptr(bytes);
}

/* ---- saving ---- */

void
heritage_set(struct heritage *h, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		h->failed = true;
}

void
heritage_add(struct heritage *h, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		h->failed = true;
}

json_t *
heritage_fd(struct heritage *h, int fd, bool read)
{
	int *more = realloc(h->fd, (h->n_fd + 1) * sizeof(*more));

	if (!more)
		return NULL;
	h->fd = more;
	h->fd[h->n_fd++] = fd;
	if (read) { /* to the others of its kind, at the front */
		h->fd[h->n_fd - 1] = h->fd[h->n_read];
		h->fd[h->n_read++] = fd;
	}
	return json_integer(fd);
}

json_t *
heritage_numbers(const uint64_t *number, size_t n)
{
	json_t *array = json_array();

	/* a number of 64 bits is the integer with the same bits */
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(array, json_integer((json_int_t)number[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static uint64_t
read_number(const void *at, size_t size)
{
	uint64_t wide = 0;
	uint32_t word = 0;

	if (size == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	if (size != sizeof(word))
		return *(const uint8_t *)at;
	memcpy(&word, at, sizeof(word));
	return word;
}

static void
write_number(void *at, size_t size, uint64_t number)
{
	uint32_t word = (uint32_t)number;

	if (size == sizeof(number))
		memcpy(at, &number, sizeof(number));
	else if (size == sizeof(word))
		memcpy(at, &word, sizeof(word));
	else
		*(uint8_t *)at = (uint8_t)number;
}

static json_t *
save_field(struct heritage *h, const struct heritage_field *f, const void *at)
{
	const char *string;

	switch (f->type) {
	case HERITAGE_TYPE_NUMBER:
		return json_integer((json_int_t)read_number(at, f->size));
	case HERITAGE_TYPE_NUMBERS:
		return heritage_numbers(at, f->size / sizeof(uint64_t));
	case HERITAGE_TYPE_BOOL:
		return json_boolean(*(const bool *)at);
	case HERITAGE_TYPE_FD:
		return heritage_fd(h, *(const int *)at, false);
	case HERITAGE_TYPE_TEXT:
		return heritage_bytes(at, strlen(at));
	case HERITAGE_TYPE_STRING:
		string = *(char *const *)at;
		return string ? heritage_bytes(string, strlen(string)) : json_null();
	case HERITAGE_TYPE_REST:
		break;
	}
	return NULL;
}

json_t *
heritage_save(struct heritage *h, const struct heritage_field *fields, const void *from)
{
	json_t *object = json_object();

	for (const struct heritage_field *f = fields; f->name; f++)
		if (f->type != HERITAGE_TYPE_REST)
			heritage_set(h, object, f->name, save_field(h, f, (const char *)from + f->offset));
	return object;
}

int
heritage_seal(struct heritage *h, json_t *json)
{
	cleanup_free char *text = json && !h->failed ? json_dumps(json, JSON_COMPACT) : NULL;
	int fd;

	json_decref(json);
	if (!text)
		return -ENOMEM;
	if (strlen(text) > HERITAGE_SIZE_MAX)
		return -EFBIG;
	fd = fd_sealed_memfd("gracefuld-state", text, strlen(text));
	if (fd < 0)
		return fd;
	json = heritage_fd(h, fd, true);
	if (!json)
		fd_close(&fd);
	json_decref(json);
	return fd < 0 ? -ENOMEM : fd;
}

int
heritage_keep(const struct heritage *h, bool keep)
{
	int r = 0;

	/* a thousand workers have thousands of them: one system call each (there is no other flag that could be lost) */
	for (size_t i = 0; i < h->n_fd; i++)
		if (fcntl(h->fd[i], F_SETFD, keep ? 0 : FD_CLOEXEC) < 0)
			r = -errno;
	return r;
}

void
heritage_done(struct heritage *h)
{
	free(h->fd);
	*h = (struct heritage){ 0 };
}

/* ---- loading ---- */

bool
heritage_refuse(struct heritage *h, const char *fmt, ...)
{
	va_list ap;

	if (*h->error) /* what follows is only its consequence */
		return false;
	va_start(ap, fmt);
	vsnprintf(h->error, sizeof(h->error), fmt, ap);
	va_end(ap);
	return false;
}

int
heritage_look_fd(const json_t *number)
{
	json_int_t fd = json_integer_value(number);

	return json_is_integer(number) && fd > STDERR_FILENO && fd <= INT_MAX ? (int)fd : -1;
}

bool
heritage_load_fd(struct heritage *h, const json_t *number, int *ret)
{
	int fd = heritage_look_fd(number), flags;

	if (fd < 0)
		return heritage_refuse(h, "a descriptor is none");
	*ret = -1;
	if (h->trial)
		return true;
	/* what has been taken before is close-on-exec: none can have two owners */
	flags = fcntl(fd, F_GETFD);
	if (flags < 0 || flags & FD_CLOEXEC || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return heritage_refuse(h, "descriptor %d is not open, or another's", fd);
	*ret = fd;
	return true;
}

bool
heritage_load_numbers(struct heritage *h, const json_t *array, uint64_t *into, size_t max)
{
	size_t n = json_array_size(array);

	if (!json_is_array(array) || n > max)
		return heritage_refuse(h, "a list of numbers is none, or too long");
	for (size_t i = 0; i < n; i++) {
		if (!json_is_integer(json_array_get(array, i)))
			return heritage_refuse(h, "what should be a number is none");
		into[i] = (uint64_t)json_integer_value(json_array_get(array, i));
	}
	return true;
}

static bool
load_text(const json_t *value, char *at, size_t size)
{
	size_t len;
	cleanup_free char *text = heritage_load_bytes(value, &len);

	if (!text || len >= size || strlen(text) != len)
		return false;
	memcpy(at, text, len + 1);
	return true;
}

static bool
load_string(const json_t *value, char **at)
{
	size_t len = 0;

	if (json_is_null(value))
		return true;
	*at = heritage_load_bytes(value, &len);
	return *at && strlen(*at) == len;
}

static bool
load_field(struct heritage *h, const struct heritage_field *f, const json_t *value, void *at)
{
	uint64_t number = (uint64_t)json_integer_value(value);

	switch (f->type) {
	case HERITAGE_TYPE_NUMBER:
		if (!json_is_integer(value) || number > f->max)
			return false;
		write_number(at, f->size, number);
		return true;
	case HERITAGE_TYPE_NUMBERS:
		return heritage_load_numbers(h, value, at, f->size / sizeof(uint64_t));
	case HERITAGE_TYPE_BOOL:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value);
	case HERITAGE_TYPE_FD:
		return heritage_load_fd(h, value, at);
	case HERITAGE_TYPE_TEXT:
		return load_text(value, at, f->size);
	case HERITAGE_TYPE_STRING:
		return load_string(value, at);
	case HERITAGE_TYPE_REST:
		return true;
	}
	return false;
}

bool
heritage_load(struct heritage *h, const struct heritage_field *fields, const json_t *object, void *into)
{
	size_t n = 0;

	if (!json_is_object(object))
		return heritage_refuse(h, "what has \"%s\" is no object", fields->name);
	for (const struct heritage_field *f = fields; f->name; f++, n++) {
		const json_t *value = json_object_get(object, f->name);

		if (!value)
			return heritage_refuse(h, "\"%s\" is missing", f->name);
		if (!load_field(h, f, value, (char *)into + f->offset))
			return heritage_refuse(h, "\"%s\" is wrong", f->name);
	}
	if (json_object_size(object) != n)
		return heritage_refuse(h, "what has \"%s\" has more than is known", fields->name);
	return true;
}

/* ---- from one image to the next ---- */

int
heritage_from_environment(void)
{
	const char *value = getenv(HERITAGE_ENV);
	uint64_t fd = 0;
	int r;

	if (!value)
		return -1;
	r = text_parse_u64(value, &fd);
	unsetenv(HERITAGE_ENV);
	return r == 0 && fd > STDERR_FILENO && fd <= INT_MAX ? (int)fd : -EINVAL;
}

/* Whoever else may have left the variable and a file: only a master writes a memfd that nobody can change. */
static json_t *
read_sealed(struct heritage *h, int fd)
{
	cleanup_free char *text = NULL;
	json_error_t error;
	json_t *json;
	size_t len;
	int r;

	if (fcntl(fd, F_GET_SEALS) != SEALS) {
		heritage_refuse(h, "descriptor %d is no state of a master", fd);
		return NULL;
	}
	r = fd_read_all(fd, HERITAGE_SIZE_MAX, &text, &len);
	if (r < 0) {
		heritage_refuse(h, "the state can't be read: %s", strerror(-r));
		return NULL;
	}
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		heritage_refuse(h, "the state is no JSON: %s", error.text);
	return json;
}

json_t *
heritage_open(struct heritage *h, int fd)
{
	cleanup_fd int own = fd;
	json_t *json = read_sealed(h, own);
	const json_t *version = json_object_get(json, "version"), *pid = json_object_get(json, "pid");

	if (!json)
		return NULL;
	if (!json_is_integer(version))
		heritage_refuse(h, "the state has no version");
	else if (json_integer_value(version) != HERITAGE_VERSION)
		heritage_refuse(h, "the state is of version %lld, and only version %d is known",
			(long long)json_integer_value(version), HERITAGE_VERSION);
	else if (!json_is_integer(pid) || json_integer_value(pid) != (h->trial ? getppid() : getpid()))
		heritage_refuse(h, "the state is of another process");
	else
		return json;
	json_decref(json);
	return NULL;
}

char **
heritage_environment(int fd)
{
	size_t n = 0, used = 0;
	char **environment, *own = text_format(HERITAGE_ENV "=%d", fd);

	while (environ[n])
		n++;
	environment = own ? calloc(n + 2, sizeof(*environment)) : NULL;
	if (!environment) {
		free(own);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], HERITAGE_ENV "=", strlen(HERITAGE_ENV "=")) != 0)
			environment[used++] = environ[i];
	environment[used] = own;
	return environment;
}

void
heritage_environment_free(char **environment)
{
	size_t n = 0;

	while (environment && environment[n])
		n++;
	if (n > 0)
		free(environment[n - 1]);
	free(environment);
}
