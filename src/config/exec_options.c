/*
 * Reading the options of the service `exec`.
 */
#include "config/exec_options.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/duration.h"
#include "config/option.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct exec_options, name)

static const struct option options[] = {
	{ "command", OPTION_SPECIAL, .help = "the program and its arguments, a list" },
	{ "directory", OPTION_STRING, FIELD(directory),
		.help = "the folder that it starts in; without: the daemon's own" },
	{ "environment", OPTION_SPECIAL,
		.help = "a group of variables that it gets besides the daemon's own" },
	{ "ready", OPTION_SPECIAL, .fallback = "pipe",
		.help = "how it is known to accept connections: \"pipe\", \"notify\", \"accepting\", or how long it must not have ended" },
	{ "drain", OPTION_SPECIAL, .fallback = "pipe",
		.help = "how it is told to drain: \"pipe\", a signal such as \"SIGTERM\", or a list of both" },
};

const struct option_table *
exec_options_table(void)
{
	static const struct option_table table = { options, ARRAY_LEN(options) };

	return &table;
}

static const config_setting_t *
find(const struct config *config, const char *name)
{
	return tree_find(config->tree, name);
}

/* ---- lists of strings ---- */

static void
strings_free(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

static const char *
text_of(const config_setting_t *setting)
{
	const struct value value = value_of_setting(setting);

	return value.type == VALUE_STRING ? value.string : NULL;
}

static int
read_command(struct exec_options *into, const struct config *config, struct problems *problems)
{
	const config_setting_t *setting = find(config, "service.command");
	const int n = setting && !config_setting_is_group(setting) && config_setting_is_aggregate(setting)
	                      ? config_setting_length(setting)
	                      : 0;
	char **command;

	if (n == 0) {
		config_add_problem(config, "service.command", problems,
			setting ? "is no list; write command = ( \"/path/program\", \"argument\" );"
				: "is missing: the program to run");
		return 0;
	}
	command = calloc((size_t)n + 1, sizeof(*command));
	if (!command)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		const char *text = text_of(config_setting_get_elem(setting, (unsigned)i));

		command[i] = strdup(text ? text : "");
		if (!command[i]) {
			strings_free(command);
			return -ENOMEM;
		}
		if (!text)
			config_add_problem(config, "service.command", problems,
				"its element %d is no text in quotes", i);
	}
	if (*command[0] != '/' && (strchr(command[0], '/') || *command[0] == '\0'))
		config_add_problem(config, "service.command", problems,
			"\"%s\" is neither an absolute path nor a name to be found in PATH", command[0]);
	into->command = command;
	return 0;
}

static int
read_environment(struct exec_options *into, const struct config *config, struct problems *problems)
{
	const config_setting_t *setting = find(config, "service.environment");
	int n;

	if (!setting)
		return 0;
	if (!config_setting_is_group(setting)) {
		config_add_problem(config, "service.environment", problems,
			"is a group of variables; write environment : { NAME = \"value\"; };");
		return 0;
	}
	n = config_setting_length(setting);
	into->environment = calloc((size_t)n + 1, sizeof(*into->environment));
	if (!into->environment)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
		const char *text = text_of(member);

		if (!text)
			tree_problem(config->tree, member, problems,
				"service.environment.%s: is no text in quotes", config_setting_name(member));
		into->environment[i] = text_format("%s=%s", config_setting_name(member), text ? text : "");
		if (!into->environment[i])
			return -ENOMEM;
	}
	return 0;
}

/* ---- ready, drain ---- */

/* A time in one of its forms. 0 with *ret_us, or negative errno. */
static int
read_time(const struct value *value, uint64_t *ret_us)
{
	switch (value->type) {
	case VALUE_INTEGER:
		return duration_from_seconds((double)value->integer, ret_us);
	case VALUE_REAL:
		return duration_from_seconds(value->real, ret_us);
	case VALUE_STRING:
		return duration_parse(value->string, ret_us);
	default:
		return -EINVAL;
	}
}

static void
check_alive_time(const struct exec_options *into, const struct config *config, struct problems *problems)
{
	char time[DURATION_TEXT_MAX], limit[DURATION_TEXT_MAX];

	if (into->ready_us == 0)
		config_add_problem(
			config, "service.ready", problems, "is no time that anything could show in");
	else if (into->ready_us >= config->roll.ready_timeout_us)
		config_add_problem(config, "service.ready", problems,
			"%s is not less than roll.ready_timeout, %s", duration_format(into->ready_us, time),
			duration_format(config->roll.ready_timeout_us, limit));
}

static void
read_ready(struct exec_options *into, const struct config *config, struct problems *problems)
{
	const config_setting_t *setting = find(config, "service.ready");
	struct value value;

	if (!setting)
		return;
	value = value_of_setting(setting);
	if (value.type == VALUE_STRING && strcmp(value.string, "pipe") == 0) {
		into->ready = EXEC_READY_PIPE;
	} else if (value.type == VALUE_STRING && strcmp(value.string, "notify") == 0) {
		into->ready = EXEC_READY_NOTIFY;
	} else if (value.type == VALUE_STRING && strcmp(value.string, "accepting") == 0) {
		into->ready = EXEC_READY_ACCEPTING;
	} else if (read_time(&value, &into->ready_us) == 0) {
		into->ready = EXEC_READY_ALIVE;
		check_alive_time(into, config, problems);
	} else {
		config_add_problem(config, "service.ready", problems,
			"is neither \"pipe\", \"notify\", \"accepting\" nor a time such as 2 or \"500ms\"");
	}
}

/* "SIGTERM", "TERM": its number; else -1. What can't be caught, or stops, is no request. */
static int
signal_number(const char *name)
{
	static const int usable[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM,
		SIGCONT, SIGURG, SIGIO, SIGPWR, SIGTTIN, SIGTTOU };

	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < ARRAY_LEN(usable); i++)
		if (strcmp(name, sigabbrev_np(usable[i])) == 0)
			return usable[i];
	return -1;
}

static void
read_drain_way(struct exec_options *into, const struct config *config, const config_setting_t *setting,
	struct problems *problems)
{
	const char *text = text_of(setting);
	int number = text ? signal_number(text) : -1;

	if (text && strcmp(text, "pipe") == 0)
		into->drain_pipe = true;
	else if (number > 0 && into->drain_signal == 0)
		into->drain_signal = number;
	else if (number > 0)
		config_add_problem(config, "service.drain", problems, "has more than one signal");
	else
		config_add_problem(config, "service.drain", problems,
			"is neither \"pipe\", a signal such as \"SIGTERM\", nor a list of both");
}

static void
read_drain(struct exec_options *into, const struct config *config, struct problems *problems)
{
	const config_setting_t *setting = find(config, "service.drain");
	const bool is_list = setting && config_setting_is_aggregate(setting);

	if (!setting) {
		into->drain_pipe = true;
		return;
	}
	for (int i = 0; is_list && i < config_setting_length(setting); i++)
		read_drain_way(into, config, config_setting_get_elem(setting, (unsigned)i), problems);
	if (!is_list || config_setting_length(setting) == 0)
		read_drain_way(into, config, setting, problems);
}

/* Who never gives a sign of life would be killed as hung. */
static void
check_heartbeat(const struct exec_options *into, const struct config *config, struct problems *problems)
{
	if (config->hang_timeout_us > 0 && into->ready != EXEC_READY_PIPE && into->ready != EXEC_READY_NOTIFY)
		config_add_problem(config, "hang_timeout", problems,
			"a program gives signs of life with service.ready = \"pipe\" or \"notify\" only");
}

/* It would not be what was asked for: nobody knows what a program needs. */
static void
check_sandbox(const struct config *config, struct problems *problems)
{
	if (config->sandbox == CONFIG_SANDBOX_ALWAYS)
		config_add_problem(config, "sandbox", problems,
			"there is none for a program that is not gracefuld's own; \"auto\" leaves it alone");
}

int
exec_options_read(struct exec_options *into, const struct config *config, struct problems *problems)
{
	int r;

	*into = (struct exec_options){ .ready = EXEC_READY_PIPE };
	r = config_read_service(config, exec_options_table(), into, problems);
	if (r == 0)
		r = read_command(into, config, problems);
	if (r == 0)
		r = read_environment(into, config, problems);
	if (r < 0)
		return r;
	read_ready(into, config, problems);
	read_drain(into, config, problems);
	check_heartbeat(into, config, problems);
	check_sandbox(config, problems);
	if (into->directory && *into->directory != '/')
		config_add_problem(
			config, "service.directory", problems, "\"%s\" is no absolute path", into->directory);
	return 0;
}

void
exec_options_done(struct exec_options *from)
{
	strings_free(from->command);
	strings_free(from->environment);
	option_free(exec_options_table(), from);
	*from = (struct exec_options){ .ready = EXEC_READY_PIPE };
}

char *
exec_options_find(const char *name)
{
	const char *path = getenv("PATH"), *end;

	if (strchr(name, '/'))
		return strdup(name);
	for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; *path; path = *end ? end + 1 : end) {
		cleanup_free char *found = NULL;

		end = strchrnul(path, ':');
		found = text_format("%.*s/%s", (int)(end - path), path, name);
		if (*path == '/' && found && access(found, X_OK) == 0)
			return take_ptr(found);
	}
	return NULL;
}
