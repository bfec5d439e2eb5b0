/*
 * From the path of a request to the name of a file.
 *
 * What is decoded is what counts: "%2e%2e" is "..", and "%2f" is a slash. The kernel is told to stay below the root
 * too (files.c); here it is seen to that one name has one meaning, whoever follows it.
 */
#include "service/http/path.h"

#include "http/target.h"

#include <ctype.h>
#include <errno.h>

/* A path as it is rewritten in place: what is behind `at` gets shorter, never longer. */
struct rewriting {
	char *text;
	size_t len; /* of what is done: "", or parts that each end in a slash */
};

/* Takes the last part off. false: there is none. */
static bool
go_up(struct rewriting *done)
{
	if (done->len == 0)
		return false;
	done->len--;
	while (done->len > 0 && done->text[done->len - 1] != '/')
		done->len--;
	return true;
}

static bool
is_hidden(const struct rewriting *done, const char *part, size_t len)
{
	return part[0] == '.' &&
	       !(done->len == 0 && len == strlen(".well-known") && memcmp(part, ".well-known", len) == 0);
}

/* Adds one part; `slash`: there is one behind it. 0, or a status. */
static int
add_part(struct rewriting *done, const char *part, size_t len, bool slash)
{
	if (len == 0 || (len == 1 && part[0] == '.'))
		return 0;
	if (len == 2 && part[0] == '.' && part[1] == '.')
		return go_up(done) ? 0 : 400;
	if (is_hidden(done, part, len))
		return 404;
	memmove(done->text + done->len, part, len);
	done->len += len;
	if (slash)
		done->text[done->len++] = '/';
	return 0;
}

int
path_resolve(struct http_text path, char dst[PATH_SIZE], size_t *ret_len)
{
	struct rewriting done = { .text = dst };
	ssize_t len = http_target_decode(path, dst, PATH_SIZE);
	int r = len == -ENAMETOOLONG ? 414 : len < 1 || dst[0] != '/' ? 400 : 0;
	size_t at = 1;

	while (r == 0 && at <= (size_t)len) {
		const char *slash = memchr(dst + at, '/', (size_t)len - at);
		size_t n = slash ? (size_t)(slash - (dst + at)) : (size_t)len - at;

		r = add_part(&done, dst + at, n, slash != NULL);
		at += n + 1;
	}
	if (r != 0)
		return r;
	dst[done.len] = '\0';
	*ret_len = done.len;
	return 0;
}

int
path_encode(const char *name, char *dst, size_t size)
{
	static const char safe[] = "/-._~!$&'()*+,;=:@", hex[] = "0123456789ABCDEF";
	size_t n = 0;

	if (size < 2)
		return -ENAMETOOLONG;
	dst[n++] = '/';
	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		if (n + 4 > size)
			return -ENAMETOOLONG;
		if (isalnum(*p) || strchr(safe, *p)) {
			dst[n++] = (char)*p;
			continue;
		}
		dst[n++] = '%';
		dst[n++] = hex[*p >> 4];
		dst[n++] = hex[*p & 15];
	}
	dst[n] = '\0';
	return 0;
}
