/*
 * A candidate: a configuration file on its way to become a generation.
 */
#include "master/candidate.h"

#include <errno.h>
#include <string.h>

static void
finish(struct candidate *c)
{
	if (c->problems.n > 0) {
		generation_unref(c->generation);
		c->generation = NULL;
	}
	c->on_done(c, c->arg);
}

static void
deny(struct candidate *c, const char *what)
{
	c->denied = true;
	problems_add(&c->problems, NULL, 0, "%s: %s", what, strerror(errno));
	finish(c);
}

/* A checker_fn. */
static void
on_checked(void *arg)
{
	struct candidate *c = arg;

	c->checker = NULL; /* frees itself */
	finish(c);
}

/* From the configuration on: the account, the memfd, the check. */
static void
go_on(struct candidate *c, struct event_base *base, const char *program, struct config *config)
{
	struct identity identity = { 0 };
	int r = identity_find(config, &identity, &c->warning, &c->problems);

	if (r < 0) {
		config_free(config);
		errno = -r;
		if (c->problems.n == 0)
			deny(c, "cannot look up the workers' account");
		else
			finish(c);
		return;
	}
	c->generation = generation_new(config, identity);
	if (!c->generation) {
		deny(c, "cannot keep the configuration");
		return;
	}
	c->checker = checker_start(base, program, c->generation, &c->problems, on_checked, c);
	if (!c->checker)
		deny(c, "cannot check the service");
}

void
candidate_start(struct candidate *c, struct event_base *base, const char *program, const char *path,
	void (*on_done)(struct candidate *candidate, void *arg), void *arg)
{
	struct config *config;

	*c = (struct candidate){ .on_done = on_done, .arg = arg };
	problems_init(&c->problems);
	if (config_load_file(path, &config, &c->problems) < 0)
		finish(c);
	else
		go_on(c, base, program, config);
}

void
candidate_start_scaled(struct candidate *c, struct event_base *base, const char *program,
	const struct config *running, unsigned workers,
	void (*on_done)(struct candidate *candidate, void *arg), void *arg)
{
	struct config *config = NULL;

	*c = (struct candidate){ .on_done = on_done, .arg = arg };
	problems_init(&c->problems);
	if (workers < 1 || workers > CONFIG_WORKERS_MAX)
		problems_add(&c->problems, NULL, 0, "workers: %u is out of range (1 to %d)", workers,
			CONFIG_WORKERS_MAX);
	else
		config_load_text(running->text, running->text_len, &config, &c->problems);
	if (!config) {
		finish(c);
		return;
	}
	config->workers = workers;
	go_on(c, base, program, config);
}

void
candidate_done(struct candidate *c)
{
	checker_cancel(c->checker);
	generation_unref(c->generation);
	problems_done(&c->problems);
	*c = (struct candidate){ 0 };
}
