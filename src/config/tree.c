/*
 * The parsed configuration.
 */
#include "config/tree.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "config/syntax.h"
#include "config/value.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Sets right what libconfig 1.5 got wrong: it reads one token ahead, so for what stands in a list it often tells the next line; and integers
 * wrap at 32 bits unless an L stands behind them. `*value` moves on by each value.
 */
static void
correct(config_setting_t *setting, const struct syntax_value **value)
{
	const int n = config_setting_is_aggregate(setting) ? config_setting_length(setting) : 0;

	for (int i = 0; i < n; i++) {
		config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
		const struct syntax_value *said = (*value)++;

		if (!config_setting_name(member))
			member->line = said->line;
		if (config_setting_type(member) == CONFIG_TYPE_INT &&
			config_setting_get_int64(member) != said->integer) {
			member->type = CONFIG_TYPE_INT64;
			member->value.llval = said->integer;
		}
		correct(member, value);
	}
}

/*
 * libconfig looks at no allocation of its own (1.5, of Debian 12): without memory it ends the process, or crashes. So what it may take is
 * asked for beforehand. Within this process nobody else takes it meanwhile.
 */
static bool
has_room(size_t len)
{
	/* "1,1,…" has a setting of 80 bytes and its place in a list for two bytes; the scanner has tables and a copy */
	size_t room = 256 * 1024 + 128 * len;
	void *probe = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (probe == MAP_FAILED)
		return false;
	munmap(probe, room);
	return true;
}

static int
parse(struct config_tree *tree, const char *text, struct problems *problems)
{
	cleanup_free struct syntax_value *values = reallocarray(NULL, SYNTAX_VALUES_MAX, sizeof(*values));
	const struct syntax_value *value = values;
	int r;

	if (!values)
		return -ENOMEM;
	r = places_read(&tree->places, text);
	if (r == 0)
		r = syntax_check(text, &tree->places, problems, values);
	if (r < 0)
		return r;
	if (!has_room(strlen(text)))
		return -ENOMEM;
	if (config_read_string(&tree->lib, text)) {
		correct(config_root_setting(&tree->lib), &value);
		return 0;
	}
	/* all that is left to find for libconfig: an array of mixed types */
	places_problem(&tree->places, problems, (unsigned)config_error_line(&tree->lib), "syntax error: %s",
		config_error_text(&tree->lib));
	return -EINVAL;
}

int
tree_parse(const char *text, struct config_tree **ret, struct problems *problems)
{
	struct config_tree *tree = has_room(0) ? calloc(1, sizeof(*tree)) : NULL;
	int r;

	if (!tree)
		return -ENOMEM;
	config_init(&tree->lib);
	r = parse(tree, text, problems);
	if (r < 0)
		tree_free(tree);
	else
		*ret = tree;
	return r;
}

void
tree_free(struct config_tree *tree)
{
	if (!tree)
		return;
	config_destroy(&tree->lib);
	places_done(&tree->places);
	free(tree);
}

const config_setting_t *
tree_find(const struct config_tree *tree, const char *path)
{
	return config_lookup(&tree->lib, path);
}

void
tree_place(const struct config_tree *tree, const config_setting_t *setting, const char **ret_file,
	unsigned *ret_line)
{
	places_find(&tree->places, setting ? config_setting_source_line(setting) : 0, ret_file, ret_line);
}

void
tree_vproblem(const struct config_tree *tree, const config_setting_t *setting, struct problems *problems,
	const char *fmt, va_list ap)
{
	places_vproblem(&tree->places, problems, setting ? config_setting_source_line(setting) : 0, fmt, ap);
}

void
tree_problem(const struct config_tree *tree, const config_setting_t *setting, struct problems *problems,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tree_vproblem(tree, setting, problems, fmt, ap);
	va_end(ap);
}

static int
one_value(const config_setting_t *setting, const char *path, tree_value_fn *on_value, void *arg)
{
	const struct value value = value_of_setting(setting);
	cleanup_free char *text = NULL;

	switch (value.type) {
	case VALUE_GROUP:
		return on_value(path, "{}", arg);
	case VALUE_ARRAY:
		return on_value(path, "[]", arg);
	case VALUE_LIST:
		return on_value(path, "()", arg);
	default:
		text = value_format(&value, false);
		return text ? on_value(path, text, arg) : -ENOMEM;
	}
}

int
tree_each_value(const config_setting_t *setting, const char *path, tree_value_fn *on_value, void *arg)
{
	const int n = config_setting_is_aggregate(setting) ? config_setting_length(setting) : 0;
	int r = 0;

	if (n == 0)
		return one_value(setting, path, on_value, arg);
	for (int i = 0; i < n && r == 0; i++) { /* how deep this goes, syntax_check has bounded */
		const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
		cleanup_free char *name = config_setting_is_group(setting)
		                                  ? text_format("%s.%s", path, config_setting_name(member))
		                                  : text_format("%s[%d]", path, i);

		r = name ? tree_each_value(member, name, on_value, arg) : -ENOMEM;
	}
	return r;
}
