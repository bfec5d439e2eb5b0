/*
 * How commands end: complaints, usage, and the exit status of an error.
 */
#include "ctl/ctl.h"

#include "base/cleanup.h"
#include "ctl/shown.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

static void __attribute__((format(printf, 1, 0))) complain_v(const char *fmt, va_list ap)
{
	cleanup_free char *text = NULL, *shown = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	shown = text ? shown_text(text) : NULL;
	fprintf(stderr, "gracefulctl: %s\n", shown ? shown : "out of memory");
}

void
ctl_complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain_v(fmt, ap);
	va_end(ap);
}

static void
print_usage(const struct ctl *ctl, FILE *out)
{
	const struct ctl_command *command = ctl->command;

	fprintf(out, "usage: gracefulctl [-s SOCKET] %s%s%s\n", command->name, *command->arguments ? " " : "",
		command->arguments);
}

int
ctl_usage(const struct ctl *ctl, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain_v(fmt, ap);
	va_end(ap);
	print_usage(ctl, stderr);
	return EX_USAGE;
}

static void
take_option(const struct ctl_option *option, const char *value)
{
	if (option->is_set)
		*option->is_set = true;
	else
		*option->value = value;
}

/* CTL_GO_ON, or the exit status. */
static int
read_options(const struct ctl *ctl, int argc, char **argv, const struct ctl_syntax *syntax)
{
	struct option table[CTL_OPTIONS_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
	int c, index;

	assert(syntax->n_options <= CTL_OPTIONS_MAX);
	for (size_t i = 0; i < syntax->n_options; i++) {
		const struct ctl_option *option = &syntax->options[i];

		table[i + 1] = (struct option){ option->name,
			option->is_set ? no_argument : required_argument, NULL, 0 };
	}
	optind = 0; /* begins anew, with other arguments */
	while ((c = getopt_long(argc, argv, "h", table, &index)) >= 0) {
		if (c == 'h') {
			print_usage(ctl, stdout);
			printf("\n%s\n", ctl->command->help);
			return CTL_OK;
		}
		if (c != 0) {
			print_usage(ctl, stderr);
			return EX_USAGE;
		}
		if (index > 0)
			take_option(&syntax->options[index - 1], optarg);
	}
	return CTL_GO_ON;
}

int
ctl_parse(struct ctl *ctl, int argc, char **argv, const struct ctl_syntax *syntax)
{
	const int status = read_options(ctl, argc, argv, syntax);
	const int n = argc - optind;

	if (status != CTL_GO_ON)
		return status;
	if (n < syntax->min)
		return ctl_usage(ctl, "%s: an argument is missing", ctl->command->name);
	if (n > syntax->max)
		return ctl_usage(ctl, "%s: what is \"%s\"?", ctl->command->name, argv[optind + syntax->max]);
	ctl->argument = argv + optind;
	return CTL_GO_ON;
}

int
ctl_no_memory(void)
{
	ctl_complain("%s", strerror(ENOMEM));
	return EX_OSERR;
}

int
ctl_fail(const struct ctl *ctl, int error)
{
	static const struct {
		int error;
		int status;
	} statuses[] = {
		{ ENOENT, CTL_UNAVAILABLE },
		{ ENOTDIR, CTL_UNAVAILABLE },
		{ ECONNREFUSED, CTL_UNAVAILABLE },
		{ EPROTOTYPE, CTL_UNAVAILABLE },
		{ EAGAIN, CTL_UNAVAILABLE },
		{ ECONNRESET, CTL_UNAVAILABLE },
		{ ETIMEDOUT, CTL_UNAVAILABLE },
		{ EACCES, EX_NOPERM },
		{ EPERM, EX_NOPERM },
		{ EPROTO, EX_PROTOCOL },
		{ EINVAL, EX_PROTOCOL },
		{ EMSGSIZE, EX_PROTOCOL },
	};

	ctl_complain("%s", client_error(ctl->client));
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].error == -error)
			return statuses[i].status;
	return EX_OSERR;
}
