/*
 * Those who read GET /v1/events.
 */
#include "control/subscribers.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "control/event_json.h"

#include <string.h>

struct subscriber {
	LIST_ENTRY(subscriber) entry;
	struct http_connection *connection;
};

void
subscribers_init(struct subscribers *subscribers)
{
	LIST_INIT(&subscribers->list);
	subscribers->telling = false;
}

/* An http_gone_fn. */
static void
on_gone(void *arg)
{
	struct subscriber *subscriber = arg;

	LIST_REMOVE(subscriber, entry);
	free(subscriber);
}

/* The connection ends in the event loop; it will not tell of that, since it is we who cut it. */
static void
drop(struct subscriber *subscriber)
{
	http_connection_cut(subscriber->connection);
	on_gone(subscriber);
}

/* A log_observer. Anything may be under way when something is logged: so here no connection is freed, only sent to. */
static void
on_record(const struct log_record *record, void *arg)
{
	struct subscribers *subscribers = arg;
	struct subscriber *subscriber, *next;
	cleanup_free char *line = NULL;
	size_t len;

	if (subscribers->telling || LIST_EMPTY(&subscribers->list))
		return;
	subscribers->telling = true;
	line = event_json_line(record);
	len = line ? strlen(line) : 0;
	for (subscriber = LIST_FIRST(&subscribers->list); line && subscriber; subscriber = next) {
		next = LIST_NEXT(subscriber, entry);
		if (http_stream_send(subscriber->connection, line, len) > SUBSCRIBER_QUEUE_MAX)
			drop(subscriber);
	}
	subscribers->telling = false;
}

void
subscribers_add(struct subscribers *subscribers, struct http_connection *connection)
{
	struct subscriber *subscriber = malloc(sizeof(*subscriber));

	if (!subscriber) {
		http_reply_text(connection, 503, HTTP_TEXT("text/plain"), HTTP_TEXT("out of memory\n"));
		return;
	}
	subscriber->connection = connection;
	http_reply_start(connection, 200);
	http_reply_field(connection, HTTP_TEXT("Content-Type"), HTTP_TEXT("application/jsonl"));
	http_reply_field(connection, HTTP_TEXT("Cache-Control"), HTTP_TEXT("no-store"));
	http_reply_stream(connection, on_gone, subscriber);
	LIST_INSERT_HEAD(&subscribers->list, subscriber, entry);
	log_set_observer(on_record, subscribers);
}

void
subscribers_end(struct subscribers *subscribers)
{
	struct subscriber *subscriber;

	log_set_observer(NULL, NULL);
	while ((subscriber = LIST_FIRST(&subscribers->list))) {
		http_stream_end(subscriber->connection);
		on_gone(subscriber);
	}
}

void
subscribers_done(struct subscribers *subscribers)
{
	log_set_observer(NULL, NULL);
	(void)subscribers;
}
