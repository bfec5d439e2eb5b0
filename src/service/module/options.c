/*
 * Reading options for a module.
 */
#include "service/module/options.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define YEAR     (US_PER_SEC * 3600 * 24 * 365)
#define TEBIBYTE (UINT64_C(1) << 40)

static struct module_options *
options_of(const struct gracefuld_config *seen)
{
	return (struct module_options *)seen;
}

/* ---- which names there are ---- */

static void
know(struct module_options *options, const char *name)
{
	const struct option_table known = { options->known, options->n_known };
	struct option *more;
	char *copy;

	if (option_find(&known, name))
		return;
	more = reallocarray(options->known, options->n_known + 1, sizeof(*more));
	if (more)
		options->known = more;
	copy = more ? strdup(name) : NULL;
	if (copy) /* SPECIAL: it is known, and read elsewhere */
		more[options->n_known++] = (struct option){ .name = copy, .type = OPTION_SPECIAL };
	else
		options->out_of_memory = true;
}

void
module_options_check_unknown(struct module_options *options)
{
	struct option_table known;

	know(options, "path");
	known = (struct option_table){ options->known, options->n_known };
	if (options->out_of_memory ||
		config_read_service(options->config, &known, NULL, options->problems) < 0)
		config_add_problem(options->config, "service", options->problems, "out of memory");
}

/* ---- what is wrong ---- */

/* Where problems go during one call. */
struct report {
	struct problems *problems;
	struct problems own; /* those that are to be logged */
};

static void
report_begin(struct report *report, const struct module_options *options)
{
	problems_init(&report->own);
	report->problems = options->problems ? options->problems : &report->own;
}

static void
report_end(struct report *report, const struct module_options *options)
{
	for (size_t i = 0; i < problems_kept(&report->own); i++)
		log_error("%s: %s", options->speaker, report->own.text[i]);
	problems_done(&report->own);
}

/* A gracefuld_config function */
static void __attribute__((format(printf, 3, 4)))
option_problem(const struct gracefuld_config *seen, const char *name, const char *format, ...)
{
	struct module_options *options = options_of(seen);
	cleanup_free char *text = NULL, *full = text_format("service.%s", name);
	struct report report;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	report_begin(&report, options);
	config_add_problem(options->config, full ? full : "service", report.problems, "%s",
		text ? text : strerror(ENOMEM));
	report_end(&report, options);
}

/* ---- reading ---- */

/* The setting of this name, which is known from now on; NULL: it is not given. */
static const config_setting_t *
find_setting(struct module_options *options, const char *name)
{
	cleanup_free char *full = text_format("service.%s", name);

	know(options, name);
	if (!full)
		options->out_of_memory = true;
	return full ? tree_find(options->config->tree, full) : NULL;
}

/* Reads by a row as if it stood in an options table. 1, 0: not given, or negative errno. */
static int
read_option(const struct gracefuld_config *seen, const struct option *option, void *into)
{
	struct module_options *options = options_of(seen);
	const config_setting_t *setting = find_setting(options, option->name);
	struct option_reading reading = { .tree = options->config->tree, .prefix = "service" };
	struct report report;
	size_t before;
	int r;

	if (!setting)
		return 0;
	report_begin(&report, options);
	reading.problems = report.problems;
	before = report.problems->n;
	r = option_read_one(&reading, setting, option, into);
	if (r == 0)
		r = report.problems->n > before ? -EINVAL : 1;
	report_end(&report, options);
	return r;
}

/* A gracefuld_config function */
static int
option_string(const struct gracefuld_config *seen, const char *name, const char **ret)
{
	const struct option option = { .name = name, .type = OPTION_STRING };
	cleanup_free char *checked = NULL;
	int r = read_option(seen, &option, &checked);

	/* libconfig's own copy, which lives as long as the configuration */
	if (r > 0)
		*ret = config_setting_get_string(find_setting(options_of(seen), name));
	return r;
}

/* A gracefuld_config function */
static int
option_boolean(const struct gracefuld_config *seen, const char *name, bool *ret)
{
	return read_option(seen, &(struct option){ .name = name, .type = OPTION_BOOLEAN }, ret);
}

/* A gracefuld_config function */
static int
option_time(const struct gracefuld_config *seen, const char *name, uint64_t *ret_us)
{
	return read_option(seen, &(struct option){ .name = name, .type = OPTION_TIME, .max = YEAR }, ret_us);
}

/* A gracefuld_config function */
static int
option_bytes(const struct gracefuld_config *seen, const char *name, uint64_t *ret)
{
	return read_option(seen, &(struct option){ .name = name, .type = OPTION_SIZE, .max = TEBIBYTE }, ret);
}

/* What is wrong with the value that a setting has. Returns -EINVAL. */
static int
reject_value(
	const struct gracefuld_config *seen, const char *name, const struct value *value, const char *why)
{
	cleanup_free char *shown = value_format(value, true);

	option_problem(seen, name, "%s %s", shown ? shown : "it", why);
	return -EINVAL;
}

/* A gracefuld_config function. Options of ours are unsigned; a module's need not be. */
static int
option_integer(const struct gracefuld_config *seen, const char *name, int64_t min, int64_t max, int64_t *ret)
{
	const config_setting_t *setting = find_setting(options_of(seen), name);
	struct value value;
	char why[80]; /* two numbers of up to 20 digits, and words */

	if (!setting)
		return 0;
	value = value_of_setting(setting);
	if (value.type == VALUE_INTEGER && value.integer >= min && value.integer <= max) {
		*ret = value.integer;
		return 1;
	}
	snprintf(why, sizeof(why), "is %s (%" PRId64 " to %" PRId64 ")",
		value.type == VALUE_INTEGER ? "out of range" : "no whole number", min, max);
	return reject_value(seen, name, &value, why);
}

/* A gracefuld_config function */
static int
option_real(const struct gracefuld_config *seen, const char *name, double *ret)
{
	const config_setting_t *setting = find_setting(options_of(seen), name);
	struct value value;

	if (!setting)
		return 0;
	value = value_of_setting(setting);
	if (value.type != VALUE_REAL && value.type != VALUE_INTEGER)
		return reject_value(seen, name, &value, "is no number");
	*ret = value.type == VALUE_REAL ? value.real : (double)value.integer;
	return 1;
}

char *
module_options_path(const struct config *config, struct problems *problems)
{
	static const struct option path = { .name = "path", .type = OPTION_STRING };
	const struct option_reading reading = {
		.tree = config->tree, .problems = problems, .prefix = "service"
	};
	const config_setting_t *setting = tree_find(config->tree, "service.path");
	char *ret = NULL;

	if (!setting)
		config_add_problem(config, "service", problems, "path is missing");
	else if (option_read_one(&reading, setting, &path, &ret) < 0)
		config_add_problem(config, "service", problems, "out of memory");
	return ret;
}

/* ---- life ---- */

void
module_options_init(struct module_options *options, const struct config *config, const char *speaker,
	struct problems *problems)
{
	*options = (struct module_options){
		.seen = {
			.size = sizeof(options->seen),
			.string = option_string,
			.integer = option_integer,
			.real = option_real,
			.boolean = option_boolean,
			.time = option_time,
			.bytes = option_bytes,
			.problem = option_problem,
		},
		.config = config,
		.speaker = speaker,
		.problems = problems,
	};
}

void
module_options_done(struct module_options *options)
{
	for (size_t i = 0; i < options->n_known; i++)
		free((char *)options->known[i].name);
	free(options->known);
}
