/*
 * One who waits for the verdict of a reload.
 *
 * Three ends are possible, in any order: the verdict, the deadline, the end of the connection. Whichever comes first takes the waiter
 * out of the other two and frees it.
 */
#include "control/waiter.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "control/json_reply.h"
#include "control/status.h"

#include <string.h>

#define TIMEOUT_MAX_S (365.0 * 24 * 3600)

struct waiter {
	LIST_ENTRY(waiter) entry;
	struct reload *reload;
	struct reload_request request;
	struct http_connection *connection;
	struct event *on_timeout; /* NULL: no deadline */
	bool no_wait;
	bool asked; /* the request is with the reload */
};

static void
waiter_free(struct waiter *waiter)
{
	LIST_REMOVE(waiter, entry);
	if (waiter->asked)
		reload_withdraw(waiter->reload, &waiter->request);
	if (waiter->on_timeout)
		event_free(waiter->on_timeout);
	free(waiter);
}

/* An http_gone_fn: the connection has ended; the reload goes on. */
static void
on_gone(void *arg)
{
	waiter_free(arg);
}

static int
verdict_status(enum verdict verdict)
{
	static const int statuses[] = {
		[VERDICT_NONE] = 500,
		[VERDICT_APPLIED] = 200,
		[VERDICT_UNCHANGED] = 200,
		[VERDICT_REJECTED] = 422,
		[VERDICT_REVERTED] = 409,
	};

	return statuses[verdict];
}

static void
on_verdict(struct reload_request *request, const struct outcome *outcome)
{
	struct waiter *waiter = request->arg;

	waiter->asked = false;
	json_reply(waiter->connection, verdict_status(outcome->verdict), status_outcome_json(outcome));
	waiter_free(waiter);
}

/* Whoever does not want to wait still learns the number of his reload. */
static void
on_begin(struct reload_request *request)
{
	struct waiter *waiter = request->arg;

	if (!waiter->no_wait)
		return;
	json_reply(waiter->connection, 202, json_pack("{s:I}", "id", (json_int_t)request->id));
	waiter_free(waiter);
}

/* event: the caller's patience is over */
static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *waiter = arg;
	json_int_t id = (json_int_t)waiter->request.id;

	(void)fd, (void)what;
	json_reply(waiter->connection, 504,
		json_pack("{s:o, s:s, s:s}", "id", id > 0 ? json_integer(id) : json_null(), "verdict",
			"timeout", "error", "the reload goes on"));
	waiter_free(waiter);
}

/* ---- options ---- */

static const char *
read_wait(struct waiter *waiter, const json_t *wait)
{
	const char *word = json_string_value(wait);

	if (!wait || json_is_null(wait))
		return NULL;
	if (!word)
		return "\"wait\" must be \"drained\", \"ready\" or \"no\"";
	waiter->no_wait = strcmp(word, "no") == 0;
	waiter->request.until_ready = strcmp(word, "ready") == 0;
	if (!waiter->no_wait && !waiter->request.until_ready && strcmp(word, "drained") != 0)
		return "\"wait\" must be \"drained\", \"ready\" or \"no\"";
	return NULL;
}

static const char *
read_timeout(struct waiter *waiter, const json_t *timeout, struct event_base *base)
{
	double seconds = json_number_value(timeout);
	struct timeval tv;

	if (!timeout || json_is_null(timeout))
		return NULL;
	if (!json_is_number(timeout) || !(seconds >= 0) || seconds > TIMEOUT_MAX_S)
		return "\"timeout_s\" must be a number of seconds";
	tv = clock_timeval((uint64_t)(seconds * (double)US_PER_SEC));
	waiter->on_timeout = evtimer_new(base, on_timeout, waiter);
	if (!waiter->on_timeout || event_add(waiter->on_timeout, &tv) < 0)
		return "out of memory";
	return NULL;
}

static const char *
read_options(struct waiter *waiter, const json_t *options, struct event_base *base)
{
	const json_t *if_changed = json_object_get(options, "if_changed");
	const char *wrong = read_wait(waiter, json_object_get(options, "wait"));

	if (!wrong && if_changed && !json_is_boolean(if_changed))
		wrong = "\"if_changed\" must be true or false";
	waiter->request.if_changed = json_is_true(if_changed);
	return wrong ? wrong : read_timeout(waiter, json_object_get(options, "timeout_s"), base);
}

const char *
waiter_ask(struct waiter_list *list, struct master *master, struct http_connection *connection,
	const struct reload_request *wish, const json_t *options)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	const char *wrong;

	if (!waiter)
		return "out of memory";
	waiter->reload = master_reload(master);
	waiter->connection = connection;
	waiter->request = *wish;
	waiter->request.arg = waiter;
	waiter->request.on_verdict = on_verdict;
	waiter->request.on_begin = on_begin;
	LIST_INSERT_HEAD(list, waiter, entry);
	wrong = read_options(waiter, options, master_base(master));
	if (wrong) {
		waiter_free(waiter);
		return wrong;
	}
	http_reply_defer(connection, on_gone, waiter);
	waiter->asked = true;
	reload_ask(waiter->reload, &waiter->request);
	return NULL;
}

void
waiter_done(struct waiter_list *list)
{
	struct waiter *waiter;

	while ((waiter = LIST_FIRST(list)))
		waiter_free(waiter);
}
