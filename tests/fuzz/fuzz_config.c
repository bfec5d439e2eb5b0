/*
 * Fuzz target: a text is loaded as a configuration, and compared with the default one.
 *
 * What is loaded must be sound and must load again; what is not must say why, in printable lines.
 */
#include "base/cleanup.h"
#include "config/config.h"
#include "config/option.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_printable(const char *text)
{
	for (; *text; text++)
		assert((unsigned char)*text >= ' ' && *text != 127);
}

/* libconfig must never see what it would refuse by itself: that has been said before, and better. */
static void
check_problem(const char *text)
{
	static const char mark[] = ": syntax error: ";
	const char *found = strstr(text, mark);

	check_printable(text);
	if (!found)
		return;
	assert(strcmp(found + strlen(mark), "syntax error") != 0);
	assert(strcmp(found + strlen(mark), "duplicate setting name") != 0);
}

static int
on_value(const char *name, const char *value, enum config_effect effect, void *arg)
{
	size_t *n = arg;

	assert(effect == CONFIG_EFFECT_ROLL || effect == CONFIG_EFFECT_LIVE);
	check_printable(name);
	check_printable(value);
	(*n)++;
	return 0;
}

static void
on_change(
	const char *name, const char *old_value, const char *new_value, enum config_effect effect, void *arg)
{
	size_t *n = arg;

	(void)effect;
	assert(strcmp(old_value, new_value) != 0);
	check_printable(name);
	(*n)++;
}

static struct config *
load(const char *text, size_t len)
{
	struct problems problems;
	struct config *config = NULL;
	int r;

	problems_init(&problems);
	r = config_load_text(text, len, &config, &problems);
	assert(r == 0 || r == -EINVAL);
	assert((r == 0) == (problems.n == 0));
	assert((r == 0) == (config != NULL));
	assert(problems_kept(&problems) == (problems.n < PROBLEMS_MAX ? problems.n : PROBLEMS_MAX));
	for (size_t i = 0; i < problems_kept(&problems); i++)
		check_problem(problems.text[i]);
	for (size_t i = 1; i < problems_kept(&problems); i++)
		assert(problems.place[i - 1] <= problems.place[i]);
	problems_done(&problems);
	return config;
}

static void
check_sound(const struct config *config)
{
	assert(config->workers >= 1 && config->workers <= CONFIG_WORKERS_MAX);
	assert(config->roll.parallel >= 1 && config->restart.delay_us <= config->restart.max_delay_us);
	assert(config->n_listen >= 1 && config->n_listen <= CONFIG_LISTEN_MAX);
	assert(config->service_type && *config->service_type);
	for (size_t i = 0; i < config->n_listen; i++) {
		const struct config_listen *listen = &config->listen[i];
		cleanup_free char *text = config_listen_text(listen);

		assert(text && *text && listen->file && listen->backlog >= 1);
		assert((listen->kind == CONFIG_LISTEN_TCP) == (listen->port >= 1 && listen->port <= 65535));
		assert((listen->kind == CONFIG_LISTEN_UNIX) == (listen->path != NULL));
		assert((listen->kind == CONFIG_LISTEN_SYSTEMD) == (listen->name != NULL));
	}
}

/* A service without options: whatever there is must be told. */
static void
check_service(const struct config *config)
{
	const struct option_table none = { 0 };
	struct problems problems;

	problems_init(&problems);
	assert(config_read_service(config, &none, NULL, &problems) == 0);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		check_printable(problems.text[i]);
	problems_done(&problems);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = load((const char *)data, size), *again, *bare;
	size_t values = 0, changes = 0;

	if (!config)
		return 0;
	bare = load("", 0);
	again = load(config->text, config->text_len);
	assert(bare && again);
	check_sound(config);
	check_service(config);
	assert(config_each(config, on_value, &values) == 0 && values > 10);
	assert(config_diff(config, again, on_change, &changes) == 0 && changes == 0);
	assert(config_diff(bare, config, on_change, &changes) == 0);
	config_free(again);
	config_free(bare);
	config_free(config);
	return 0;
}
