/*
 * The service `exec`: another program. The master starts it itself, so no worker of ours ever serves; what is here is the check of its
 * options, which is made as the account that the program will have.
 */
#include "service/services.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "config/exec_options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void
check_program(const struct config *config, const char *name, struct problems *problems)
{
	cleanup_free char *path = exec_options_find(name);
	struct stat st;

	if (!path)
		config_add_problem(config, "service.command", problems, "%s: not found in PATH", name);
	else if (stat(path, &st) < 0 || access(path, X_OK) < 0)
		config_add_problem(config, "service.command", problems, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		config_add_problem(config, "service.command", problems, "%s: is no program", path);
}

static void
check_directory(const struct config *config, const char *path, struct problems *problems)
{
	struct stat st;

	if (stat(path, &st) < 0 || (S_ISDIR(st.st_mode) && access(path, X_OK) < 0))
		config_add_problem(config, "service.directory", problems, "%s: %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		config_add_problem(config, "service.directory", problems, "%s: %s", path, strerror(ENOTDIR));
}

static void
exec_check(const struct config *config, struct problems *problems)
{
	const size_t before = problems->n;
	struct exec_options options;

	if (exec_options_read(&options, config, problems) < 0)
		config_add_problem(config, "service", problems, "out of memory");
	if (problems->n == before && options.command)
		check_program(config, options.command[0], problems);
	if (problems->n == before && options.directory)
		check_directory(config, options.directory, problems);
	exec_options_done(&options);
}

static int
exec_start(struct service_host *host, void **ret_service)
{
	(void)host, (void)ret_service;
	log_error("exec: gracefuld runs the program itself");
	return -ENOTSUP;
}

const struct service_ops *
service_exec(void)
{
	static const struct service_ops ops = {
		.type = EXEC_SERVICE,
		.check = exec_check,
		.start = exec_start,
	};

	return &ops;
}
