/*
 * A roll while it goes on: the daemon's events, shown by a progress.
 */
#include "ctl/following.h"

#include "base/clock.h"
#include "ctl/api.h"

#define EVENTS_OPEN_US \
	(2 * US_PER_SEC) /* the stream of events may take so long to begin: it is only for show */
#define EVENTS_END_US (US_PER_SEC / 4) /* ... and its last events so long after the verdict */

/* An events_fn. */
static int
on_event(const json_t *event, void *arg)
{
	struct following *f = arg;

	progress_event(f->progress, event);
	return 0;
}

static void
following_done(struct following *f)
{
	client_call_free(f->call);
	client_call_free(f->status);
	events_done(&f->events);
	progress_free(f->progress);
	*f = (struct following){ .client = f->client };
}

void
following_init(struct following *f, struct client *client, const struct terminal *terminal)
{
	const struct client_request request = {
		.path = "/v1/events", .on_data = events_feed, .arg = &f->events
	};
	const uint64_t deadline = clock_now_us() + EVENTS_OPEN_US;

	*f = (struct following){ .client = client, .progress = progress_new(terminal, stdout) };
	events_init(&f->events, client, on_event, f);
	if (!f->progress || client_start(client, &request, &f->call) < 0) {
		following_done(f);
		return;
	}
	while (client_call_state(f->call) == CLIENT_ASKING) {
		const uint64_t now = clock_now_us();

		if (now >= deadline || client_turn(client, deadline - now) < 0)
			break;
	}
	if (client_call_state(f->call) != CLIENT_OPEN)
		following_done(f);
}

void
following_end(struct following *f, uint64_t id)
{
	const uint64_t deadline = clock_now_us() + EVENTS_END_US;

	while (f->call && client_call_state(f->call) == CLIENT_OPEN && !progress_has_ended(f->progress, id)) {
		const uint64_t now = clock_now_us();

		if (now >= deadline || client_turn(f->client, deadline - now) < 0)
			break;
	}
	following_done(f);
}

/* A reload begins before the daemon knows how many workers the new configuration has; so that is asked once the workers change. */
static void
find_total(struct following *f)
{
	const struct client_request request = { .path = "/v1/status", .timeout_us = API_TIMEOUT_US };
	cleanup_json json_t *status = NULL;
	struct client_answer answer;

	if (!progress_wants_total(f->progress))
		return;
	if (!f->status) {
		client_start(f->client, &request, &f->status);
		return;
	}
	if (client_call_state(f->status) != CLIENT_ENDED || client_call_result(f->status, &answer) < 0)
		return;
	if (api_parse(f->client, answer.body, answer.len, &status) == 0)
		progress_set_total(f->progress, api_count(json_object_get(status, "roll"), "workers"));
}

void
following_turned(struct following *f)
{
	if (!f->call)
		return;
	if (client_call_state(f->call) == CLIENT_ENDED) {
		following_done(f); /* nothing new will be known */
		return;
	}
	find_total(f);
	progress_draw(f->progress);
}
