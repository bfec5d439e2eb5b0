/*
 * Connections of the control server in the master's heritage.
 */
#include "control/passage.h"

#include "base/cleanup.h"

#include <errno.h>

/* One connection. No reply of the control server is a file. */
struct passenger {
	int fd;
	uint64_t requests;
	unsigned ending;
	bool continued;
};

static const struct heritage_field fields[] = {
	HERITAGE_FD(struct passenger, fd),
	HERITAGE_NUMBER(struct passenger, requests, UINT64_MAX),
	HERITAGE_NUMBER(struct passenger, ending, 2),
	HERITAGE_BOOL(struct passenger, continued),
	HERITAGE_REST("input"),
	HERITAGE_REST("output"),
	HERITAGE_END,
};

static bool
remember(struct passage *p, struct http_connection *connection)
{
	struct http_connection **more =
		realloc(p->frozen, (p->n_frozen + 1) * sizeof(struct http_connection *));

	if (!more)
		return false;
	p->frozen = more;
	p->frozen[p->n_frozen++] = connection;
	return true;
}

/* for http_server_each */
static void
save_one(struct http_connection *connection, void *arg)
{
	struct http_handoff state = { .file = -1, .ending = 2 };
	struct passenger passenger = { .fd = http_connection_fd(connection) };
	struct passage *p = arg;
	int r = http_handoff_freeze(connection, &state);
	json_t *json;

	/* one that is at its end waits for the client's there too: closed now, what was said to it could be lost */
	if (r < 0 && r != -ENOTCONN)
		return;
	if (r == 0 && !remember(p, connection)) {
		http_handoff_thaw(connection);
		return;
	}
	passenger.requests = state.requests;
	passenger.ending = state.ending;
	passenger.continued = state.continued;
	json = heritage_save(p->heritage, fields, &passenger);
	heritage_set(p->heritage, json, "input", heritage_bytes(state.input.at, state.input.len));
	heritage_set(p->heritage, json, "output", heritage_bytes(state.output.at, state.output.len));
	heritage_add(p->heritage, p->array, json);
}

void
passage_save(struct passage *p, struct http_server *server)
{
	http_server_each(server, save_one, p);
}

void
passage_resume(struct passage *p)
{
	for (size_t i = 0; i < p->n_frozen; i++)
		http_handoff_thaw(p->frozen[i]);
	free(p->frozen);
	p->frozen = NULL;
	p->n_frozen = 0;
}

static bool
adopt(struct heritage *h, const struct passenger *passenger, const json_t *json, struct http_server *server)
{
	struct http_handoff state = {
		.file = -1,
		.requests = passenger->requests,
		.ending = passenger->ending,
		.continued = passenger->continued,
	};
	cleanup_free char *input = heritage_load_bytes(json_object_get(json, "input"), &state.input.len);
	cleanup_free char *output = heritage_load_bytes(json_object_get(json, "output"), &state.output.len);
	struct http_connection *connection;

	if (!input || !output)
		return heritage_refuse(h, "what a client has sent, or is to be sent, is no text");
	if (h->trial)
		return true;
	state.input.at = input;
	state.output.at = output;
	if (http_handoff_adopt(server, passenger->fd, &state, &connection) < 0)
		return heritage_refuse(h, "a client's connection can't be taken over");
	http_handoff_thaw(connection);
	return true;
}

bool
passage_load(struct heritage *h, const json_t *array, struct http_server *server)
{
	size_t n = json_array_size(array);

	if (!json_is_array(array))
		return heritage_refuse(h, "the clients are no list");
	for (size_t i = 0; i < n; i++) {
		struct passenger passenger = { .fd = -1 };
		const json_t *json = json_array_get(array, i);

		if (!heritage_load(h, fields, json, &passenger) || !adopt(h, &passenger, json, server))
			return false;
	}
	return true;
}
