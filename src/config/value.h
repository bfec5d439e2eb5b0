/*
 * The value of a setting, apart from where it came from: the configuration, or the default in an options table.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <libconfig.h>
#include <stdbool.h>

enum value_type {
	VALUE_INTEGER,
	VALUE_REAL,
	VALUE_BOOLEAN,
	VALUE_STRING,
	VALUE_GROUP, /* of these three, only what they are */
	VALUE_ARRAY,
	VALUE_LIST,
};

struct value {
	enum value_type type;
	long long integer;
	double real;
	bool boolean;
	const char *string; /* lives as long as what it came from */
};

struct value value_of_setting(const config_setting_t *setting);

/* Digits are an integer ("0660" is none), true and false a boolean, everything else a string. */
struct value value_of_text(const char *text);

/*
 * The value on one line, exactly, to be freed; NULL: no memory. Strings stand in quotes always, or only where they would not be
 * recognised without: empty, with blanks, quotes or anything that had to be escaped.
 */
char *value_format(const struct value *value, bool quote_always);

/* The same for a string. */
char *value_format_string(const char *string, bool quote_always);

#endif
