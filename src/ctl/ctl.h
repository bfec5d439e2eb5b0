/*
 * What every command of gracefulctl is given, and how it ends.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "ctl/client.h"
#include "ctl/terminal.h"

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
};

/* One line on standard error, "gracefulctl: …", made fit to be shown there. */
void ctl_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same with the usage of the command below it. EX_USAGE. */
int ctl_usage(const struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says why the last call of the client failed, with this negative errno; the exit status for it. */
int ctl_fail(const struct ctl *ctl, int error);

/* Prints the usage of the command that runs. CTL_OK. */
int ctl_help(const struct ctl *ctl);

#endif
