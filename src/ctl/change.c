/*
 * The commands that change something. All but stop end with a verdict, which is the exit status too.
 */
#include "ctl/change.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "config/duration.h"
#include "ctl/api.h"
#include "ctl/following.h"
#include "ctl/shown.h"
#include "ctl/verdict.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#define DRAW_US        (1 * US_PER_SEC) /* how often time goes on in what is shown */
#define GRACE_US       (5 * US_PER_SEC) /* the daemon itself says "timeout"; one that does not has so much more */
#define TIMEOUT_MAX_US (365 * 24 * 3600 * US_PER_SEC)

/* One wish. */
struct change {
	const char *what; /* "reload", "scale to 4": what a person calls it */
	bool has_number;  /* ... together with the number that the daemon gives it */
	const char *path;
	const char *body;
	uint64_t timeout_us; /* 0: none */
	bool is_followed;    /* by showing the roll */
};

/* Turns until the answer is there. */
static int
wait_answer(struct client *client, struct following *f, struct client_call *call, struct client_answer *ret)
{
	while (client_call_state(call) != CLIENT_ENDED) {
		int r = client_turn(client, DRAW_US);

		if (r < 0)
			return r;
		if (client_call_state(call) != CLIENT_ENDED)
			following_turned(f);
	}
	return client_call_result(call, ret);
}

/* ---- the verdict ---- */

/* What was wrong, line by line as an editor likes it. */
static void
print_problems(const json_t *problems)
{
	for (size_t i = 0; i < json_array_size(problems); i++) {
		const char *text = json_string_value(json_array_get(problems, i));
		cleanup_free char *shown = text ? shown_text(text) : NULL;

		if (shown)
			fprintf(stderr, "%s\n", shown);
	}
}

static void
print_changes(const struct ctl *ctl, const json_t *changes)
{
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const char *text = json_string_value(json_array_get(changes, i));
		struct line line;

		line_init(&line, &ctl->out);
		line_add(&line, STYLE_PLAIN, "%s", text ? text : "?");
		line_print(&line, stdout, 0);
		putchar('\n');
	}
}

static void
begin_line(
	struct line *line, const struct terminal *terminal, const struct change *change, const json_t *answer)
{
	line_init(line, terminal);
	line_add(line, STYLE_PLAIN, "%s", change->what);
	if (change->has_number && api_count(answer, "id") > 0)
		line_add(line, STYLE_PLAIN, " %" PRIu64, api_count(answer, "id"));
	line_add(line, STYLE_PLAIN, ": ");
}

/* The last line, on standard error when it is no success. Never cut. */
static void
print_verdict(const struct change *change, const json_t *answer, const struct verdict *verdict)
{
	FILE *out = verdict->exit_status == CTL_OK ? stdout : stderr;
	struct terminal terminal;
	struct line line;

	fflush(stdout);
	terminal_look(&terminal, fileno(out));
	begin_line(&line, &terminal, change, answer);
	verdict_say(&line, answer, true);
	line_print(&line, out, 0);
	fputc('\n', out);
}

/* An answer without a verdict: the wish was taken, or it was refused. Returns the exit status. */
static int
report_other(const struct ctl *ctl, const struct change *change, const struct client_answer *answer,
	const json_t *json)
{
	int r = api_check(ctl->client, answer);
	struct line line;

	if (r == -EINVAL) {
		ctl_complain("%s: %s", change->what, client_error(ctl->client));
		return CTL_REJECTED;
	}
	if (r == 0 && answer->status != 202)
		r = client_set_error(ctl->client, -EPROTO,
			"the daemon gives no verdict that is known here: \"%s\"",
			api_string(json, "verdict", ""));
	if (r < 0)
		return ctl_fail(ctl, r);
	begin_line(&line, &ctl->out, change, json);
	line_add(&line, STYLE_PLAIN, "begun");
	line_print(&line, stdout, 0);
	putchar('\n');
	return CTL_OK;
}

/* Returns the exit status. */
static int
report_answer(const struct ctl *ctl, const struct change *change, const struct client_answer *answer,
	const json_t *json)
{
	const struct verdict *verdict = verdict_find(api_string(json, "verdict", NULL));

	if (!verdict)
		return report_other(ctl, change, answer, json);
	print_changes(ctl, json_object_get(json, "changes"));
	print_problems(json_object_get(json, "problems"));
	print_verdict(change, json, verdict);
	return verdict->exit_status;
}

static int
fail(const struct ctl *ctl, const struct change *change, int error)
{
	char text[DURATION_TEXT_MAX];

	if (error != -ETIMEDOUT || change->timeout_us == 0)
		return ctl_fail(ctl, error);
	ctl_complain("%s: timeout: the daemon has said nothing in %s; it may go on", change->what,
		duration_format(change->timeout_us, text));
	return CTL_TIMEOUT;
}

/* Posts the wish and reports what comes of it. Returns the exit status. */
static int
run(const struct ctl *ctl, const struct change *change)
{
	const struct client_request request = {
		.path = change->path,
		.body = change->body,
		.timeout_us = change->timeout_us ? change->timeout_us + GRACE_US : 0,
	};
	struct following following = { 0 };
	struct client_call *call = NULL;
	struct client_answer answer;
	cleanup_json json_t *json = NULL;
	int r;

	if (change->is_followed)
		following_init(&following, ctl->client, &ctl->out);
	r = client_start(ctl->client, &request, &call);
	if (r == 0)
		r = wait_answer(ctl->client, &following, call, &answer);
	if (r == 0 && (r = api_parse(ctl->client, answer.body, answer.len, &json)) < 0 &&
		answer.status >= 300)
		r = 0; /* a refusal may be in plain words */
	following_end(&following, r == 0 ? api_count(json, "id") : 0);
	r = r == 0 ? report_answer(ctl, change, &answer, json) : fail(ctl, change, r);
	client_call_free(call);
	return r;
}

/* ---- the commands ---- */

/* "90", "0.5" (seconds) or "1.5m". 0 with *ret_us, or negative errno. */
static int
parse_timeout(const char *text, uint64_t *ret_us)
{
	cleanup_free char *seconds = text_format("%ss", text);
	uint64_t us;
	int r = duration_parse(text, &us);

	if (r == -EINVAL)
		r = seconds ? duration_parse(seconds, &us) : -ENOMEM;
	if (r < 0)
		return r;
	if (us == 0 || us > TIMEOUT_MAX_US)
		return -ERANGE;
	*ret_us = us;
	return 0;
}

static char *
reload_body(const char *wait, uint64_t timeout_us, bool if_changed)
{
	cleanup_json json_t *timeout = json_null(), *body;

	if (timeout_us > 0)
		timeout = timeout_us % US_PER_SEC == 0 ? json_integer((json_int_t)(timeout_us / US_PER_SEC))
		                                       : json_real((double)timeout_us / (double)US_PER_SEC);
	body = json_pack("{s:s, s:O, s:b}", "wait", wait, "timeout_s", timeout, "if_changed", if_changed);
	return body ? json_dumps(body, 0) : NULL;
}

int
change_reload(struct ctl *ctl, int argc, char **argv)
{
	const char *wait = "drained", *timeout = NULL;
	bool if_changed = false;
	const struct ctl_option options[] = {
		{ "wait", NULL, &wait },
		{ "timeout", NULL, &timeout },
		{ "if-changed", &if_changed, NULL },
	};
	const struct ctl_syntax syntax = { options, ARRAY_LEN(options), 0, 0 };
	struct change change = { .what = "reload", .has_number = true, .path = "/v1/reload" };
	cleanup_free char *body = NULL;
	int status;

	if ((status = ctl_parse(ctl, argc, argv, &syntax)) != CTL_GO_ON)
		return status;
	if (strcmp(wait, "drained") != 0 && strcmp(wait, "ready") != 0 && strcmp(wait, "no") != 0)
		return ctl_usage(ctl, "--wait is \"drained\", \"ready\" or \"no\", not \"%s\"", wait);
	if (timeout && parse_timeout(timeout, &change.timeout_us) < 0)
		return ctl_usage(
			ctl, "--timeout is a time of up to a year, as 90 or \"1.5m\", not \"%s\"", timeout);
	change.body = body = reload_body(wait, change.timeout_us, if_changed);
	change.is_followed = ctl->out.can_move && strcmp(wait, "no") != 0;
	return body ? run(ctl, &change) : ctl_no_memory();
}

int
change_scale(struct ctl *ctl, int argc, char **argv)
{
	cleanup_free char *what = NULL, *body = NULL;
	uint64_t workers;
	int status;

	if ((status = ctl_parse(ctl, argc, argv, &(struct ctl_syntax){ .min = 1, .max = 1 })) != CTL_GO_ON)
		return status;
	if (text_parse_u64(ctl->argument[0], &workers) < 0 || workers < 1 || workers > CONFIG_WORKERS_MAX)
		return ctl_usage(ctl, "N is a number of workers from 1 to %d, not \"%s\"", CONFIG_WORKERS_MAX,
			ctl->argument[0]);
	what = text_format("scale to %" PRIu64, workers);
	body = text_format("{\"workers\": %" PRIu64 "}", workers);
	if (!what || !body)
		return ctl_no_memory();
	return run(ctl,
		&(struct change){
			.what = what, .path = "/v1/scale", .body = body, .is_followed = ctl->out.can_move });
}

int
change_restart(struct ctl *ctl, int argc, char **argv)
{
	cleanup_free char *what = NULL, *path = NULL;
	uint64_t slot;
	int status;

	if ((status = ctl_parse(ctl, argc, argv, &(struct ctl_syntax){ .min = 1, .max = 1 })) != CTL_GO_ON)
		return status;
	if (text_parse_u64(ctl->argument[0], &slot) < 0)
		return ctl_usage(ctl, "SLOT is a number as \"gracefulctl status\" shows it, not \"%s\"",
			ctl->argument[0]);
	what = text_format("restart of slot %" PRIu64, slot);
	path = text_format("/v1/workers/%" PRIu64 "/restart", slot);
	if (!what || !path)
		return ctl_no_memory();
	return run(ctl, &(struct change){
				.what = what, .path = path, .body = "{}", .is_followed = ctl->out.can_move });
}

int
change_stop(struct ctl *ctl, int argc, char **argv)
{
	bool now = false;
	const struct ctl_option options[] = { { "now", &now, NULL } };
	const struct ctl_syntax syntax = { options, ARRAY_LEN(options), 0, 0 };
	struct client_request request = { .path = "/v1/stop", .timeout_us = API_TIMEOUT_US };
	struct client_call *call = NULL;
	struct client_answer answer;
	int r;

	if ((r = ctl_parse(ctl, argc, argv, &syntax)) != CTL_GO_ON)
		return r;
	request.body = now ? "{\"now\": true}" : "{\"now\": false}";
	r = client_start(ctl->client, &request, &call);
	if (r == 0)
		r = client_finish(call, &answer);
	if (r == 0)
		r = api_check(ctl->client, &answer);
	client_call_free(call);
	if (r < 0)
		return ctl_fail(ctl, r);
	puts(now ? "the daemon stops at once" : "the daemon stops, when its workers have drained");
	return CTL_OK;
}
