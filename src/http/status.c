/*
 * Status codes and their words (RFC 9110, section 15).
 */
#include "http/status.h"

#define VERSION_LEN 13 /* of "HTTP/1.1 200 " */
#define CRLF_LEN    2

#define LINE(code, reason) \
	case code:         \
		return HTTP_TEXT("HTTP/1.1 " #code " " reason "\r\n")

struct http_text
http_status_line(int status)
{
	switch (status) {
		LINE(200, "OK");
		LINE(201, "Created");
		LINE(202, "Accepted");
		LINE(204, "No Content");
		LINE(206, "Partial Content");
		LINE(301, "Moved Permanently");
		LINE(302, "Found");
		LINE(303, "See Other");
		LINE(304, "Not Modified");
		LINE(307, "Temporary Redirect");
		LINE(308, "Permanent Redirect");
		LINE(400, "Bad Request");
		LINE(401, "Unauthorized");
		LINE(403, "Forbidden");
		LINE(404, "Not Found");
		LINE(405, "Method Not Allowed");
		LINE(406, "Not Acceptable");
		LINE(408, "Request Timeout");
		LINE(409, "Conflict");
		LINE(410, "Gone");
		LINE(411, "Length Required");
		LINE(412, "Precondition Failed");
		LINE(413, "Content Too Large");
		LINE(414, "URI Too Long");
		LINE(415, "Unsupported Media Type");
		LINE(416, "Range Not Satisfiable");
		LINE(417, "Expectation Failed");
		LINE(421, "Misdirected Request");
		LINE(422, "Unprocessable Content");
		LINE(426, "Upgrade Required");
		LINE(428, "Precondition Required");
		LINE(429, "Too Many Requests");
		LINE(431, "Request Header Fields Too Large");
		LINE(501, "Not Implemented");
		LINE(502, "Bad Gateway");
		LINE(503, "Service Unavailable");
		LINE(504, "Gateway Timeout");
		LINE(505, "HTTP Version Not Supported");
		LINE(507, "Insufficient Storage");
	default:
		return HTTP_TEXT("HTTP/1.1 500 Internal Server Error\r\n");
	}
}

struct http_text
http_status_reason(int status)
{
	struct http_text line = http_status_line(status);

	return (struct http_text){ line.at + VERSION_LEN, line.len - VERSION_LEN - CRLF_LEN };
}

bool
http_status_is_bodiless(int status)
{
	return status == 204 || status == 304;
}
