/*
 * Several parts of a file in one body, "multipart/byteranges" (RFC 9110, 14.6).
 */
#ifndef SERVICE_HTTP_MULTIPART_H
#define SERVICE_HTTP_MULTIPART_H

#include "service/http/range.h"

/* The body is put together in memory. One that would be larger is not made: a client can go without. */
#define MULTIPART_MAX ((size_t)128 * 1024)

#define MULTIPART_BOUNDARY_LEN 32
#define MULTIPART_TYPE_MAX     (sizeof("multipart/byteranges; boundary=") + MULTIPART_BOUNDARY_LEN)

struct multipart {
	/* by chance, once: nobody who writes a file can know it before */
	char boundary[MULTIPART_BOUNDARY_LEN + 1];
};

/* 0, or negative errno. */
int multipart_init(struct multipart *multipart);

/*
 * Puts the ranges of the file together; `type` is the file's. 0 with *ret, to be freed by multipart_free_body;
 * -EFBIG: that is too much; -ENODATA: the file has become shorter; else negative errno.
 */
int multipart_make(const struct multipart *multipart, int fd, uint64_t size, struct http_text type,
	const struct range *ranges, size_t n, struct http_text *ret);
void multipart_free_body(struct http_text body);

/* The type of such a body, written into `dst`. */
struct http_text multipart_type(const struct multipart *multipart, char dst[MULTIPART_TYPE_MAX]);

#endif
