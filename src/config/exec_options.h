/*
 * The options of the service `exec`: which program its workers are, and how one talks to it. Read by the check, and by the master,
 * which starts the program.
 */
#ifndef CONFIG_EXEC_OPTIONS_H
#define CONFIG_EXEC_OPTIONS_H

#include "config/config.h"

#define EXEC_SERVICE "exec" /* the type */

/* How it is known that a worker accepts connections. */
enum exec_ready {
	EXEC_READY_PIPE,      /* it says so on the status pipe */
	EXEC_READY_NOTIFY,    /* it says so by sd_notify(3) */
	EXEC_READY_ACCEPTING, /* it is seen to wait for connections */
	EXEC_READY_ALIVE,     /* it has not ended for ready_us */
};

struct exec_options {
	char **command;     /* as argv, NULL at the end; NULL: not given, or wrong */
	char **environment; /* "NAME=value", NULL at the end; NULL: none */
	char *directory;    /* NULL: the daemon's */
	enum exec_ready ready;
	uint64_t ready_us;
	bool drain_pipe;  /* it is told to drain on the control pipe, and … */
	int drain_signal; /* … by this signal; 0: by none */
};

const struct option_table *exec_options_table(void);

/* Reads them, and adds to `problems` what is wrong. exec_options_done is due in any case. 0, problems or not, or -ENOMEM. */
int exec_options_read(struct exec_options *into, const struct config *config, struct problems *problems);
void exec_options_done(struct exec_options *options);

/* The path of a program's name: itself where it has a slash, else by PATH. To be freed; NULL: there is none. */
char *exec_options_find(const char *name);

#endif
