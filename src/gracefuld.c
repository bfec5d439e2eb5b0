/*
 * gracefuld: the master's program. Reads the command line, and brings src/master and src/control together.
 */
#include "config.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "control/control.h"
#include "master/heritage.h"
#include "master/master.h"
#include "master/trial.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static const char usage[] =
	"usage: gracefuld [-c FILE] [-t] [-l LEVEL] [-W FILE]\n"
	"\n"
	"  -c, --config FILE   the configuration (" GRACEFULD_SYSCONFDIR "/gracefuld.conf)\n"
	"  -t, --test          check the configuration, print every error, and exit 0 or 78\n"
	"  -l, --log LEVEL     error, warning, notice, info or debug, whatever is configured\n"
	"  -W, --worker FILE   the program of the built-in services\n"
	"                      (" GRACEFULD_LIBEXECDIR "/gracefuld-worker)\n"
	"      --version       print the version, and exit\n"
	"  -h, --help          print this, and exit\n"
	"\n"
	"Signals: HUP reload; TERM, INT stop gracefully, a second one at once; QUIT stop at once;\n"
	"USR1 write the status to the log; USR2 run the installed version of this program, in place;\n"
	"TTIN, TTOU one worker more, one fewer.\n"
	"See gracefuld(8), gracefuld.conf(5).\n";

/* How long the journal may take to read the last words. */
#define LOG_WAIT_US US_PER_SEC

struct command {
	struct master_options options;
	bool test;
	bool check_state;
};

/* 0 to go on; -1 to exit with *ret_status. */
static int
parse_arguments(int argc, char **argv, struct command *ret, int *ret_status)
{
	static const struct option long_options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "test", no_argument, NULL, 't' },
		{ "log", required_argument, NULL, 'l' },
		{ "worker", required_argument, NULL, 'W' },
		{ &TRIAL_OPTION[2], no_argument, NULL, 'S' }, /* for the daemon itself: see trial.h */
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*ret_status = EX_USAGE;
	while ((c = getopt_long(argc, argv, "c:tl:W:h", long_options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			ret->options.config_path = optarg;
			break;
		case 't':
			ret->test = true;
			break;
		case 'l':
			ret->options.log_level = log_level_from_name(optarg);
			if (ret->options.log_level < 0) {
				fprintf(stderr, "gracefuld: no log level \"%s\"\n%s", optarg, usage);
				return -1;
			}
			break;
		case 'W':
			ret->options.worker_program = optarg;
			break;
		case 'S':
			ret->check_state = true;
			break;
		case 'V':
		case 'h':
			fputs(c == 'h' ? usage : PACKAGE_STRING "\n", stdout);
			*ret_status = EX_OK;
			return -1;
		default:
			fputs(usage, stderr);
			return -1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gracefuld: what is \"%s\"?\n%s", argv[optind], usage);
		return -1;
	}
	return 0;
}

/* From the root on, so that others who are told it find it; symbolic links stay, since they may be moved. */
static char *
absolute_path(const char *path)
{
	cleanup_free char *folder = *path == '/' ? NULL : getcwd(NULL, 0);

	return folder ? text_format("%s/%s", folder, path) : strdup(path);
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Where this program is to be found again, when another one may have been installed there: by the name under which it was started,
 * if that is its path, since links in it may be moved; else as the kernel has it. NULL: not known.
 */
static char *
own_path(const char *name)
{
	static const char exe[] = "/proc/self/exe";
	struct stat named, own;

	if (strchr(name, '/') && stat(name, &named) == 0 && stat(exe, &own) == 0 && is_same(&named, &own))
		return absolute_path(name);
	return realpath(exe, NULL);
}

/* The daemon; or, to check the state that another has left, a part of it. */
static int
run(struct master_options *options, bool check_state)
{
	cleanup_free char *path = absolute_path(options->config_path), *program = own_path(options->argv[0]);
	struct control *control = control_new();
	struct master_extension extension;

	if (!control || !path) {
		free(control);
		fputs("gracefuld: out of memory\n", stderr);
		return EX_OSERR;
	}
	options->config_path = path;
	options->program = program;
	extension = control_extension(control);
	return check_state ? master_check_state(options, &extension) : master_run(options, &extension);
}

int
main(int argc, char **argv)
{
	struct command command = {
		.options = {
			.config_path = GRACEFULD_SYSCONFDIR "/gracefuld.conf",
			.worker_program = GRACEFULD_LIBEXECDIR "/gracefuld-worker",
			.log_level = -1,
			.argv = argv,
			.state_fd = heritage_from_environment(),
		},
	};
	int status;

	master_block_signals();
	log_init("gracefuld", LOG_INFO);
	if (parse_arguments(argc, argv, &command, &status) < 0)
		return status;
	if (command.options.state_fd < -1 || (command.check_state && command.options.state_fd < 0)) {
		fputs("gracefuld: " HERITAGE_ENV " names no state\n", stderr);
		return EX_USAGE;
	}
	status = command.test ? master_check(&command.options) : run(&command.options, command.check_state);
	log_finish(LOG_WAIT_US);
	return status;
}
