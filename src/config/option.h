/*
 * Tables of options. A table says everything about the options of one group, and fills a struct with them: reading, finding what is
 * unknown, comparing and documenting follow from it.
 *
 * The table of the configuration itself is in config.c. A service declares one of its own for `service : { … }`, and has it read
 * by config_read_service.
 */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include "config/config.h"
#include "config/tree.h"
#include "config/value.h"

enum option_type {      /* … and its field in the struct */
	OPTION_INTEGER, /* unsigned */
	OPTION_BOOLEAN, /* bool */
	OPTION_STRING,  /* char *, allocated; NULL: not given */
	OPTION_TIME,    /* uint64_t, microseconds */
	OPTION_SIZE,    /* uint64_t, bytes */
	OPTION_CHOICE,  /* int: the value of one of `choices` */
	OPTION_MODE,    /* mode_t, from "0660" */
	OPTION_SPECIAL, /* none: code of its own reads it, but it is known, documented and compared like all others */
};

struct option_choice {
	const char *name; /* NULL ends the list */
	int value;
};

struct option {
	const char *name; /* within the table's group, with a point for each group inside: "roll.parallel" */
	enum option_type type;
	size_t offset;        /* of the field */
	const char *fallback; /* the default, as value_of_text reads it; NULL: none, the field stays zero */
	uint64_t min, max;    /* integer, time, size: the limits, both allowed */
	const struct option_choice *choices;
	unsigned (*automatic)(void); /* integer: what "auto" stands for; NULL: it is not allowed */
	enum config_effect effect;
	const char *help; /* one line: what it is */
};

struct option_table {
	const struct option *option;
	size_t n;
};

/* How a table is to be read. */
struct option_reading {
	const struct config_tree *tree;
	struct problems *problems;
	const char
		*prefix; /* the full name of the group, "listen[0]"; NULL: it is the configuration itself */
	const char *others;   /* a member that the table lacks and others read; or NULL */
	bool ignores_unknown; /* as others read all the rest */
};

/* Fills in the defaults of all options. 0 or -ENOMEM; option_free is due in both cases. */
int option_defaults(const struct option_table *table, void *into);

/*
 * Reads all members of a group, and adds to `problems` what is wrong with them: bad values, unknown names. A bad value leaves its field
 * as it was. 0 (problems or not), or -ENOMEM.
 */
int option_read(const struct option_reading *reading, const config_setting_t *group,
	const struct option_table *table, void *into);

/* Reads one setting by this row. 0, problem or not, or -ENOMEM. */
int option_read_one(const struct option_reading *reading, const config_setting_t *setting,
	const struct option *option, void *into);

/* The value of an option as one would write it, "(none)" for none; to be freed, NULL: no memory. Not for OPTION_SPECIAL. */
char *option_format(const struct option *option, const void *from);

/* What an option may be, in words: "1 to 1024, or \"auto\"". To be freed; NULL: no memory. */
char *option_format_range(const struct option *option);

/* Frees the strings. */
void option_free(const struct option_table *table, void *from);

/* The row of this name, or NULL. */
const struct option *option_find(const struct option_table *table, const char *name);

#endif
