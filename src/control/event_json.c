/*
 * One event of the log as a line of JSON.
 */
#include "control/event_json.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "control/json_reply.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The journal's fields, and what they are called here. */
static const struct {
	const char *field, *key;
	bool is_number;
} keys[] = {
	{ "GRACEFULD_EVENT=", "event", false },
	{ "GRACEFULD_SLOT=", "slot", true },
	{ "GRACEFULD_GENERATION=", "generation", true },
	{ "GRACEFULD_PID=", "pid", true },
	{ "GRACEFULD_RELOAD=", "id", true },
	{ "GRACEFULD_FROM=", "from", false },
	{ "GRACEFULD_TO=", "to", false },
	{ "GRACEFULD_REASON=", "reason", false },
};

static json_t *
now_json(void)
{
	char day[32], text[48];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(day, sizeof(day), "%FT%T", &tm);
	snprintf(text, sizeof(text), "%s.%03dZ", day, (int)(now.tv_nsec / 1000000));
	return json_string(text);
}

static void
add_field(json_t *json, const char *field)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t len = strlen(keys[i].field);

		if (strncmp(field, keys[i].field, len) != 0)
			continue;
		json_object_set_new(json, keys[i].key,
			keys[i].is_number ? json_integer(strtoll(field + len, NULL, 10))
					  : json_text(field + len));
		return;
	}
}

char *
event_json_line(const struct log_record *record)
{
	json_t *json;
	char *text = NULL, *line = NULL;

	if (record->n_fields == 0)
		return NULL;
	json = json_object();
	json_object_set_new(json, "time", now_json());
	json_object_set_new(json, "level", json_string(log_level_name(record->level)));
	json_object_set_new(json, "text", json_text(record->text));
	for (size_t i = 0; i < record->n_fields; i++)
		add_field(json, record->fields[i]);
	text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(json);
	if (text)
		line = text_format("%s\n", text);
	free(text);
	return line;
}
