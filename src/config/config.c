/*
 * The configuration: its table of options, and loading it.
 */
#include "config/config.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/duration.h"
#include "config/listen.h"
#include "config/option.h"
#include "config/source.h"
#include "config/tree.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>

#define DAYS(n) (US_PER_SEC * 3600 * 24 * (n))
#define TENTH   (US_PER_SEC / 10) /* less would be mistaken for a failure too easily */

#define FIELD(name) offsetof(struct config, name)

static const struct option_choice on_failure[] = {
	{ "revert", CONFIG_ON_FAILURE_REVERT },
	{ "keep", CONFIG_ON_FAILURE_KEEP },
	{ NULL, 0 },
};

static const struct option_choice log_levels[] = {
	{ "error", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};

static const struct option_choice log_targets[] = {
	{ "auto", CONFIG_LOG_AUTO },
	{ "journal", CONFIG_LOG_JOURNAL },
	{ "stderr", CONFIG_LOG_STDERR },
	{ NULL, 0 },
};

static const struct option_choice sandboxes[] = {
	{ "auto", CONFIG_SANDBOX_AUTO },
	{ "always", CONFIG_SANDBOX_ALWAYS },
	{ "never", CONFIG_SANDBOX_NEVER },
	{ NULL, 0 },
};

/* How many CPUs this process may use. */
static unsigned
count_cpus(void)
{
	cpu_set_t cpus;
	long n;

	/* fails where there are more than CPU_SETSIZE of them */
	n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > CONFIG_WORKERS_MAX ? CONFIG_WORKERS_MAX : (unsigned)n;
}

/* What changes with the workers is of effect ROLL, the zero value. */
static const struct option options[] = {
	{ "workers", OPTION_INTEGER, FIELD(workers), "auto", 1, CONFIG_WORKERS_MAX, .automatic = count_cpus,
		.help = "worker processes; \"auto\": as many as there are CPUs for this daemon" },
	{ "port", OPTION_SPECIAL, .fallback = "11111", .min = 1, .max = 65535,
		.help = "the TCP port, on all addresses, IPv4 and IPv6; short for listen = ( { port = ...; } )" },
	{ "listen", OPTION_SPECIAL, .help = "the addresses to listen on, instead of port" },
	{ "drain_timeout", OPTION_TIME, FIELD(drain_timeout_us), "100s", 0, DAYS(365),
		.effect = CONFIG_EFFECT_LIVE,
		.help = "how long a worker that leaves may take to finish its connections" },
	{ "lame_duck", OPTION_TIME, FIELD(lame_duck_us), "0s", 0, DAYS(1), .effect = CONFIG_EFFECT_LIVE,
		.help = "how long a daemon that stops still accepts connections, while /readyz says that it is not ready" },
	{ "service", OPTION_SPECIAL,
		.help = "the service that the workers run: its type, and the options of that type" },
	{ "user", OPTION_STRING, FIELD(user),
		.help = "the user that workers run as, when the daemon is root" },
	{ "group", OPTION_STRING, FIELD(group),
		.help = "the group that workers run as, when the daemon is root; without: the user's own" },
	{ "roll.parallel", OPTION_INTEGER, FIELD(roll.parallel), "1", 1, CONFIG_WORKERS_MAX,
		.effect = CONFIG_EFFECT_LIVE, .help = "how many workers are replaced at a time" },
	{ "roll.ready_timeout", OPTION_TIME, FIELD(roll.ready_timeout_us), "30s", TENTH, DAYS(1),
		.effect = CONFIG_EFFECT_LIVE, .help = "how long a new worker may take until it is ready" },
	{ "roll.settle", OPTION_TIME, FIELD(roll.settle_us), "0s", 0, DAYS(1), .effect = CONFIG_EFFECT_LIVE,
		.help = "how long a new worker must stay ready before the next one is replaced" },
	{ "roll.on_failure", OPTION_CHOICE, FIELD(roll.on_failure), "revert", .choices = on_failure,
		.effect = CONFIG_EFFECT_LIVE,
		.help = "when a new worker fails: \"revert\" to the old configuration, or \"keep\" what is replaced so far" },
	{ "roll.handoff", OPTION_BOOLEAN, FIELD(roll.handoff), "true", .effect = CONFIG_EFFECT_LIVE,
		.help = "whether a worker that leaves hands its connections over, or serves them to their end" },
	{ "restart.delay", OPTION_TIME, FIELD(restart.delay_us), "100ms", 10 * US_PER_MS, DAYS(1),
		.effect = CONFIG_EFFECT_LIVE,
		.help = "how long to wait before a crashed worker is replaced; doubles with each crash" },
	{ "restart.max_delay", OPTION_TIME, FIELD(restart.max_delay_us), "30s", 10 * US_PER_MS, DAYS(1),
		.effect = CONFIG_EFFECT_LIVE, .help = "... up to this" },
	{ "restart.stable", OPTION_TIME, FIELD(restart.stable_us), "10s", 0, DAYS(1),
		.effect = CONFIG_EFFECT_LIVE,
		.help = "... and starts anew after a worker has run for so long" },
	{ "recycle.age", OPTION_TIME, FIELD(recycle.age_us), NULL, US_PER_SEC, DAYS(365),
		.effect = CONFIG_EFFECT_LIVE, .help = "replace a worker when it is so old; without: never" },
	{ "recycle.requests", OPTION_INTEGER, FIELD(recycle.requests), NULL, 1, UINT32_MAX,
		.effect = CONFIG_EFFECT_LIVE, .help = "... when it has served so many requests" },
	{ "recycle.memory", OPTION_SIZE, FIELD(recycle.memory), NULL, UINT64_C(1) << 20, UINT64_C(1) << 50,
		.effect = CONFIG_EFFECT_LIVE, .help = "... when so much of its memory is resident" },
	{ "recycle.jitter", OPTION_INTEGER, FIELD(recycle.jitter), "20", 0, 100, .effect = CONFIG_EFFECT_LIVE,
		.help = "... or up to so many percent earlier, by chance, so that not all are due at once" },
	{ "hang_timeout", OPTION_TIME, FIELD(hang_timeout_us), NULL, TENTH, DAYS(1),
		.help = "replace a worker that gives no sign of life for so long; without: never" },
	{ "limits.connections", OPTION_INTEGER, FIELD(limits.connections), NULL, 1, 10000000,
		.help = "connections that a worker serves at a time; without: no limit" },
	{ "limits.open_files", OPTION_INTEGER, FIELD(limits.open_files), NULL, 64, 1048576,
		.help = "RLIMIT_NOFILE of a worker, at most the daemon's hard limit; without: the daemon's own" },
	{ "sandbox", OPTION_CHOICE, FIELD(sandbox), "auto", .choices = sandboxes,
		.help = "whether workers give up system calls that they don't need: \"auto\": where it can be; \"always\": those of modules too; \"never\"" },
	{ "control.path", OPTION_STRING, FIELD(control.path), .effect = CONFIG_EFFECT_LIVE,
		.help = "the control socket; without: control.sock in the daemon's runtime folder, /run/gracefuld" },
	{ "control.mode", OPTION_MODE, FIELD(control.mode), "0660", .effect = CONFIG_EFFECT_LIVE,
		.help = "permissions of the control socket: who may connect, and ask" },
	{ "control.group", OPTION_STRING, FIELD(control.group), .effect = CONFIG_EFFECT_LIVE,
		.help = "the group of the control socket, whose members may change things too" },
	{ "metrics", OPTION_STRING, FIELD(metrics), .effect = CONFIG_EFFECT_LIVE,
		.help = "an address such as \"127.0.0.1:9125\" where everybody may ask, and nobody can change anything" },
	{ "log.level", OPTION_CHOICE, FIELD(log.level), "info", .choices = log_levels,
		.effect = CONFIG_EFFECT_LIVE, .help = "log nothing below this level" },
	{ "log.target", OPTION_CHOICE, FIELD(log.target), "auto", .choices = log_targets,
		.effect = CONFIG_EFFECT_LIVE,
		.help = "\"auto\": the journal where there is one, else standard error" },
};

static const struct option_table table = { options, ARRAY_LEN(options) };

/* What the master must know of `service`; the rest is checked by the service itself. */
static const struct option service_options[] = {
	{ "type", OPTION_STRING, FIELD(service_type), "http", .help = "the type of the service" },
};

static const struct option_table service_table = { service_options, ARRAY_LEN(service_options) };

const struct option_table *
config_options(void)
{
	return &table;
}

static int
read_service_type(struct config *config, struct problems *problems)
{
	const config_setting_t *service = tree_find(config->tree, "service");
	const struct option_reading reading = { config->tree, problems, "service", NULL, true };

	if (!service)
		return 0;
	if (!config_setting_is_group(service))
		tree_problem(config->tree, service, problems,
			"service: is a group of options; write service : { ... };");
	else if (!config_setting_get_member(service, "type"))
		tree_problem(config->tree, service, problems, "service: type is missing");
	else
		return option_read(&reading, service, &service_table, config);
	return 0;
}

/* The setting that this option was given by, or the nearest group around where it would be; NULL: the whole. */
static const config_setting_t *
find_setting(const struct config *config, const char *name)
{
	const config_setting_t *setting = tree_find(config->tree, name);
	cleanup_free char *group = strdup(name);
	char *point;

	while (!setting && group && (point = strrchr(group, '.'))) {
		*point = '\0';
		setting = tree_find(config->tree, group);
	}
	return setting;
}

void
config_add_problem(
	const struct config *config, const char *name, struct problems *problems, const char *fmt, ...)
{
	cleanup_free char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	tree_problem(config->tree, find_setting(config, name), problems, "%s: %s", name,
		message ? message : strerror(ENOMEM));
}

/* What no row of the table can check by itself. */
static void
check_together(const struct config *config, struct problems *problems)
{
	char delay[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

	if (config->restart.delay_us <= config->restart.max_delay_us)
		return;
	if (tree_find(config->tree, "restart.max_delay"))
		config_add_problem(config, "restart.max_delay", problems, "%s is less than restart.delay, %s",
			duration_format(config->restart.max_delay_us, max),
			duration_format(config->restart.delay_us, delay));
	else
		config_add_problem(config, "restart.delay", problems, "%s is more than restart.max_delay, %s",
			duration_format(config->restart.delay_us, delay),
			duration_format(config->restart.max_delay_us, max));
}

/* What this process could not give to a worker. */
static void
check_limits(const struct config *config, struct problems *problems)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && config->limits.open_files > limit.rlim_max)
		config_add_problem(config, "limits.open_files", problems,
			"%u is above the hard limit of this process, %llu", config->limits.open_files,
			(unsigned long long)limit.rlim_max);
}

static int
read_options(struct config *config, struct problems *problems)
{
	const struct option_reading reading = { config->tree, problems, NULL, NULL, false };
	int r;

	if ((r = option_read(&reading, config_root_setting(&config->tree->lib), &table, config)) < 0)
		return r;
	if ((r = read_service_type(config, problems)) < 0)
		return r;
	return listen_read(config, problems);
}

/* The name of the first file that a text is from. */
static char *
find_path(const struct config_tree *tree)
{
	const char *file;
	unsigned line;

	tree_place(tree, NULL, &file, &line);
	return strdup(file);
}

/* All that is known from the text alone. */
static int
load(struct config *config, struct problems *problems)
{
	const size_t before = problems->n;
	int r;

	if ((r = option_defaults(&table, config)) < 0 || (r = option_defaults(&service_table, config)) < 0)
		return r;
	if ((r = tree_parse(config->text, &config->tree, problems)) < 0)
		return r;
	if (!(config->path = find_path(config->tree)))
		return -ENOMEM;
	if ((r = read_options(config, problems)) < 0)
		return r;
	check_together(config, problems);
	return problems->n > before ? -EINVAL : 0;
}

/* Takes the text over, which ends in a newline. */
static int
load_owned(char *text, size_t len, struct config **ret, struct problems *problems)
{
	struct config *config = calloc(1, sizeof(*config));
	int r;

	if (!config) {
		free(text);
		problems_add(problems, NULL, 0, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	config->text = text;
	config->text_len = len;
	r = load(config, problems);
	if (r == -ENOMEM)
		problems_add(problems, NULL, 0, "%s", strerror(ENOMEM));
	if (r < 0)
		config_free(config);
	else
		*ret = config;
	return r;
}

int
config_load_text(const char *text, size_t len, struct config **ret, struct problems *problems)
{
	const bool is_open = len > 0 && text[len - 1] != '\n';
	char *copy;

	if (len > CONFIG_TEXT_MAX || memchr(text, '\0', len)) {
		problems_add(problems, "-", 0, "%s",
			len > CONFIG_TEXT_MAX ? "too large" : "not a text file: NUL byte");
		return -EINVAL;
	}
	copy = text_format("%.*s%s", (int)len, text, is_open ? "\n" : "");
	if (!copy) {
		problems_add(problems, NULL, 0, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	return load_owned(copy, len + is_open, ret, problems);
}

int
config_look_at_file(const char *path, struct config **ret, struct problems *problems)
{
	size_t len;
	char *text;
	int r = source_read(path, &text, &len, problems);

	return r < 0 ? r : load_owned(text, len, ret, problems);
}

int
config_load_file(const char *path, struct config **ret, struct problems *problems)
{
	const size_t before = problems->n;
	struct config *config;
	int r = config_look_at_file(path, &config, problems);

	if (r < 0)
		return r;
	check_limits(config, problems);
	if (problems->n > before) {
		config_free(config);
		return -EINVAL;
	}
	*ret = config;
	return 0;
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	listen_free(config);
	option_free(&service_table, config);
	option_free(&table, config);
	tree_free(config->tree);
	free(config->text);
	free(config->path);
	free(config);
}

int
config_read_service(const struct config *config, const struct option_table *of_service, void *into,
	struct problems *problems)
{
	const config_setting_t *service = tree_find(config->tree, "service");
	const struct option_reading reading = { config->tree, problems, "service", "type", false };
	int r = option_defaults(of_service, into);

	return r == 0 && service ? option_read(&reading, service, of_service, into) : r;
}

bool
config_differs_on_disk(const struct config *config)
{
	struct problems problems;
	cleanup_free char *text = NULL;
	size_t len;
	bool same;

	problems_init(&problems);
	same = source_read(config->path, &text, &len, &problems) == 0 && len == config->text_len &&
	       memcmp(text, config->text, len) == 0;
	problems_done(&problems);
	return !same;
}
