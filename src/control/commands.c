/*
 * What can be asked and ordered.
 */
#include "control/commands.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "control/json_reply.h"
#include "control/metrics.h"
#include "control/status.h"
#include "control/upstreams.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One request, as its command sees it. */
struct call {
	struct commands *commands;
	struct http_connection *connection;
	const struct http_request *request;
	const json_t *body; /* an object; NULL: none was sent */
	uint64_t number;    /* what stands for '#' in the path */
};

typedef void command_fn(const struct call *call);

/* ---- questions ---- */

static void
get_status(const struct call *call)
{
	const struct report report = master_report(call->commands->master);

	json_reply(call->connection, 200, status_json(&report));
}

static void
get_config(const struct call *call)
{
	const struct report report = master_report(call->commands->master);
	const struct generation *running = report.pool->running;

	if (!running) {
		json_reply_error(call->connection, 503, "nothing runs yet");
		return;
	}
	http_reply_text(call->connection, 200, HTTP_TEXT("text/plain; charset=utf-8"),
		(struct http_text){ running->config->text, running->config->text_len });
}

static void
get_upstreams(const struct call *call)
{
	const struct report report = master_report(call->commands->master);

	json_reply(call->connection, 200, upstreams_json(report.pool));
}

static void
get_events(const struct call *call)
{
	subscribers_add(&call->commands->subscribers, call->connection);
}

static void
get_metrics(const struct call *call)
{
	const struct report report = master_report(call->commands->master);
	enum metrics_format format = metrics_format(http_request_field(call->request, HTTP_TEXT("Accept")));
	size_t len = 0;
	cleanup_free char *text = metrics_text(format, &report, master_reload(call->commands->master), &len);

	if (!text) {
		json_reply_error(call->connection, 503, "out of memory");
		return;
	}
	http_reply_text(call->connection, 200, metrics_content_type(format), (struct http_text){ text, len });
}

static void
reply_health(const struct call *call, bool good)
{
	http_reply_text(call->connection, good ? 200 : 503, HTTP_TEXT("text/plain"),
		good ? HTTP_TEXT("ok\n") : HTTP_TEXT("not ready\n"));
}

/* Alive: somebody serves, be it only those who drain. */
static void
get_healthz(const struct call *call)
{
	const struct report report = master_report(call->commands->master);
	const struct pool_count count = pool_count(report.pool);

	reply_health(call, count.ready > 0 || (report.state == MASTER_STOPPING && count.leaving > 0));
}

/* To be sent new clients. */
static void
get_readyz(const struct call *call)
{
	const struct report report = master_report(call->commands->master);

	reply_health(call, (report.state == MASTER_RUNNING || report.state == MASTER_RELOADING) &&
				   pool_count(report.pool).ready > 0);
}

/* ---- orders ---- */

static void
ask(const struct call *call, const struct reload_request *wish)
{
	const char *wrong = waiter_ask(
		&call->commands->waiters, call->commands->master, call->connection, wish, call->body);

	if (wrong)
		json_reply_error(call->connection, 400, wrong);
}

static void
post_reload(const struct call *call)
{
	ask(call, &(struct reload_request){ .kind = RELOAD_FILE, .origin = "control socket" });
}

static void
post_scale(const struct call *call)
{
	const json_t *workers = json_object_get(call->body, "workers");
	json_int_t n = json_integer_value(workers);

	if (!json_is_integer(workers) || n < 1 || n > CONFIG_WORKERS_MAX) {
		json_reply_error(call->connection, 400, "\"workers\" must be a number from 1 to 1024");
		return;
	}
	ask(call, &(struct reload_request){
			  .kind = RELOAD_SCALE, .origin = "control socket", .workers = (unsigned)n });
}

static void
post_restart(const struct call *call)
{
	const struct report report = master_report(call->commands->master);

	if (!report.pool->running || call->number >= report.pool->running->config->workers) {
		json_reply_error(call->connection, 404, "there is no such slot");
		return;
	}
	ask(call,
		&(struct reload_request){
			.kind = RELOAD_RESTART, .origin = "control socket", .slot = (unsigned)call->number });
}

static void
drain_upstream(const struct call *call, bool is_drained)
{
	const char *name = json_string_value(json_object_get(call->body, "name"));

	if (!name)
		json_reply_error(call->connection, 400, "\"name\" must be the name of an upstream");
	else if (master_drain_upstream(call->commands->master, name, is_drained) < 0)
		json_reply_error(call->connection, 404, "there is no such upstream");
	else
		json_reply(call->connection, 200, json_pack("{s:b}", "drained", is_drained));
}

static void
post_upstream_drain(const struct call *call)
{
	drain_upstream(call, true);
}

static void
post_upstream_enable(const struct call *call)
{
	drain_upstream(call, false);
}

static void
post_stop(const struct call *call)
{
	json_reply(call->connection, 202, json_pack("{s:s}", "state", "stopping"));
	master_stop(
		call->commands->master, "control socket", json_is_true(json_object_get(call->body, "now")));
}

/* ---- the table ---- */

static const struct command {
	enum http_verb verb;
	const char *path; /* '#' stands for a number */
	bool changes;
	command_fn *run;
} table[] = {
	{ HTTP_VERB_GET, "/v1/status", false, get_status },
	{ HTTP_VERB_GET, "/v1/config", false, get_config },
	{ HTTP_VERB_GET, "/v1/upstreams", false, get_upstreams },
	{ HTTP_VERB_GET, "/v1/events", false, get_events },
	{ HTTP_VERB_GET, "/metrics", false, get_metrics },
	{ HTTP_VERB_GET, "/healthz", false, get_healthz },
	{ HTTP_VERB_GET, "/readyz", false, get_readyz },
	{ HTTP_VERB_POST, "/v1/reload", true, post_reload },
	{ HTTP_VERB_POST, "/v1/scale", true, post_scale },
	{ HTTP_VERB_POST, "/v1/workers/#/restart", true, post_restart },
	{ HTTP_VERB_POST, "/v1/upstreams/drain", true, post_upstream_drain },
	{ HTTP_VERB_POST, "/v1/upstreams/enable", true, post_upstream_enable },
	{ HTTP_VERB_POST, "/v1/stop", true, post_stop },
};

/* Is it that path? Reads the number that stands for '#'. */
static bool
matches(const char *pattern, struct http_text path, uint64_t *ret_number)
{
	const char *p = path.at, *end = path.at + path.len;
	char digits[8];
	size_t n;

	for (; *pattern; pattern++) {
		if (*pattern != '#') {
			if (p == end || *p++ != *pattern)
				return false;
			continue;
		}
		for (n = 0; p < end && *p >= '0' && *p <= '9' && n < sizeof(digits) - 1; n++)
			digits[n] = *p++;
		digits[n] = '\0';
		if (text_parse_u64(digits, ret_number) < 0)
			return false;
	}
	return p == end;
}

/* The command; or NULL, with the status to say so. */
static const struct command *
find_command(const struct http_request *request, uint64_t *ret_number, int *ret_status)
{
	enum http_verb verb = request->verb == HTTP_VERB_HEAD ? HTTP_VERB_GET : request->verb;

	*ret_status = 404;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (!matches(table[i].path, request->path, ret_number))
			continue;
		if (table[i].verb == verb)
			return &table[i];
		*ret_status = 405;
	}
	return NULL;
}

/* The body as an object. False: it is none. */
static bool
read_body(const struct http_request *request, json_t **ret)
{
	*ret = NULL;
	if (request->body.len == 0)
		return true;
	*ret = json_loadb(request->body.at, request->body.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*ret))
		return true;
	json_decref(*ret);
	return false;
}

static void
refuse(struct http_connection *connection, const struct command *command, const char *who)
{
	log_warning("control: %s may not ask for %s", who, command->path);
	json_reply_error(connection, 403, "only root, the daemon's user and control.group may change things");
}

void
commands_serve(struct commands *commands, struct http_connection *connection,
	const struct http_request *request, bool may_change, const char *who)
{
	struct call call = { .commands = commands, .connection = connection, .request = request };
	const struct command *command;
	json_t *body;
	int status;

	command = find_command(request, &call.number, &status);
	if (!command) {
		json_reply_error(connection, status, status == 404 ? "no such path" : "not with this method");
		return;
	}
	if (command->changes && !may_change) {
		refuse(connection, command, who);
		return;
	}
	if (!read_body(request, &body)) {
		json_reply_error(connection, 400, "the body is no JSON object");
		return;
	}
	call.body = body;
	command->run(&call);
	json_decref(body);
}
