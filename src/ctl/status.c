/*
 * gracefulctl status: once, or again and again.
 */
#include "ctl/status.h"

#include "base/cleanup.h"
#include "ctl/api.h"
#include "ctl/line.h"
#include "ctl/status_view.h"

#include <poll.h>
#include <string.h>

#define WATCH_MS 1000

/* What memory does not suffice for is missing. */
static void
print_status(const struct ctl *ctl, const json_t *status, bool is_json, FILE *out)
{
	if (is_json)
		api_print(status, JSON_INDENT(2), out);
	else
		status_view_print(status, &ctl->out, out);
}

/* Draws a page over the last one, line by line and without clearing first, so that nothing flickers; what there are no rows for is left out. */
static void
draw_page(const struct terminal *terminal, const char *page)
{
	unsigned rows = terminal->rows;

	fputs(TERMINAL_HOME, stdout);
	while (*page && --rows > 0) {
		const size_t len = strcspn(page, "\n");

		fwrite(page, 1, len, stdout);
		fputs(TERMINAL_ERASE_REST "\n", stdout);
		page += len + (page[len] != '\0');
	}
	fputs(TERMINAL_ERASE_BELOW, stdout);
}

/* What is to be seen now: the status, or why there is none. 0 with *ret, to be freed; or -ENOMEM. */
static int
make_page(const struct ctl *ctl, bool is_json, char **ret)
{
	cleanup_json json_t *status = NULL;
	cleanup_free char *page = NULL;
	size_t len;
	FILE *out = open_memstream(&page, &len);
	int r;

	if (!out)
		return -ENOMEM;
	r = api_get(ctl->client, "/v1/status", &status);
	if (r == 0) {
		print_status(ctl, status, is_json, out);
	} else if (!is_json) {
		struct line line;

		line_init(&line, &ctl->out);
		line_add(&line, STYLE_BAD, "%s", client_error(ctl->client));
		line_end(&line, out);
	}
	if (fclose(out) != 0)
		return -ENOMEM;
	*ret = take_ptr(page);
	return 0;
}

/* Until it is interrupted, or nobody reads on; a daemon that goes and comes again ends nothing. */
static int
watch(struct ctl *ctl, bool is_json)
{
	const bool in_place = ctl->out.can_move && !is_json;

	if (in_place)
		fputs(TERMINAL_CLEAR, stdout);
	do {
		cleanup_free char *page = NULL;

		terminal_measure(&ctl->out, STDOUT_FILENO);
		if (make_page(ctl, is_json, &page) < 0)
			break;
		if (in_place)
			draw_page(&ctl->out, page);
		else
			printf("%s%s", page, is_json ? "" : "\n");
		if (fflush(stdout) != 0)
			break;
		poll(NULL, 0, WATCH_MS);
	} while (!ferror(stdout));
	return CTL_OK; /* main says what is wrong with the output */
}

int
status_run(struct ctl *ctl, int argc, char **argv)
{
	bool is_json = false, is_watch = false;
	const struct ctl_option options[] = {
		{ "json", &is_json, NULL },
		{ "watch", &is_watch, NULL },
	};
	const struct ctl_syntax syntax = { options, ARRAY_LEN(options), 0, 0 };
	cleanup_json json_t *status = NULL;
	int r;

	if ((r = ctl_parse(ctl, argc, argv, &syntax)) != CTL_GO_ON)
		return r;
	if (is_watch)
		return watch(ctl, is_json);
	r = api_get(ctl->client, "/v1/status", &status);
	if (r < 0)
		return ctl_fail(ctl, r);
	print_status(ctl, status, is_json, stdout);
	return CTL_OK;
}
