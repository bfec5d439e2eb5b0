/*
 * Values of settings: reading them from libconfig, showing them to people.
 */
#include "config/value.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

struct value
value_of_setting(const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return (struct value){ .type = VALUE_INTEGER, .integer = config_setting_get_int64(setting) };
	case CONFIG_TYPE_FLOAT:
		return (struct value){ .type = VALUE_REAL, .real = config_setting_get_float(setting) };
	case CONFIG_TYPE_BOOL:
		return (struct value){ .type = VALUE_BOOLEAN, .boolean = config_setting_get_bool(setting) };
	case CONFIG_TYPE_STRING:
		return (struct value){ .type = VALUE_STRING, .string = config_setting_get_string(setting) };
	case CONFIG_TYPE_ARRAY:
		return (struct value){ .type = VALUE_ARRAY };
	case CONFIG_TYPE_LIST:
		return (struct value){ .type = VALUE_LIST };
	default:
		return (struct value){ .type = VALUE_GROUP };
	}
}

struct value
value_of_text(const char *text)
{
	const bool is_octal = text[0] == '0' && text[1] != '\0'; /* libconfig knows no such numbers */
	uint64_t integer;

	if (!is_octal && text_parse_u64(text, &integer) == 0 && integer <= INT64_MAX)
		return (struct value){ .type = VALUE_INTEGER, .integer = (long long)integer };
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return (struct value){ .type = VALUE_BOOLEAN, .boolean = strcmp(text, "true") == 0 };
	return (struct value){ .type = VALUE_STRING, .string = text };
}

char *
value_format_string(const char *string, bool quote_always)
{
	const size_t len = strlen(string), room = 4 * len + 8; /* "\xHH" each; text_escape wants 8 */
	cleanup_free char *escaped = malloc(room);

	if (!escaped)
		return NULL;
	text_escape(escaped, room, string, len);
	if (!quote_always && len > 0 && strcmp(escaped, string) == 0 && !strpbrk(string, " \"'#,"))
		return take_ptr(escaped);
	return text_format("\"%s\"", escaped);
}

/* With as few digits as tell this number from all others; never as an integer. */
static char *
format_real(double real)
{
	enum { ENOUGH = 17 }; /* digits, for any double */
	char text[32];

	for (int digits = 6; digits <= ENOUGH; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, real);
		if (strtod(text, NULL) == real)
			break;
	}
	return text_format("%s%s", text, text[strspn(text, "-0123456789")] == '\0' ? ".0" : "");
}

char *
value_format(const struct value *value, bool quote_always)
{
	switch (value->type) {
	case VALUE_INTEGER:
		return text_format("%lld", value->integer);
	case VALUE_REAL:
		return format_real(value->real);
	case VALUE_BOOLEAN:
		return strdup(value->boolean ? "true" : "false");
	case VALUE_STRING:
		return value_format_string(value->string, quote_always);
	case VALUE_ARRAY:
		return strdup("an array");
	case VALUE_LIST:
		return strdup("a list");
	case VALUE_GROUP:
		break;
	}
	return strdup("a group");
}
