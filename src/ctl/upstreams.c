/*
 * gracefulctl upstreams, upstream drain, upstream enable.
 */
#include "ctl/upstreams.h"

#include "base/cleanup.h"
#include "ctl/api.h"
#include "ctl/table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_CONNECTIONS,
	COLUMN_ACCEPTED,
	COLUMN_FAILURES,
	COLUMN_RECEIVED,
	COLUMN_SENT
};

static const struct table_column columns[] = {
	[COLUMN_NAME] = { "UPSTREAM", false, 9 },
	[COLUMN_STATE] = { "STATE", false, 8 },
	[COLUMN_CONNECTIONS] = { "CONNS", true, 7 },
	[COLUMN_ACCEPTED] = { "ACCEPTED", true, 5 },
	[COLUMN_FAILURES] = { "FAILURES", true, 6 },
	[COLUMN_RECEIVED] = { "RECEIVED", true, 4 },
	[COLUMN_SENT] = { "SENT", true, 3 },
};

static enum style
style_of(const char *state)
{
	if (strcmp(state, "up") == 0)
		return STYLE_GOOD;
	return strcmp(state, "down") == 0 ? STYLE_BAD : STYLE_BUSY;
}

static void
set_count(struct table *table, size_t column, const json_t *upstream, const char *name)
{
	table_set(table, column, STYLE_PLAIN, "%" PRIu64, api_count(upstream, name));
}

static void
add_row(struct table *table, const json_t *upstream)
{
	const char *state = api_string(upstream, "state", "");
	uint64_t workers = api_count(upstream, "workers"), down = api_count(upstream, "workers_down");

	if (table_add_row(table) < 0)
		return;
	table_set(table, COLUMN_NAME, STYLE_PLAIN, "%s", api_string(upstream, "name", ""));
	if (down > 0 && down < workers)
		table_set(table, COLUMN_STATE, STYLE_BUSY, "%s, down for %" PRIu64 " of %" PRIu64, state,
			down, workers);
	else
		table_set(table, COLUMN_STATE, style_of(state), "%s", state);
	set_count(table, COLUMN_CONNECTIONS, upstream, "connections");
	set_count(table, COLUMN_ACCEPTED, upstream, "accepted");
	set_count(table, COLUMN_FAILURES, upstream, "failures");
	set_count(table, COLUMN_RECEIVED, upstream, "received_bytes");
	set_count(table, COLUMN_SENT, upstream, "sent_bytes");
}

int
upstreams_run(struct ctl *ctl, int argc, char **argv)
{
	bool is_json = false;
	const struct ctl_option options[] = { { "json", &is_json, NULL } };
	const struct ctl_syntax syntax = { options, ARRAY_LEN(options), 0, 0 };
	cleanup_json json_t *answer = NULL;
	const json_t *list;
	struct table *table;
	int r;

	if ((r = ctl_parse(ctl, argc, argv, &syntax)) != CTL_GO_ON)
		return r;
	r = api_get(ctl->client, "/v1/upstreams", &answer);
	if (r < 0)
		return ctl_fail(ctl, r);
	if (is_json)
		return api_print(answer, JSON_INDENT(2), stdout) < 0 ? ctl_no_memory() : CTL_OK;
	list = json_object_get(answer, "upstreams");
	table = table_new(columns, ARRAY_LEN(columns));
	if (!table)
		return ctl_no_memory();
	for (size_t i = 0; i < json_array_size(list); i++)
		add_row(table, json_array_get(list, i));
	table_print(table, &ctl->out, stdout);
	table_free(table);
	return CTL_OK;
}

/* Asks for it. 0, or negative errno with client_error. */
static int
ask(struct ctl *ctl, const char *path, const char *name)
{
	cleanup_json json_t *body = json_pack("{s:s}", "name", name);
	cleanup_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct client_request request = { .path = path, .body = text, .timeout_us = API_TIMEOUT_US };
	struct client_call *call = NULL;
	struct client_answer answer;
	int r;

	if (!text)
		return -ENOMEM;
	r = client_start(ctl->client, &request, &call);
	if (r == 0)
		r = client_finish(call, &answer);
	if (r == 0)
		r = api_check(ctl->client, &answer);
	client_call_free(call);
	return r;
}

int
upstreams_change(struct ctl *ctl, int argc, char **argv)
{
	const char *verb, *name;
	bool drain;
	int r;

	if ((r = ctl_parse(ctl, argc, argv, &(struct ctl_syntax){ .min = 2, .max = 2 })) != CTL_GO_ON)
		return r;
	verb = ctl->argument[0];
	name = ctl->argument[1];
	drain = strcmp(verb, "drain") == 0;
	if (!drain && strcmp(verb, "enable") != 0)
		return ctl_usage(ctl, "\"drain\" or \"enable\", not \"%s\"", verb);
	r = ask(ctl, drain ? "/v1/upstreams/drain" : "/v1/upstreams/enable", name);
	if (r == -ENOMEM)
		return ctl_no_memory();
	if (r < 0)
		return ctl_fail(ctl, r);
	printf("%s %s\n", name, drain ? "gets no new connections" : "gets connections again");
	return CTL_OK;
}
