/*
 * Which of several forms of a page a client likes best: the field "Accept" (RFC 9110, 12.5.1).
 */
#ifndef SERVICE_HTTP_ACCEPT_H
#define SERVICE_HTTP_ACCEPT_H

#include "http/request.h"

/*
 * The place in `types` ("text/html", without parameters) of the one with the highest weight; among equals, the one
 * that the client names more precisely, then the one that it names first, then the first in `types`. Where it wants
 * none of them, or doesn't say: 0.
 */
size_t accept_choose(const struct http_request *request, const struct http_text *types, size_t n);

#endif
