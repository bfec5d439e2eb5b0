/*
 * Shows what the config layer makes of a file; what gracefuld -t would say to it.
 *
 *	config_dump FILE       every option with its value; or what is wrong, exit status 78
 *	config_dump OLD NEW    what differs, as a reload would report it
 *	config_dump --options  the options table: name, default, range, effect and help, with tabs between
 *
 * Whatever is loaded from a file is loaded again from its text, as workers do, and must be the same.
 */
#include "base/cleanup.h"
#include "config/config.h"
#include "config/listen.h"
#include "config/option.h"

#include <string.h>
#include <sysexits.h>

static int
print_value(const char *name, const char *value, enum config_effect effect, void *arg)
{
	(void)effect;
	(void)arg;
	printf("%s = %s\n", name, value);
	return 0;
}

static void
print_change(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	(void)arg;
	printf("%s: %s -> %s%s\n", name, old_value, new_value, effect == CONFIG_EFFECT_LIVE ? " (live)" : "");
}

static void
on_difference(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	bool *differs = arg;

	(void)effect;
	fprintf(stderr, "%s: %s from the file, %s from its text\n", name, old_value, new_value);
	*differs = true;
}

static int
print_problems(struct problems *problems)
{
	for (size_t i = 0; i < problems_kept(problems); i++)
		fprintf(stderr, "%s\n", problems->text[i]);
	if (problems->n > problems_kept(problems))
		fprintf(stderr, "and %zu more\n", problems->n - problems_kept(problems));
	problems_done(problems);
	return EX_CONFIG;
}

/* The places, too, must be the same in a text as in the file. */
static bool
same_places(const struct config *a, const struct config *b)
{
	for (size_t i = 0; i < a->n_listen; i++)
		if (a->listen[i].line != b->listen[i].line ||
			strcmp(a->listen[i].file, b->listen[i].file) != 0)
			return false;
	return true;
}

static int
load_again(const struct config *config)
{
	struct config *again;
	struct problems problems;
	bool differs = false;

	problems_init(&problems);
	if (config_load_text(config->text, config->text_len, &again, &problems) < 0) {
		print_problems(&problems);
		return EX_SOFTWARE;
	}
	if (config_diff(config, again, on_difference, &differs) < 0 || !same_places(config, again))
		differs = true;
	if (strcmp(config->path, again->path) != 0 || config->text_len != again->text_len ||
		memcmp(config->text, again->text, again->text_len) != 0)
		differs = true;
	config_free(again);
	return differs ? EX_SOFTWARE : EX_OK;
}

static int
load(const char *path, struct config **ret)
{
	struct problems problems;
	int status;

	problems_init(&problems);
	if (config_load_file(path, ret, &problems) < 0)
		return print_problems(&problems);
	status = load_again(*ret);
	if (status != EX_OK)
		config_free(*ret);
	return status;
}

static int
dump(const char *path)
{
	struct config *config;
	int status = load(path, &config);

	if (status != EX_OK)
		return status;
	if (config_each(config, print_value, NULL) < 0)
		status = EX_OSERR;
	config_free(config);
	return status;
}

static int
diff(const char *old_path, const char *new_path)
{
	struct config *old, *new;
	int status = load(old_path, &old);

	if (status != EX_OK)
		return status;
	status = load(new_path, &new);
	if (status == EX_OK) {
		if (config_diff(old, new, print_change, NULL) < 0)
			status = EX_OSERR;
		config_free(new);
	}
	config_free(old);
	return status;
}

static void
print_table(const char *group, const struct option_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *option = &table->option[i];
		cleanup_free char *range = option_format_range(option);

		printf("%s%s\t%s\t%s\t%s\t%s\n", group, option->name,
			option->fallback ? option->fallback : "", range ? range : "",
			option->effect == CONFIG_EFFECT_LIVE ? "live" : "roll", option->help);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--options") == 0) {
		print_table("", config_options());
		print_table("listen.", listen_table());
		return EX_OK;
	}
	if (argc == 2)
		return dump(argv[1]);
	if (argc == 3)
		return diff(argv[1], argv[2]);
	fprintf(stderr, "usage: config_dump FILE | OLD NEW | --options\n");
	return EX_USAGE;
}
