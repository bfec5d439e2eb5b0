/*
 * The addresses to listen on: `listen`, and `port`, its short form.
 */
#ifndef CONFIG_LISTEN_H
#define CONFIG_LISTEN_H

#include "config/config.h"
#include "config/option.h"

/* The members of an entry of `listen`. */
const struct option_table *listen_table(void);

/*
 * Reads `port` or `listen`, or makes up the default, into config->listen; adds to `problems` what is wrong. 0 (problems or not), or
 * -ENOMEM.
 */
int listen_read(struct config *config, struct problems *problems);

void listen_free(struct config *config);

/* All entries with everything that is not the default, sorted, so that equal texts mean equal listeners. To be freed; NULL: no memory. */
char *listen_format_all(const struct config *config);

#endif
