/*
 * What every command of gracefulctl is given, and how it ends.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "ctl/client.h"
#include "ctl/terminal.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses beside those of sysexits(3); scripts rely on them, so they never change. */
enum ctl_exit {
	CTL_OK = 0,          /* applied, unchanged; no difference */
	CTL_REJECTED = 1,    /* nothing was touched */
	CTL_DIFFERENT = 1,   /* of diff, as diff(1) has it */
	CTL_REVERTED = 2,    /* the old generation serves again */
	CTL_TIMEOUT = 3,     /* no verdict in the time given; the reload goes on */
	CTL_UNAVAILABLE = 4, /* no daemon answers */
};

struct ctl;

/* Runs one command, whose name is argv[0], and says what went wrong; returns the exit status. */
typedef int ctl_command_fn(struct ctl *ctl, int argc, char **argv);

struct ctl_command {
	const char *name;
	const char *arguments; /* "[--now]" */
	const char *help;
	ctl_command_fn *run;
};

struct ctl {
	const struct ctl_command *command; /* the one that runs */
	struct client *client;
	struct terminal out; /* standard output */
	char **argument;     /* once they are parsed; NULL behind the last */
};

/* One line on standard error, "gracefulctl: …", made fit to be shown there. */
void ctl_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same with the usage of the command below it. EX_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says that memory does not suffice. EX_OSERR. */
int ctl_no_memory(void);

/* Says why the last call of the client failed, with this negative errno; the exit status for it. */
int ctl_fail(const struct ctl *ctl, int error);

/* An option of a command: a switch, or one that takes a value. */
struct ctl_option {
	const char *name;
	bool *is_set;       /* set to true; NULL: */
	const char **value; /* ... set to what is given */
};

/* What may stand behind a command. */
struct ctl_syntax {
	const struct ctl_option *options;
	size_t n_options; /* at most CTL_OPTIONS_MAX */
	int min, max;     /* arguments */
};

#define CTL_OPTIONS_MAX 4
#define CTL_GO_ON       (-1) /* no exit status */

/*
 * Reads the options of the command that runs, and --help. CTL_GO_ON, with the arguments in ctl->argument; else all has been said, and this is
 * the exit status.
 */
int ctl_parse(struct ctl *ctl, int argc, char **argv, const struct ctl_syntax *syntax);

#endif
