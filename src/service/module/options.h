/*
 * The options of the service `module`: `path`, which is ours, and all others, which the module asks for by name.
 */
#ifndef SERVICE_MODULE_OPTIONS_H
#define SERVICE_MODULE_OPTIONS_H

#include "config/config.h"
#include "config/option.h"
#include "config/problem.h"

#include <gracefuld/service.h>

struct module_options {
	struct gracefuld_config seen; /* first: what the module is given */
	const struct config *config;
	const char *speaker;       /* whose name is put before what is logged */
	struct problems *problems; /* NULL: they are logged */
	struct option *known;      /* every name that was asked for; what is unknown is told by this table */
	size_t n_known;
	bool out_of_memory;
};

/* `config`, `speaker` and `problems` must stay. */
void module_options_init(struct module_options *options, const struct config *config, const char *speaker,
	struct problems *problems);
void module_options_done(struct module_options *options);

/* Adds to `problems` each option that was given and never asked for. */
void module_options_check_unknown(struct module_options *options);

/* The option `path`, to be freed; NULL with a problem added: there is none. */
char *module_options_path(const struct config *config, struct problems *problems);

#endif
