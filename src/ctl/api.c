/*
 * The daemon's answers. All of it is read defensively: a missing or odd member is no error, only unknown.
 */
#include "ctl/api.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

int
api_parse(struct client *client, const char *text, size_t len, json_t **ret)
{
	json_error_t error;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (!json && json_error_code(&error) == json_error_out_of_memory)
		return client_set_error(client, -ENOMEM, "out of memory");
	if (!json)
		return client_set_error(client, -EPROTO, "what answers at %s makes no sense: %s",
			client_socket(client), error.text);
	if (!json_is_object(json)) {
		json_decref(json);
		return client_set_error(client, -EPROTO, "what answers at %s makes no sense: no JSON object",
			client_socket(client));
	}
	*ret = json;
	return 0;
}

int
api_check(struct client *client, const struct client_answer *answer)
{
	cleanup_json json_t *json = NULL;
	const char *said;
	int error = -EPROTO;

	if (answer->status / 100 == 2)
		return 0;
	json = json_loadb(answer->body, answer->len, 0, NULL);
	said = api_string(json, "error", "");
	if (answer->status == 403)
		error = -EACCES;
	else if (answer->status == 503)
		error = -EAGAIN;
	else if (answer->status / 100 == 4)
		error = -EINVAL;
	if (*said)
		return client_set_error(client, error, "the daemon says: %s", said);
	if (error == -EACCES)
		return client_set_error(client, error, "the daemon does not allow it");
	return client_set_error(client, error, "the daemon answers with HTTP status %u", answer->status);
}

static int
get(struct client *client, const char *path, struct client_call **ret_call, struct client_answer *ret)
{
	const struct client_request request = { .path = path, .timeout_us = API_TIMEOUT_US };
	int r = client_start(client, &request, ret_call);

	if (r == 0)
		r = client_finish(*ret_call, ret);
	return r < 0 ? r : api_check(client, ret);
}

int
api_get(struct client *client, const char *path, json_t **ret)
{
	struct client_call *call = NULL;
	struct client_answer answer;
	int r = get(client, path, &call, &answer);

	if (r == 0)
		r = api_parse(client, answer.body, answer.len, ret);
	client_call_free(call);
	return r;
}

static int
copy_body(struct client *client, const struct client_answer *answer, char **ret, size_t *ret_len)
{
	char *copy = malloc(answer->len + 1);

	if (!copy)
		return client_set_error(client, -ENOMEM, "out of memory");
	memcpy(copy, answer->body, answer->len + 1);
	*ret = copy;
	*ret_len = answer->len;
	return 0;
}

int
api_get_text(struct client *client, const char *path, char **ret, size_t *ret_len)
{
	struct client_call *call = NULL;
	struct client_answer answer;
	int r = get(client, path, &call, &answer);

	if (r == 0)
		r = copy_body(client, &answer, ret, ret_len);
	client_call_free(call);
	return r;
}

#define REAL_DIGITS 15 /* as many as a double holds for sure: 0.1 stays 0.1 */

int
api_print(const json_t *json, size_t flags, FILE *out)
{
	cleanup_free char *text =
		json_dumps(json, flags | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(REAL_DIGITS));

	if (!text)
		return -ENOMEM;
	/* DEL is the one control character that JSON need not escape; only strings can hold it */
	for (const char *p = text; *p; p++)
		if (*p == '\x7f')
			fputs("\\u007f", out);
		else
			fputc(*p, out);
	fputc('\n', out);
	return 0;
}

const char *
api_string(const json_t *object, const char *name, const char *none)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : none;
}

uint64_t
api_count(const json_t *object, const char *name)
{
	const json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t)value : 0;
}

uint64_t
api_duration_us(const json_t *object, const char *name, uint64_t unit_us)
{
	const json_t *value = json_object_get(object, name);
	const double us = json_number_value(value) * (double)unit_us;

	/* what is beyond 2^63 is no time; a NaN fails here too */
	return json_is_number(value) && us >= 0 && us < 0x1p63 ? (uint64_t)us : UINT64_MAX;
}
