/*
 * The one place where the parser library is known: Debian's libhttp-parser, or another one later, as llhttp.
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
