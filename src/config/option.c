/*
 * Reading groups of options by their tables.
 */
#include "config/option.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/bytes.h"
#include "config/duration.h"
#include "config/syntax.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define SHOWN_MAX 100 /* bytes of a value in a message */

/*
 * Reads a value into the field. 0; or -EINVAL with *ret_why, what is wrong with it, to be put behind "NAME: VALUE " and to be freed;
 * or -ENOMEM.
 */
typedef int read_fn(const struct option *option, const struct value *value, void *field, char **ret_why);

typedef char *format_fn(const struct option *option, const void *field);

static int reject(char **ret_why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
reject(char **ret_why, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(ret_why, fmt, ap);
	va_end(ap);
	if (n >= 0)
		return -EINVAL;
	*ret_why = NULL;
	return -ENOMEM;
}

static int
reject_range(const struct option *option, const char *why, char **ret_why)
{
	cleanup_free char *range = option_format_range(option);

	return range ? reject(ret_why, "%s (%s)", why, range) : -ENOMEM;
}

static int
read_integer(const struct option *option, const struct value *value, void *field, char **ret_why)
{
	if (option->automatic && value->type == VALUE_STRING && strcmp(value->string, "auto") == 0) {
		*(unsigned *)field = option->automatic();
		return 0;
	}
	if (value->type != VALUE_INTEGER)
		return reject_range(option, "is no whole number", ret_why);
	if (value->integer < 0 || (uint64_t)value->integer < option->min ||
		(uint64_t)value->integer > option->max)
		return reject_range(option, "is out of range", ret_why);
	*(unsigned *)field = (unsigned)value->integer;
	return 0;
}

static char *
format_integer(const struct option *option, const void *field)
{
	const unsigned value = *(const unsigned *)field;

	return !option->fallback && value == 0 ? strdup("(none)") : text_format("%u", value);
}

static int
read_boolean(const struct option *option, const struct value *value, void *field, char **ret_why)
{
	(void)option;
	if (value->type != VALUE_BOOLEAN)
		return reject(ret_why, "is neither true nor false");
	*(bool *)field = value->boolean;
	return 0;
}

static char *
format_boolean(const struct option *option, const void *field)
{
	(void)option;
	return strdup(*(const bool *)field ? "true" : "false");
}

static int
read_string(const struct option *option, const struct value *value, void *field, char **ret_why)
{
	char *copy;

	(void)option;
	if (value->type != VALUE_STRING)
		return reject(ret_why, "is no text in quotes");
	if (*value->string == '\0')
		return reject(ret_why, "is empty");
	for (const char *p = value->string; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return reject(ret_why, "has a control character in it");
	copy = strdup(value->string);
	if (!copy)
		return -ENOMEM;
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static char *
format_string(const struct option *option, const void *field)
{
	const char *value = *(char *const *)field;

	(void)option;
	return value ? value_format_string(value, false) : strdup("(none)");
}

/* -EINVAL: it is no time; -ERANGE: it is one, but what a time! */
static int
parse_time(const struct value *value, uint64_t *ret_us)
{
	switch (value->type) {
	case VALUE_INTEGER:
		return value->integer < 0 || __builtin_mul_overflow(value->integer, US_PER_SEC, ret_us)
		               ? -ERANGE
		               : 0;
	case VALUE_REAL:
		return duration_from_seconds(value->real, ret_us);
	case VALUE_STRING:
		return duration_parse(value->string, ret_us);
	default:
		return -EINVAL;
	}
}

static int
read_time(const struct option *option, const struct value *value, void *field, char **ret_why)
{
	uint64_t us;
	int r = parse_time(value, &us);

	if (r == -EINVAL)
		return reject(ret_why, "is no time (try 100, \"100s\", \"250ms\" or \"5m\")");
	if (r == -ERANGE || (r == 0 && (us < option->min || us > option->max)))
		return reject_range(option, "is out of range", ret_why);
	if (r == 0)
		*(uint64_t *)field = us;
	return r;
}

static char *
format_time(const struct option *option, const void *field)
{
	const uint64_t us = *(const uint64_t *)field;
	char buf[DURATION_TEXT_MAX];

	return strdup(!option->fallback && us == 0 ? "(none)" : duration_format(us, buf));
}

static int
read_size(const struct option *option, const struct value *value, void *field, char **ret_why)
{
	uint64_t bytes = 0;
	int r = -EINVAL;

	if (value->type == VALUE_INTEGER) {
		bytes = (uint64_t)value->integer;
		r = value->integer < 0 ? -ERANGE : 0;
	} else if (value->type == VALUE_STRING) {
		r = bytes_parse(value->string, &bytes);
	}
	if (r == -EINVAL)
		return reject(ret_why, "is no size (try \"64MiB\", \"512KiB\" or a number of bytes)");
	if (r == -ERANGE || (r == 0 && (bytes < option->min || bytes > option->max)))
		return reject_range(option, "is out of range", ret_why);
	if (r == 0)
		*(uint64_t *)field = bytes;
	return r;
}

static char *
format_size(const struct option *option, const void *field)
{
	const uint64_t bytes = *(const uint64_t *)field;
	char buf[BYTES_TEXT_MAX];

	return strdup(!option->fallback && bytes == 0 ? "(none)" : bytes_format(bytes, buf));
}

static int
read_choice(const struct option *option, const struct value *value, void *field, char **ret_why)
{
	for (const struct option_choice *choice = option->choices; choice->name; choice++)
		if (value->type == VALUE_STRING && strcmp(value->string, choice->name) == 0) {
			*(int *)field = choice->value;
			return 0;
		}
	return reject_range(option, "is not known here", ret_why);
}

static char *
format_choice(const struct option *option, const void *field)
{
	const struct option_choice *choice = option->choices;

	while (choice->name && choice->value != *(const int *)field)
		choice++;
	return strdup(choice->name ? choice->name : "(none)");
}

static int
read_mode(const struct option *option, const struct value *value, void *field, char **ret_why)
{
	const char *s = value->type == VALUE_STRING ? value->string : "";
	const size_t len = strlen(s);

	(void)option;
	/* a number would be decimal: 660 is 01224 */
	if (len < 3 || len > 4 || strspn(s, "01234567") != len || (len == 4 && *s != '0'))
		return reject(ret_why, "is no mode (write it in octal and in quotes, as \"0660\")");
	*(mode_t *)field = (mode_t)strtoul(s, NULL, 8);
	return 0;
}

static char *
format_mode(const struct option *option, const void *field)
{
	(void)option;
	return text_format("%04o", (unsigned)*(const mode_t *)field);
}

static const struct {
	read_fn *read;
	format_fn *format;
} types[] = {
	[OPTION_INTEGER] = { read_integer, format_integer },
	[OPTION_BOOLEAN] = { read_boolean, format_boolean },
	[OPTION_STRING] = { read_string, format_string },
	[OPTION_TIME] = { read_time, format_time },
	[OPTION_SIZE] = { read_size, format_size },
	[OPTION_CHOICE] = { read_choice, format_choice },
	[OPTION_MODE] = { read_mode, format_mode },
};

/* "revert", "keep" */
static char *
format_choices(const struct option_choice *choice)
{
	char *list = NULL;

	for (; choice->name; choice++) {
		cleanup_free char *before = list;

		list = before ? text_format("%s, \"%s\"", before, choice->name)
		              : text_format("\"%s\"", choice->name);
		if (!list)
			return NULL;
	}
	return list;
}

char *
option_format_range(const struct option *option)
{
	char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];
	_Static_assert(BYTES_TEXT_MAX <= DURATION_TEXT_MAX, "one buffer for both");

	if (option->max == 0 && option->type != OPTION_CHOICE && option->type != OPTION_BOOLEAN)
		return strdup("");
	switch (option->type) {
	case OPTION_CHOICE:
		return format_choices(option->choices);
	case OPTION_BOOLEAN:
		return strdup("true, false");
	case OPTION_TIME:
		return text_format(
			"%s to %s", duration_format(option->min, min), duration_format(option->max, max));
	case OPTION_SIZE:
		return text_format(
			"%s to %s", bytes_format(option->min, min), bytes_format(option->max, max));
	default:
		return text_format("%llu to %llu%s", (unsigned long long)option->min,
			(unsigned long long)option->max, option->automatic ? ", or \"auto\"" : "");
	}
}

char *
option_format(const struct option *option, const void *from)
{
	return types[option->type].format(option, (const char *)from + option->offset);
}

int
option_defaults(const struct option_table *table, void *into)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *option = &table->option[i];
		cleanup_free char *why = NULL;
		struct value value;
		int r;

		if (option->type == OPTION_SPECIAL || !option->fallback)
			continue;
		value = value_of_text(option->fallback);
		r = types[option->type].read(option, &value, (char *)into + option->offset, &why);
		if (r == -ENOMEM)
			return r;
		assert(r == 0); /* else the table contradicts itself */
	}
	return 0;
}

void
option_free(const struct option_table *table, void *from)
{
	for (size_t i = 0; i < table->n; i++)
		if (table->option[i].type == OPTION_STRING) {
			char **field = (char **)((char *)from + table->option[i].offset);

			free(take_ptr(*field));
		}
}

const struct option *
option_find(const struct option_table *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++)
		if (strcmp(table->option[i].name, name) == 0)
			return &table->option[i];
	return NULL;
}

/* The full name of a setting, as messages call it. `name` is its name within the table's group. */
static char *
full_name(const struct option_reading *reading, const char *name)
{
	return reading->prefix ? text_format("%s.%s", reading->prefix, name) : strdup(name);
}

int
option_read_one(const struct option_reading *reading, const config_setting_t *setting,
	const struct option *option, void *into)
{
	const struct value value = value_of_setting(setting);
	cleanup_free char *why = NULL, *name = NULL, *shown = NULL;
	int r = types[option->type].read(option, &value, (char *)into + option->offset, &why);

	if (r != -EINVAL)
		return r;
	name = full_name(reading, option->name);
	shown = value_format(&value, true);
	if (!name || !shown)
		return -ENOMEM;
	tree_problem(reading->tree, setting, reading->problems, "%s: %.*s%s %s", name, SHOWN_MAX, shown,
		strlen(shown) > SHOWN_MAX ? "..." : "", why);
	return 0;
}

/* Is this the name of a group that options of the table are in? */
static bool
is_group_name(const struct option_table *table, const char *name)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i < table->n; i++)
		if (strncmp(table->option[i].name, name, len) == 0 && table->option[i].name[len] == '.')
			return true;
	return false;
}

/* How many letters may be wrong in a word of this length for it still to be the same word. */
static size_t
tolerance(size_t len)
{
	return len <= 3 ? 1 : 2;
}

/* The option of just this name in any group, or NULL. */
static const char *
guess_elsewhere(const struct option_table *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++) {
		const char *point = strrchr(table->option[i].name, '.');

		if (point && strcmp(point + 1, name) == 0)
			return table->option[i].name;
	}
	return NULL;
}

/*
 * The name in the table that was probably meant: in the same group, else in another. With its length, as it may be that of a group, the
 * beginning of an option's name. NULL: none.
 */
static const char *
guess_name(const struct option_table *table, const char *group, const char *name, size_t *ret_len)
{
	const size_t skip = *group ? strlen(group) + 1 : 0;
	size_t nearest = tolerance(strlen(name)) + 1;
	char lower[SYNTAX_NAME_MAX + 1] = "", word[SYNTAX_NAME_MAX + 1];
	const char *best = NULL;

	for (size_t i = 0; i < SYNTAX_NAME_MAX && name[i]; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	for (size_t i = 0; i < table->n; i++) {
		const char *option = table->option[i].name, *member = option + skip;
		size_t distance;

		if (skip > 0 && (strncmp(option, group, skip - 1) != 0 || option[skip - 1] != '.'))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(member, "."), member);
		distance = text_distance(word, lower);
		if (distance < nearest) {
			nearest = distance;
			best = option;
			*ret_len = skip + strlen(word);
		}
	}
	if (!best && (best = guess_elsewhere(table, lower)))
		*ret_len = strlen(best);
	return best;
}

static int
add_unknown(const struct option_reading *reading, const config_setting_t *setting,
	const struct option_table *table, const char *group, const char *name)
{
	size_t len = 0;
	const char *guess = guess_name(table, group, config_setting_name(setting), &len);
	cleanup_free char *full = full_name(reading, name);

	if (!full)
		return -ENOMEM;
	if (guess)
		tree_problem(reading->tree, setting, reading->problems,
			"unknown option \"%s\"; did you mean \"%s%s%.*s\"?", full,
			reading->prefix ? reading->prefix : "", reading->prefix ? "." : "", (int)len, guess);
	else
		tree_problem(reading->tree, setting, reading->problems, "unknown option \"%s\"", full);
	return 0;
}

static int read_group(const struct option_reading *reading, const config_setting_t *group,
	const struct option_table *table, const char *path, void *into);

/* A setting that is no option itself: a group of options, or unknown. */
static int
read_other(const struct option_reading *reading, const config_setting_t *setting,
	const struct option_table *table, const char *group, const char *name, void *into)
{
	cleanup_free char *full = NULL;

	if (!is_group_name(table, name))
		return reading->ignores_unknown || (reading->others && strcmp(name, reading->others) == 0)
		               ? 0
		               : add_unknown(reading, setting, table, group, name);
	if (config_setting_is_group(setting))
		return read_group(reading, setting, table, name, into);
	full = full_name(reading, name);
	if (!full)
		return -ENOMEM;
	tree_problem(reading->tree, setting, reading->problems,
		"%s: is a group of options; write %s : { ... };", full, config_setting_name(setting));
	return 0;
}

/* `path`: of the group, within the table; "" for the table's own. Recursion ends where the table's names do. */
static int
read_group(const struct option_reading *reading, const config_setting_t *group,
	const struct option_table *table, const char *path, void *into)
{
	const int n = config_setting_length(group);
	int r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		cleanup_free char *name =
			text_format("%s%s%s", path, *path ? "." : "", config_setting_name(setting));
		const struct option *option = name ? option_find(table, name) : NULL;

		if (!name)
			r = -ENOMEM;
		else if (!option)
			r = read_other(reading, setting, table, path, name, into);
		else if (option->type != OPTION_SPECIAL)
			r = option_read_one(reading, setting, option, into);
	}
	return r;
}

int
option_read(const struct option_reading *reading, const config_setting_t *group,
	const struct option_table *table, void *into)
{
	return read_group(reading, group, table, "", into);
}
