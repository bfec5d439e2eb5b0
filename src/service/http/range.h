/*
 * Parts of a file: the field "Range" (RFC 9110, section 14).
 */
#ifndef SERVICE_HTTP_RANGE_H
#define SERVICE_HTTP_RANGE_H

#include "http/request.h"

/* More than this at once is asked by nobody who reads a file: the whole is sent instead. */
#define RANGES_MAX 16

struct range {
	uint64_t first;
	uint64_t len; /* > 0; first + len <= size of the file */
};

/*
 * Those that lie within a file of `size` bytes, in the order in which they were asked for. How many; 0: the field is
 * to be ignored, as it is malformed, of another unit, asks for more than RANGES_MAX or for the same bytes twice;
 * -ERANGE: none of them lies within the file.
 */
int range_parse(struct http_text field, uint64_t size, struct range ret[RANGES_MAX]);

/* "bytes 18446744073709551615-18446744073709551615/18446744073709551615" */
#define RANGE_TEXT_MAX 80

/* As the field "Content-Range" has it; NULL: none of the file. Written into `dst`. */
struct http_text range_format(const struct range *range, uint64_t size, char dst[RANGE_TEXT_MAX]);

#endif
