/*
 * From a head, as bytes, to a request.
 *
 * By no library: what has to be looked at closely head.c looks at, as it must refuse what libraries let pass, and what is left is to split lines
 * that are known to be good. (Debian has libhttp-parser, which has had no maintainer since 2020, and not its successor llhttp.)
 */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include "http/request.h"

/*
 * Takes apart a complete head that http_head_scan has passed, from the request line to the empty line. Fills in verb,
 * method, target, minor and the fields; all else becomes zero. What *ret refers to are bytes of `head`. 0, or the
 * status to refuse the request with.
 */
int http_request_parse(struct http_request *ret, const char *head, size_t len);

#endif
