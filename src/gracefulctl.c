/*
 * gracefulctl: the client of the daemon's control socket. Reads the command line up to the command, and hands over to src/ctl.
 */
#include "config.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "ctl/change.h"
#include "ctl/ctl.h"
#include "ctl/events.h"
#include "ctl/settings.h"
#include "ctl/status.h"
#include "ctl/upstreams.h"

#include <getopt.h>
#include <locale.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>

#define DEFAULT_SOCKET "/run/gracefuld/control.sock"
#define DISTANCE_MAX   2 /* of a word that may have been meant */

static const struct ctl_command commands[] = {
	{ "status", "[--json] [--watch]", "Show the daemon and its workers; --watch: again and again.",
		status_run },
	{ "reload", "[--wait=drained|ready|no] [--timeout S] [--if-changed]",
		"Read the configuration again and replace the workers, one after the other.", change_reload },
	{ "check", "[FILE]", "Check a configuration, and print every error.", settings_check },
	{ "diff", "[FILE]", "Show what a reload would change.", settings_diff },
	{ "config", "", "Print the configuration that runs, with what it includes.", settings_show },
	{ "scale", "N", "Run so many workers, until the next reload.", change_scale },
	{ "restart", "SLOT", "Replace one worker.", change_restart },
	{ "events", "[--json]", "Print what happens, as it happens.", events_run },
	{ "upstreams", "[--json]", "Show whom the service proxy connects to.", upstreams_run },
	{ "upstream", "drain|enable NAME", "Give an upstream no new connections, or give it some again.",
		upstreams_change },
	{ "stop", "[--now]", "Stop the daemon when its workers have drained, or now.", change_stop },
};

static void
print_usage(FILE *out)
{
	fputs("usage: gracefulctl [-s SOCKET] COMMAND\n\n", out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct ctl_command *command = &commands[i];

		fprintf(out, "  %s%s%s\n          %s\n", command->name, *command->arguments ? " " : "",
			command->arguments, command->help);
	}
	fputs("\n"
	      "  -s, --socket SOCKET  the daemon's control socket (" DEFAULT_SOCKET ")\n"
	      "      --version        print the version, and exit\n"
	      "  -h, --help           print this, and exit\n"
	      "\n"
	      "See gracefulctl(1).\n",
		out);
}

static const struct ctl_command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int
complain_of_command(const char *name)
{
	const char *meant = NULL;
	size_t least = DISTANCE_MAX + 1;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const size_t distance = text_distance(name, commands[i].name);

		if (distance < least) {
			least = distance;
			meant = commands[i].name;
		}
	}
	if (meant)
		ctl_complain("there is no command \"%s\"; did you mean \"%s\"?", name, meant);
	else
		ctl_complain("there is no command \"%s\"; see gracefulctl --help", name);
	return EX_USAGE;
}

/* Reads up to the command. 0 to go on, with *ret_socket and optind; -1 to exit with *ret_status. */
static int
parse_arguments(int argc, char **argv, const char **ret_socket, int *ret_status)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+s:h", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			*ret_socket = optarg;
			break;
		case 'V':
			puts("gracefulctl " PACKAGE_VERSION);
			*ret_status = CTL_OK;
			return -1;
		case 'h':
			print_usage(stdout);
			*ret_status = CTL_OK;
			return -1;
		default:
			print_usage(stderr);
			*ret_status = EX_USAGE;
			return -1;
		}
	}
	return 0;
}

static int
run_command(const char *socket_path, int argc, char **argv)
{
	struct ctl ctl = { .command = find_command(argv[0]) };
	int status;

	if (!ctl.command)
		return complain_of_command(argv[0]);
	if (strlen(socket_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		ctl_complain("no socket can have so long a name: %s", socket_path);
		return EX_USAGE;
	}
	ctl.client = client_new(socket_path);
	if (!ctl.client)
		return ctl_no_memory();
	terminal_look(&ctl.out, STDOUT_FILENO);
	argv[0] = (char[]){ "gracefulctl" }; /* for what getopt says */
	status = ctl.command->run(&ctl, argc, argv);
	client_free(ctl.client);
	return status;
}

/* What was printed must have been written, or no success is one. */
static int
end_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	ctl_complain("could not write all of the output");
	return EX_IOERR;
}

int
main(int argc, char **argv)
{
	const char *socket_path = DEFAULT_SOCKET;
	int status;

	setlocale(LC_CTYPE, "");
	if (parse_arguments(argc, argv, &socket_path, &status) < 0)
		return end_output(status);
	if (optind == argc) {
		print_usage(stderr);
		return EX_USAGE;
	}
	return end_output(run_command(socket_path, argc - optind, argv + optind));
}
