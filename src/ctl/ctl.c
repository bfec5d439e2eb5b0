/*
 * How commands end: complaints, usage, and the exit status of an error.
 */
#include "ctl/ctl.h"

#include "base/cleanup.h"
#include "ctl/shown.h"

#include <stdarg.h>
#include <sysexits.h>

static void __attribute__((format(printf, 1, 0)))
complain_v(const char *fmt, va_list ap)
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

int
ctl_help(const struct ctl *ctl)
{
	print_usage(ctl, stdout);
	printf("\n  %s\n", ctl->command->help);
	return CTL_OK;
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
		{ EAGAIN, CTL_UNAVAILABLE },
		{ ECONNRESET, CTL_UNAVAILABLE },
		{ ETIMEDOUT, CTL_UNAVAILABLE },
		{ EACCES, EX_NOPERM },
		{ EPERM, EX_NOPERM },
		{ EPROTO, EX_PROTOCOL },
		{ EPROTOTYPE, EX_PROTOCOL },
		{ EMSGSIZE, EX_PROTOCOL },
	};

	ctl_complain("%s", client_error(ctl->client));
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].error == -error)
			return statuses[i].status;
	return EX_OSERR;
}
