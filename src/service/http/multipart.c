/*
 * Several parts of a file in one body.
 */
#include "service/http/multipart.h"

#include "base/cleanup.h"
#include "service/http/mime.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

int
multipart_init(struct multipart *multipart)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char chance[MULTIPART_BOUNDARY_LEN / 2];

	if (getrandom(chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
		return errno > 0 ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(chance); i++) {
		multipart->boundary[2 * i] = hex[chance[i] >> 4];
		multipart->boundary[2 * i + 1] = hex[chance[i] & 15];
	}
	multipart->boundary[MULTIPART_BOUNDARY_LEN] = '\0';
	return 0;
}

/* Of what stands before a part, or behind the last one. */
#define SEPARATOR_MAX (MULTIPART_BOUNDARY_LEN + MIME_TYPE_MAX + RANGE_TEXT_MAX + 64)

/* What stands before a part; NULL: behind the last one. Returns its length. */
static size_t
separate(const struct multipart *multipart, struct http_text type, const struct range *range, uint64_t size,
	char dst[SEPARATOR_MAX])
{
	char text[RANGE_TEXT_MAX];
	struct http_text shown;

	if (!range)
		return (size_t)snprintf(dst, SEPARATOR_MAX, "\r\n--%s--\r\n", multipart->boundary);
	shown = range_format(range, size, text);
	return (size_t)snprintf(dst, SEPARATOR_MAX,
		"\r\n--%s\r\nContent-Type: %.*s\r\nContent-Range: %.*s\r\n\r\n", multipart->boundary,
		(int)type.len, type.at, (int)shown.len, shown.at);
}

/* How large the body will be; more than MULTIPART_MAX: too large. */
static size_t
measure(const struct multipart *multipart, uint64_t size, struct http_text type, const struct range *ranges,
	size_t n)
{
	char separator[SEPARATOR_MAX];
	size_t len = separate(multipart, type, NULL, size, separator);

	for (size_t i = 0; i < n; i++) {
		if (ranges[i].len > MULTIPART_MAX)
			return SIZE_MAX;
		len += separate(multipart, type, &ranges[i], size, separator) + (size_t)ranges[i].len;
	}
	return len;
}

int
multipart_make(const struct multipart *multipart, int fd, uint64_t size, struct http_text type,
	const struct range *ranges, size_t n, struct http_text *ret)
{
	size_t len = measure(multipart, size, type, ranges, n), at = 0, separator_len;
	cleanup_free char *body = NULL;
	char separator[SEPARATOR_MAX];

	if (len > MULTIPART_MAX)
		return -EFBIG;
	body = malloc(len);
	if (!body)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ssize_t got;

		separator_len = separate(multipart, type, &ranges[i], size, separator);
		memcpy(body + at, separator, separator_len);
		at += separator_len;
		got = pread(fd, body + at, (size_t)ranges[i].len, (off_t)ranges[i].first);
		if (got != (ssize_t)ranges[i].len)
			return got < 0 ? -errno : -ENODATA;
		at += (size_t)ranges[i].len;
	}
	separator_len = separate(multipart, type, NULL, size, separator);
	memcpy(body + at, separator, separator_len);
	*ret = (struct http_text){ take_ptr(body), len };
	return 0;
}

void
multipart_free_body(struct http_text body)
{
	free((void *)(uintptr_t)body.at);
}

struct http_text
multipart_type(const struct multipart *multipart, char dst[MULTIPART_TYPE_MAX])
{
	snprintf(dst, MULTIPART_TYPE_MAX, "multipart/byteranges; boundary=%s", multipart->boundary);
	return (struct http_text){ dst, MULTIPART_TYPE_MAX - 1 };
}
