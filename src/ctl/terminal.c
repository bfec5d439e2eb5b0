/*
 * What an output can show.
 */
#include "ctl/terminal.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MAX      10000 /* no terminal is wider; more is a mistake in the environment */
#define COLUMNS_FALLBACK 80    /* of a terminal that does not know its size, such as a serial line */
#define ROWS_FALLBACK    24

/* What the user has said, as ps(1) and systemctl(1) heed it; 0 for nothing. */
static unsigned
columns_by_environment(void)
{
	const char *said = getenv("COLUMNS");
	uint64_t columns;

	if (!said || text_parse_u64(said, &columns) < 0 || columns > COLUMNS_MAX)
		return 0;
	return (unsigned)columns;
}

void
terminal_measure(struct terminal *t, int fd)
{
	const unsigned said = columns_by_environment();
	struct winsize size = { 0 };

	t->columns = said;
	t->rows = 0;
	if (!t->is_terminal)
		return;
	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){ 0 };
	t->rows = size.ws_row > 0 ? size.ws_row : ROWS_FALLBACK;
	if (said == 0)
		t->columns = size.ws_col > 0 ? size.ws_col : COLUMNS_FALLBACK;
}

void
terminal_look(struct terminal *t, int fd)
{
	const char *type = getenv("TERM"), *no_color = getenv("NO_COLOR");

	*t = (struct terminal){ .is_terminal = isatty(fd) };
	t->can_move = t->is_terminal && type && *type && strcmp(type, "dumb") != 0;
	t->has_colour = t->can_move && !(no_color && *no_color);
	terminal_measure(t, fd);
}

const char *
terminal_begin(const struct terminal *t, enum style style)
{
	static const char *const sequences[] = {
		[STYLE_PLAIN] = "",
		[STYLE_BOLD] = "\033[1m",
		[STYLE_DIM] = "\033[2m",
		[STYLE_GOOD] = "\033[32m",
		[STYLE_BUSY] = "\033[33m",
		[STYLE_BAD] = "\033[31m",
	};

	return t->has_colour ? sequences[style] : "";
}

const char *
terminal_end(const struct terminal *t, enum style style)
{
	return t->has_colour && style != STYLE_PLAIN ? "\033[0m" : "";
}
