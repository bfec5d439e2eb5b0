/*
 * The status for a person.
 */
#include "ctl/status_view.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/api.h"
#include "ctl/human.h"
#include "ctl/line.h"
#include "ctl/shown.h"
#include "ctl/table.h"
#include "ctl/verdict.h"

#include <inttypes.h>
#include <string.h>

#define LABEL_COLUMNS 13 /* the longest label is "last reload" */

struct view {
	const struct terminal *terminal;
	FILE *out;
};

/* ---- the daemon ---- */

static enum style
style_of_state(const char *state)
{
	static const struct {
		const char *state;
		enum style style;
	} styles[] = {
		{ "ready", STYLE_GOOD },
		{ "running", STYLE_GOOD },
		{ "starting", STYLE_BUSY },
		{ "draining", STYLE_BUSY },
		{ "reloading", STYLE_BUSY },
		{ "stopping", STYLE_BUSY },
		{ "waiting", STYLE_BAD },
		{ "killing", STYLE_BAD },
	};

	for (size_t i = 0; i < ARRAY_LEN(styles); i++)
		if (strcmp(styles[i].state, state) == 0)
			return styles[i].style;
	return STYLE_PLAIN;
}

static void
begin_line(struct line *line, const struct view *view, const char *label)
{
	line_init(line, view->terminal);
	line_add(line, STYLE_DIM, "%s", label);
	line_pad(line, LABEL_COLUMNS);
}

/* Adds ", up 3m12s", if it is known. */
static void
add_duration(struct line *line, const char *before, uint64_t us, const char *behind)
{
	char text[HUMAN_DURATION_MAX];

	if (us != UINT64_MAX)
		line_add(line, STYLE_PLAIN, "%s%s%s", before, human_duration(us, text), behind);
}

/* The same for a point in time: ", loaded 3m12s ago". */
static void
add_age(struct line *line, const char *before, const char *time)
{
	uint64_t us;

	if (human_age(time, &us) < 0)
		return;
	if (us < US_PER_SEC)
		line_add(line, STYLE_PLAIN, "%sjust now", before);
	else
		add_duration(line, before, us, " ago");
}

static void
print_daemon(const struct view *view, const json_t *status)
{
	const char *state = api_string(status, "state", "?");
	struct line line;

	line_init(&line, view->terminal);
	line_add(&line, STYLE_BOLD, "gracefuld %s", api_string(status, "version", "?"));
	line_add(&line, STYLE_PLAIN, ": ");
	line_add(&line, style_of_state(state), "%s", state);
	line_add(&line, STYLE_PLAIN, ", generation %" PRIu64, api_count(status, "generation"));
	add_duration(&line, ", up ", api_duration_us(status, "uptime_s", US_PER_SEC), "");
	line_add(&line, STYLE_PLAIN, ", pid %" PRIu64, api_count(status, "pid"));
	line_end(&line, view->out);
}

static void
print_config(const struct view *view, const json_t *config)
{
	struct line line;

	if (!json_is_object(config))
		return;
	begin_line(&line, view, "config");
	line_add(&line, STYLE_PLAIN, "%s", api_string(config, "path", "?"));
	if (json_is_true(json_object_get(config, "differs_on_disk")))
		line_add(&line, STYLE_BUSY, " (differs on disk: see \"gracefulctl diff\")");
	add_age(&line, ", loaded ", api_string(config, "loaded_at", ""));
	line_end(&line, view->out);
}

static void
print_service(const struct view *view, const char *service)
{
	struct line line;

	if (!service)
		return;
	begin_line(&line, view, "service");
	line_add(&line, STYLE_PLAIN, "%s", service);
	line_end(&line, view->out);
}

/* "[::]:11111 (4 sockets, 1 parked)", "127.0.0.1:11111 (4 sockets, covered by another address)" */
static char *
listener_text(const json_t *listener)
{
	const uint64_t sockets = api_count(listener, "sockets"), parked = api_count(listener, "parked");
	const bool covered = json_is_true(json_object_get(listener, "covered"));
	const char *address = api_string(listener, "address", "?");
	cleanup_free char *text = NULL;
	char parks[48] = "";
	int n;

	if (parked > 0)
		snprintf(parks, sizeof(parks), ", %" PRIu64 " parked", parked);
	if (sockets > 1 || covered)
		n = asprintf(&text, "%s (%" PRIu64 " socket%s%s%s)", address, sockets,
			sockets == 1 ? "" : "s", parks, covered ? ", covered by another address" : "");
	else
		n = asprintf(&text, "%s", address);
	if (n < 0)
		text = NULL;
	return text ? shown_text(text) : NULL;
}

/* As many on a line as it has room for. */
static void
print_listeners(const struct view *view, const json_t *listeners)
{
	const size_t room = view->terminal->columns ? view->terminal->columns : SIZE_MAX;
	struct line line;

	if (!json_is_array(listeners))
		return;
	begin_line(&line, view, "listening");
	for (size_t i = 0; i < json_array_size(listeners); i++) {
		cleanup_free char *text = listener_text(json_array_get(listeners, i));
		const char *shown = text ? text : "?";

		if (i > 0) {
			line_add(&line, STYLE_PLAIN, ",");
			if (line.width + strlen(" ") + shown_width(shown) + strlen(",") > room) {
				line_end(&line, view->out);
				begin_line(&line, view, "");
			} else {
				line_add(&line, STYLE_PLAIN, " ");
			}
		}
		line_add(&line, STYLE_PLAIN, "%s", shown);
	}
	line_add(&line, STYLE_PLAIN, "%s", json_array_size(listeners) == 0 ? "nothing" : "");
	line_end(&line, view->out);
}

static void
print_last_reload(const struct view *view, const json_t *outcome)
{
	struct line line;

	if (!json_is_object(outcome))
		return;
	begin_line(&line, view, "last reload");
	verdict_say(&line, outcome, false);
	add_age(&line, "; ", api_string(outcome, "started_at", ""));
	line_end(&line, view->out);
}

static void
print_roll(const struct view *view, const json_t *roll)
{
	const char *direction = api_string(roll, "direction", "?"), *why = api_string(roll, "why", "");
	struct line line;

	if (!json_is_object(roll))
		return;
	begin_line(&line, view, "roll");
	line_add(&line, strcmp(direction, "revert") == 0 ? STYLE_BAD : STYLE_BUSY, "%s", direction);
	line_add(&line, STYLE_PLAIN, ", generation %" PRIu64 ": %" PRIu64 " of %" PRIu64 " workers",
		api_count(roll, "target"), api_count(roll, "settled"), api_count(roll, "workers"));
	if (*why)
		line_add(&line, STYLE_PLAIN, "; %s", why);
	line_end(&line, view->out);
}

/* ---- the workers ---- */

enum column {
	COLUMN_SLOT,
	COLUMN_PID,
	COLUMN_GENERATION,
	COLUMN_STATE,
	COLUMN_ROLE,
	COLUMN_UP,
	COLUMN_CONNECTIONS,
	COLUMN_ACCEPTED,
	COLUMN_REQUESTS,
	COLUMN_IN,
	COLUMN_OUT,
	COLUMN_RESTARTS,
	COLUMN_NOTE,
	COLUMNS
};

static const struct table_column columns[COLUMNS] = {
	[COLUMN_SLOT] = { "SLOT", true, 100 },
	[COLUMN_PID] = { "PID", true, 75 },
	[COLUMN_GENERATION] = { "GEN", true, 80 },
	[COLUMN_STATE] = { "STATE", false, 95 },
	[COLUMN_ROLE] = { "ROLE", false, 30 },
	[COLUMN_UP] = { "UP", true, 70 },
	[COLUMN_CONNECTIONS] = { "CONNS", true, 90 },
	[COLUMN_ACCEPTED] = { "ACCEPTED", true, 40 },
	[COLUMN_REQUESTS] = { "REQUESTS", true, 60 },
	[COLUMN_IN] = { "IN", true, 20 },
	[COLUMN_OUT] = { "OUT", true, 20 },
	[COLUMN_RESTARTS] = { "RESTARTS", true, 50 },
	[COLUMN_NOTE] = { "NOTE", false, 65 },
};

/* Those that are a number there and here. */
static const struct {
	enum column column;
	const char *name;
} counts[] = {
	{ COLUMN_SLOT, "slot" },
	{ COLUMN_PID, "pid" },
	{ COLUMN_GENERATION, "generation" },
	{ COLUMN_CONNECTIONS, "connections" },
	{ COLUMN_ACCEPTED, "accepted" },
	{ COLUMN_REQUESTS, "requests" },
	{ COLUMN_IN, "handed_in" },
	{ COLUMN_OUT, "handed_out" },
	{ COLUMN_RESTARTS, "restarts" },
};

static int
set_count(struct table *table, enum column column, const json_t *value)
{
	if (!value)
		return 0;
	if (!json_is_integer(value))
		return table_set(table, column, STYLE_PLAIN, "-");
	return table_set(table, column, STYLE_PLAIN, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

/* What is to come, and what the worker says of itself. */
static int
set_note(struct table *table, const json_t *worker)
{
	const uint64_t since = api_duration_us(worker, "draining_since_s", US_PER_SEC);
	const uint64_t cut = api_duration_us(worker, "cut_in_s", US_PER_SEC);
	const uint64_t spawn = api_duration_us(worker, "spawn_in_s", US_PER_SEC);
	const char *status = api_string(worker, "status", "");
	char a[HUMAN_DURATION_MAX] = "", b[HUMAN_DURATION_MAX] = "";

	if (spawn != UINT64_MAX)
		return table_set(table, COLUMN_NOTE, STYLE_PLAIN, "starts in %s", human_duration(spawn, a));
	if (cut != UINT64_MAX)
		return table_set(table, COLUMN_NOTE, STYLE_PLAIN, "%s%s%scut in %s",
			since == UINT64_MAX ? "" : "since ",
			since == UINT64_MAX ? "" : human_duration(since, a), since == UINT64_MAX ? "" : ", ",
			human_duration(cut, b));
	return table_set(table, COLUMN_NOTE, STYLE_PLAIN, "%s", status);
}

static int
add_worker(struct table *table, const json_t *worker)
{
	const uint64_t up = api_duration_us(worker, "uptime_s", US_PER_SEC);
	const char *state = api_string(worker, "state", "?"), *role = api_string(worker, "role", "");
	char text[HUMAN_DURATION_MAX];
	int r = table_add_row(table);

	for (size_t i = 0; i < ARRAY_LEN(counts) && r == 0; i++)
		r = set_count(table, counts[i].column, json_object_get(worker, counts[i].name));
	if (r < 0 || (r = table_set(table, COLUMN_STATE, style_of_state(state), "%s", state)) < 0 ||
		(r = table_set(table, COLUMN_ROLE, STYLE_PLAIN, "%s", role)) < 0)
		return r;
	if (up != UINT64_MAX &&
		(r = table_set(table, COLUMN_UP, STYLE_PLAIN, "%s", human_duration(up, text))) < 0)
		return r;
	return set_note(table, worker);
}

static void
print_workers(const struct view *view, const json_t *workers)
{
	struct table *table = table_new(columns, COLUMNS);

	if (!table)
		return;
	for (size_t i = 0; i < json_array_size(workers); i++) {
		if (add_worker(table, json_array_get(workers, i)) < 0)
			break;
	}
	if (json_array_size(workers) > 0) {
		fputc('\n', view->out);
		table_print(table, view->terminal, view->out);
	}
	table_free(table);
}

void
status_view_print(const json_t *status, const struct terminal *terminal, FILE *out)
{
	const struct view view = { terminal, out };

	print_daemon(&view, status);
	print_config(&view, json_object_get(status, "config"));
	print_service(&view, api_string(status, "service", NULL));
	print_listeners(&view, json_object_get(status, "listeners"));
	print_roll(&view, json_object_get(status, "roll"));
	print_last_reload(&view, json_object_get(status, "last_reload"));
	print_workers(&view, json_object_get(status, "workers"));
}
