/*
 * Several parts of a file in one body.
 */
#include "service/http/multipart.h"

#include "base/cleanup.h"

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

/* What stands before a part: how long that is, and written into `dst` unless it is NULL. */
static size_t
write_head(const struct multipart *multipart, struct http_text type, const struct range *range, uint64_t size,
	char *dst, size_t room)
{
	char text[RANGE_TEXT_MAX];
	struct http_text shown = range_format(range, size, text);

	return (size_t)snprintf(dst, room, "\r\n--%s\r\nContent-Type: %.*s\r\nContent-Range: %.*s\r\n\r\n",
		multipart->boundary, (int)type.len, type.at, (int)shown.len, shown.at);
}

static size_t
write_end(const struct multipart *multipart, char *dst, size_t room)
{
	return (size_t)snprintf(dst, room, "\r\n--%s--\r\n", multipart->boundary);
}

/* How large the body will be; more than MULTIPART_MAX: too large. */
static size_t
measure(const struct multipart *multipart, uint64_t size, struct http_text type, const struct range *ranges,
	size_t n)
{
	size_t len = write_end(multipart, NULL, 0);

	for (size_t i = 0; i < n; i++) {
		if (ranges[i].len > MULTIPART_MAX)
			return SIZE_MAX;
		len += write_head(multipart, type, &ranges[i], size, NULL, 0) + (size_t)ranges[i].len;
	}
	return len;
}

int
multipart_make(const struct multipart *multipart, int fd, uint64_t size, struct http_text type,
	const struct range *ranges, size_t n, struct http_text *ret)
{
	size_t len = measure(multipart, size, type, ranges, n), at = 0;
	cleanup_free char *body = NULL;

	if (len > MULTIPART_MAX)
		return -EFBIG;
	body = malloc(len + 1); /* with the NUL of printf */
	if (!body)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ssize_t got;

		at += write_head(multipart, type, &ranges[i], size, body + at, len + 1 - at);
		got = pread(fd, body + at, (size_t)ranges[i].len, (off_t)ranges[i].first);
		if (got != (ssize_t)ranges[i].len)
			return got < 0 ? -errno : -ENODATA;
		at += (size_t)ranges[i].len;
	}
	write_end(multipart, body + at, len + 1 - at);
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
