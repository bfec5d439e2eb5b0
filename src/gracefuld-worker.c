/*
 * gracefuld-worker: the program of the built-in services, started by gracefuld. Reads the command
 * line, and hands over to src/worker.
 */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/inheritance.h"
#include "worker/lookout.h"
#include "worker/settings.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] =
	"usage: gracefuld-worker [--check | --accepting PID INODE | --version | --help]\n"
	"\n"
	"This program serves the connections of gracefuld, which starts it and gives it what it needs\n"
	"through descriptors and the environment: see gracefuld-worker(7). To serve, start gracefuld.\n"
	"\n"
	"  --check    check the configuration in the descriptor that GRACEFULD_CONFIG_FD names\n"
	"  --accepting PID INODE\n"
	"             wait until a process of that session accepts on that socket\n"
	"  --version  print the version, and exit\n"
	"  --help     print this, and exit\n";

/* How long the journal may take to read the last words: not much, as a roll may wait for this worker's end. */
#define LOG_WAIT_US (100 * US_PER_MS)

static int
run_option(const char *option)
{
	if (strcmp(option, "--check") == 0)
		return settings_check();
	if (strcmp(option, "--version") == 0 || strcmp(option, "--help") == 0) {
		fputs(strcmp(option, "--help") == 0 ? usage : PACKAGE_STRING "\n", stdout);
		return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	fputs(usage, stderr);
	return EX_USAGE;
}

int
main(int argc, char **argv)
{
	int status;

	log_init("gracefuld-worker", LOG_INFO);
	if (argc == 4 && strcmp(argv[1], "--accepting") == 0)
		return lookout_run(argv[2], argv[3]);
	if (argc == 2)
		return run_option(argv[1]);
	if (argc != 1 || !inheritance_is_there()) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	status = worker_run(PACKAGE_VERSION);
	log_finish(LOG_WAIT_US);
	return status;
}
