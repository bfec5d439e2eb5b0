/*
 * How a relayed connection is described.
 */
#include "service/proxy/description.h"

#include <errno.h>
#include <string.h>

enum {
	TAG_STATE = HANDOFF_TAG_SERVICE_FIRST, /* number: enum state_code; always the first */
	TAG_UPSTREAM,                          /* text: its name */
	TAG_UP,                                /* bytes for the upstream */
	TAG_DOWN,                              /* bytes for the client */
	TAG_ENDED,                             /* number: which direction has ended, enum ended_code */
	TAG_DEADLINE,                          /* number: clock_now_us, of the state */
	TAG_ACTIVE,                            /* number: clock_now_us, when bytes were last read */
	TAG_REMOVED, /* number: clock_now_us, when the upstream was found to be no longer configured */
	TAG_TRIES,   /* number: how many upstreams have refused it */
	TAG_TRIED,   /* text: the name of one that has; any number of these */
	TAG_CLIENT,  /* bytes: who the client is, as a header of the PROXY protocol, version 2 */
};

/* The states as numbers that stay the same when the enumeration does not. */
enum state_code { CODE_NEW = 1, CODE_GREETING, CODE_WAITING, CODE_CONNECTING, CODE_RELAYING, CODES };

enum ended_code { ENDED_UP = 1, ENDED_DOWN };

static const enum relay_state states[CODES] = {
	[0] = RELAY_STATES,
	[CODE_NEW] = RELAY_NEW,
	[CODE_GREETING] = RELAY_GREETING,
	[CODE_WAITING] = RELAY_WAITING,
	[CODE_CONNECTING] = RELAY_CONNECTING,
	[CODE_RELAYING] = RELAY_RELAYING,
};

size_t
description_fds(enum relay_state state)
{
	return state == RELAY_CONNECTING || state == RELAY_RELAYING ? 2 : 1;
}

/* ---- writing ---- */

static uint64_t
code_of(enum relay_state state)
{
	for (uint64_t code = CODE_NEW; code < CODES; code++)
		if (states[code] == state)
			return code;
	return 0; /* which nobody understands */
}

static void
put_text(struct handoff_writer *writer, unsigned tag, struct description_text text)
{
	if (text.len > 0)
		handoff_put_bytes(writer, tag, text.at, text.len);
}

static void
put_number(struct handoff_writer *writer, unsigned tag, uint64_t value)
{
	if (value > 0)
		handoff_put_number(writer, tag, value);
}

void
description_write(const struct description *d, struct handoff_writer *writer)
{
	unsigned char header[PROXY_PROTOCOL_WRITE_MAX];

	put_number(writer, TAG_STATE, code_of(d->state));
	put_text(writer, TAG_UPSTREAM, d->upstream);
	put_text(writer, TAG_UP, d->up);
	put_text(writer, TAG_DOWN, d->down);
	put_number(writer, TAG_ENDED, d->up_has_ended ? ENDED_UP : d->down_has_ended ? ENDED_DOWN : 0);
	put_number(writer, TAG_DEADLINE, d->deadline_us);
	put_number(writer, TAG_ACTIVE, d->active_us);
	put_number(writer, TAG_REMOVED, d->removed_us);
	put_number(writer, TAG_TRIES, d->tries);
	for (size_t i = 0; i < d->n_tried; i++)
		put_text(writer, TAG_TRIED, d->tried[i]);
	if (d->client.source.len > 0)
		handoff_put_bytes(writer, TAG_CLIENT, header, proxy_protocol_write(2, &d->client, header));
}

/* ---- reading ---- */

/* Each at most once. */
static int
read_number(const struct handoff_field *field, uint64_t *ret)
{
	uint64_t value;

	if (*ret != 0 || handoff_field_number(field, &value) < 0 || value == 0)
		return -EBADMSG;
	*ret = value;
	return 0;
}

static int
read_text(const struct handoff_field *field, size_t max, struct description_text *ret)
{
	if (ret->at || field->len == 0 || field->len > max)
		return -EBADMSG;
	*ret = (struct description_text){ field->data, field->len };
	return 0;
}

static int
read_ended(const struct handoff_field *field, struct description *d)
{
	uint64_t ended = 0;

	if (d->up_has_ended || d->down_has_ended || read_number(field, &ended) < 0 || ended > ENDED_DOWN)
		return -EBADMSG;
	d->up_has_ended = ended == ENDED_UP;
	d->down_has_ended = ended == ENDED_DOWN;
	return 0;
}

static int
read_tried(const struct handoff_field *field, struct description *d)
{
	if (d->n_tried == BALANCE_PEERS_MAX)
		return -EBADMSG;
	return read_text(field, DESCRIPTION_NAME_MAX, &d->tried[d->n_tried++]);
}

static int
read_client(const struct handoff_field *field, struct description *d)
{
	if (d->client.source.len > 0 ||
		proxy_protocol_read(&d->client, field->data, field->len) != (ssize_t)field->len ||
		d->client.source.len == 0)
		return -EBADMSG;
	return 0;
}

static int
read_field(const struct handoff_field *field, struct description *d)
{
	switch (field->tag) {
	case TAG_UPSTREAM:
		return read_text(field, DESCRIPTION_NAME_MAX, &d->upstream);
	case TAG_UP:
		return read_text(field, FLOW_WAITING_MAX + PROXY_PROTOCOL_READ_MAX, &d->up);
	case TAG_DOWN:
		return read_text(field, FLOW_WAITING_MAX, &d->down);
	case TAG_ENDED:
		return read_ended(field, d);
	case TAG_DEADLINE:
		return read_number(field, &d->deadline_us);
	case TAG_ACTIVE:
		return read_number(field, &d->active_us);
	case TAG_REMOVED:
		return read_number(field, &d->removed_us);
	case TAG_TRIES:
		return read_number(field, &d->tries);
	case TAG_TRIED:
		return read_tried(field, d);
	case TAG_CLIENT:
		return read_client(field, d);
	default:
		return -EBADMSG;
	}
}

static int
read_state(struct handoff_record *record, struct description *d)
{
	struct handoff_field field;
	uint64_t code;

	if (handoff_next(record, &field) <= 0 || field.tag != TAG_STATE ||
		handoff_field_number(&field, &code) < 0 || code < CODE_NEW || code >= CODES)
		return -EBADMSG;
	d->state = states[code];
	return 0;
}

/* Only who has an upstream relays, and only who relays has something for the client. */
static bool
is_consistent(const struct description *d)
{
	bool has_upstream = description_fds(d->state) == 2, relays = d->state == RELAY_RELAYING;

	return (d->upstream.at != NULL) == has_upstream &&
	       (relays || (!d->down.at && !d->up_has_ended && !d->down_has_ended)) &&
	       (!relays || (d->n_tried == 0 && d->tries == 0 && d->client.source.len == 0)) &&
	       !(d->up_has_ended && d->up.at) && !(d->down_has_ended && d->down.at);
}

int
description_read(struct description *ret, struct handoff_record *record)
{
	struct handoff_field field;
	int r;

	*ret = (struct description){ .n_tried = 0 };
	r = read_state(record, ret);
	if (r < 0)
		return r;
	while ((r = handoff_next(record, &field)) > 0)
		if (read_field(&field, ret) < 0)
			return -EBADMSG;
	return r < 0 || !is_consistent(ret) ? -EBADMSG : 0;
}
