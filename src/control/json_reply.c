/*
 * Answering a request with JSON.
 */
#include "control/json_reply.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

/* Times have three digits behind the point; 15 digits hold them for thousands of years. */
#define REPLY_FLAGS (JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))

json_t *
json_text(const char *text)
{
	json_t *json = json_string(text);
	size_t len = strlen(text), size = len * 4 + 1; /* "\\xHH" for each byte */
	cleanup_free char *shown = json ? NULL : malloc(size);

	if (!shown)
		return json;
	text_escape(shown, size, text, len);
	return json_string(shown);
}

void
json_reply(struct http_connection *connection, int status, json_t *json)
{
	cleanup_free char *text = json ? json_dumps(json, REPLY_FLAGS) : NULL;

	json_decref(json);
	http_reply_start(connection, text ? status : 503);
	http_reply_field(connection, HTTP_TEXT("Content-Type"), HTTP_TEXT("application/json"));
	http_reply_field(connection, HTTP_TEXT("Cache-Control"), HTTP_TEXT("no-store"));
	http_reply_bytes(connection, text ? text : "", text ? strlen(text) : 0);
}

void
json_reply_error(struct http_connection *connection, int status, const char *text)
{
	json_reply(connection, status, json_pack("{s:s}", "error", text));
}
