/*
 * What libconfig made of the text, and where in the files each setting stands.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "config/places.h"
#include "config/problem.h"

#include <libconfig.h>

struct config_tree {
	struct config_t lib;
	struct places places;
};

/* Parses a text as scan.h has it. 0 with *ret; -EINVAL with what is wrong in `problems`; -ENOMEM. */
int tree_parse(const char *text, struct config_tree **ret, struct problems *problems);

/* NULL is fine. */
void tree_free(struct config_tree *tree);

/* The setting with this path ("roll.parallel"), or NULL. */
const config_setting_t *tree_find(const struct config_tree *tree, const char *path);

/* Where a setting stands. The name lives as long as the tree. */
void tree_place(const struct config_tree *tree, const config_setting_t *setting, const char **ret_file,
	unsigned *ret_line);

/* Adds a problem with a setting, sorted in by its place; with NULL: with the text as a whole. */
void tree_problem(const struct config_tree *tree, const config_setting_t *setting, struct problems *problems,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void tree_vproblem(const struct config_tree *tree, const config_setting_t *setting, struct problems *problems,
	const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

/* One value: its path ("service.upstreams[0].port") and its text. Returns 0 to go on, negative errno to stop. */
typedef int tree_value_fn(const char *path, const char *text, void *arg);

/*
 * Calls for each scalar in and below a setting, in the order of the text, and for each empty group, array or list ("{}", "[]", "()").
 * `path` is the setting's own. 0, or what stopped it: the callback's error, or -ENOMEM.
 */
int tree_each_value(const config_setting_t *setting, const char *path, tree_value_fn *on_value, void *arg);

#endif
