/*
 * The stream of events: one JSON object a line.
 */
#include "ctl/events.h"

#include "base/cleanup.h"
#include "ctl/api.h"
#include "ctl/line.h"

#include <string.h>

void
events_init(struct events *events, struct client *client, events_fn *on_event, void *arg)
{
	*events = (struct events){ .client = client, .on_event = on_event, .arg = arg };
}

void
events_done(struct events *events)
{
	free(events->line);
	*events = (struct events){ 0 };
}

static int
end_line(struct events *events)
{
	cleanup_json json_t *event = NULL;
	int r = 0;

	if (events->len > 0) /* an empty line is a sign of life */
		r = api_parse(events->client, events->line, events->len, &event);
	events->len = 0;
	return r == 0 && event ? events->on_event(event, events->arg) : r;
}

static int
add_to_line(struct events *events, const char *data, size_t len)
{
	if (len > EVENTS_LINE_MAX - events->len)
		return client_set_error(events->client, -EPROTO,
			"what answers at %s makes no sense: a line has no end",
			client_socket(events->client));
	if (!events->line && !(events->line = malloc(EVENTS_LINE_MAX)))
		return client_set_error(events->client, -ENOMEM, "out of memory");
	memcpy(events->line + events->len, data, len);
	events->len += len;
	return 0;
}

int
events_feed(const char *data, size_t len, void *arg)
{
	struct events *events = arg;
	int r = 0;

	while (len > 0 && r == 0) {
		const char *end = memchr(data, '\n', len);
		const size_t part = end ? (size_t)(end - data) : len;

		r = add_to_line(events, data, part);
		if (r == 0 && end)
			r = end_line(events);
		data += part + (end ? 1 : 0);
		len -= part + (end ? 1 : 0);
	}
	return r;
}

/* ---- the command ---- */

struct printing {
	const struct ctl *ctl;
	bool is_json;
};

static enum style
style_of_level(const char *level)
{
	if (strcmp(level, "error") == 0)
		return STYLE_BAD;
	return strcmp(level, "warning") == 0 ? STYLE_BUSY : STYLE_PLAIN;
}

/* For a person: when, and the line of the log. Not cut: this goes on paper, so to speak. */
static void
print_for_person(const struct ctl *ctl, const json_t *event)
{
	struct line line;

	line_init(&line, &ctl->out);
	line_add(&line, STYLE_DIM, "%s ", api_string(event, "time", "?"));
	line_add(&line, style_of_level(api_string(event, "level", "")), "%s",
		api_string(event, "text", api_string(event, "event", "?")));
	line_print(&line, stdout, 0);
	putchar('\n');
}

/* An events_fn. -ECANCELED when nobody takes the output. */
static int
print_event(const json_t *event, void *arg)
{
	const struct printing *printing = arg;

	if (!printing->is_json)
		print_for_person(printing->ctl, event);
	else if (api_print(event, JSON_COMPACT, stdout) < 0)
		return client_set_error(printing->ctl->client, -ENOMEM, "out of memory");
	return fflush(stdout) == 0 ? 0 : -ECANCELED;
}

/* Follows the stream to its end; there is none but by an error. */
static int
follow(const struct ctl *ctl, struct printing *printing)
{
	struct events events;
	const struct client_request request = {
		.path = "/v1/events", .on_data = events_feed, .arg = &events
	};
	struct client_call *call = NULL;
	struct client_answer answer;
	int r;

	events_init(&events, ctl->client, print_event, printing);
	r = client_start(ctl->client, &request, &call);
	if (r == 0)
		r = client_finish(call, &answer);
	if (r == 0)
		r = api_check(ctl->client, &answer);
	if (r == 0)
		r = client_set_error(ctl->client, -ECONNRESET, "the daemon at %s has ended the stream",
			client_socket(ctl->client));
	client_call_free(call);
	events_done(&events);
	return r;
}

int
events_run(struct ctl *ctl, int argc, char **argv)
{
	struct printing printing = { ctl, !ctl->out.is_terminal };
	const struct ctl_option options[] = { { "json", &printing.is_json, NULL } };
	const struct ctl_syntax syntax = { options, ARRAY_LEN(options), 0, 0 };
	int r;

	if ((r = ctl_parse(ctl, argc, argv, &syntax)) != CTL_GO_ON)
		return r;
	r = follow(ctl, &printing);
	return r == -ECANCELED ? CTL_OK : ctl_fail(ctl, r); /* main says what is wrong with the output */
}
