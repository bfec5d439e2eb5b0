/*
 * The values of a configuration, and what differs between two.
 */
#include "base/cleanup.h"
#include "config/config.h"
#include "config/listen.h"
#include "config/option.h"
#include "config/tree.h"

#include <errno.h>
#include <string.h>

struct each {
	config_value_fn *on_value;
	void *arg;
};

static int
on_service_value(const char *path, const char *text, void *arg)
{
	const struct each *each = arg;

	return each->on_value(path, text, CONFIG_EFFECT_ROLL, each->arg);
}

static int
each_of_service(const struct config *config, config_value_fn *on_value, void *arg)
{
	const config_setting_t *service = tree_find(config->tree, "service");
	struct each each = { on_value, arg };

	if (!service)
		return on_value("service.type", config->service_type, CONFIG_EFFECT_ROLL, arg);
	return tree_each_value(service, "service", on_service_value, &each);
}

int
config_each(const struct config *config, config_value_fn *on_value, void *arg)
{
	const struct option_table *table = config_options();
	int r = 0;

	for (size_t i = 0; i < table->n && r == 0; i++) {
		const struct option *option = &table->option[i];
		const bool is_listen = strcmp(option->name, "listen") == 0;
		cleanup_free char *value = NULL;

		if (option->type == OPTION_SPECIAL && !is_listen)
			continue; /* port is in listen too; service comes last */
		value = is_listen ? listen_format_all(config) : option_format(option, config);
		r = value ? on_value(option->name, value, option->effect, arg) : -ENOMEM;
	}
	return r == 0 ? each_of_service(config, on_value, arg) : r;
}

struct item {
	char *name;
	char *value;
	enum config_effect effect;
};

/* The values of one configuration, sorted by name. */
struct list {
	struct item *item;
	size_t n;
};

static int
collect(const char *name, const char *value, enum config_effect effect, void *arg)
{
	struct list *list = arg;
	struct item *item;

	if ((list->n & (list->n - 1)) == 0) { /* full: room is a power of two */
		struct item *more = reallocarray(list->item, list->n ? list->n * 2 : 1, sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->item = more;
	}
	item = &list->item[list->n++];
	*item = (struct item){ strdup(name), strdup(value), effect };
	return item->name && item->value ? 0 : -ENOMEM;
}

static int
compare_items(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static int
list_init(struct list *list, const struct config *config)
{
	int r;

	*list = (struct list){ 0 };
	r = config_each(config, collect, list);
	if (r == 0)
		qsort(list->item, list->n, sizeof(list->item[0]), compare_items);
	return r;
}

static void
list_done(struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->item[i].name);
		free(list->item[i].value);
	}
	free(list->item);
}

/* Walks both lists at once, as names are in the same order there. */
static void
compare(const struct list *old, const struct list *new, config_diff_fn *on_change, void *arg)
{
	size_t i = 0, j = 0;

	while (i < old->n || j < new->n) {
		const struct item *a = i < old->n ? &old->item[i] : NULL,
				  *b = j < new->n ? &new->item[j] : NULL;
		const int order = !a ? 1 : !b ? -1 : compare_items(a, b);

		if (order < 0)
			on_change(a->name, a->value, "(none)", a->effect, arg);
		else if (order > 0)
			on_change(b->name, "(none)", b->value, b->effect, arg);
		else if (strcmp(a->value, b->value) != 0)
			on_change(a->name, a->value, b->value, a->effect, arg);
		i += order <= 0;
		j += order >= 0;
	}
}

int
config_diff(const struct config *old, const struct config *new, config_diff_fn *on_change, void *arg)
{
	struct list old_list, new_list = { 0 };
	int r = list_init(&old_list, old);

	if (r == 0)
		r = list_init(&new_list, new);
	if (r == 0)
		compare(&old_list, &new_list, on_change, arg);
	list_done(&old_list);
	list_done(&new_list);
	return r;
}
