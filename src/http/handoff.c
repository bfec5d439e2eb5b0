/*
 * Handing a connection over.
 */
#include "http/handoff.h"

#include "http/connection.h"

#include <assert.h>
#include <errno.h>

_Static_assert(HTTP_ENDING_NONE == 0 && HTTP_ENDING_AGREED == 1 && HTTP_ENDING_OURS == 2 &&
		       HTTP_PHASE_NEW == 0 && HTTP_PHASE_IDLE == 1 && HTTP_PHASE_HEAD == 2 &&
		       HTTP_PHASE_BODY == 3 && HTTP_PHASE_SEND == 5,
	"another version of this program may be at the other end");

int
http_handoff_freeze(struct http_connection *connection, struct http_handoff *ret_state)
{
	const struct http_buffer *input = &connection->input;
	const struct http_output *output = &connection->output;

	assert(connection->phase != HTTP_PHASE_FROZEN);
	if (connection->stage != HTTP_STAGE_NONE || connection->server->turn == connection)
		return -EBUSY;
	if (connection->phase == HTTP_PHASE_LINGER || connection->error < 0)
		return -ENOTCONN;
	http_connection_freeze(connection);
	*ret_state = (struct http_handoff){
		.input = { http_buffer_bytes(input), http_buffer_len(input) },
		.output = { http_buffer_bytes(&output->bytes), http_buffer_len(&output->bytes) },
		.file = output->file,
		.file_offset = output->offset,
		.file_left = output->file >= 0 ? output->left : 0,
		.requests = connection->requests,
		.ending = connection->ending,
		.phase = connection->client_phase,
		.due_us = connection->client_due_us,
		.continued = connection->continued,
	};
	return 0;
}

void
http_handoff_thaw(struct http_connection *connection)
{
	assert(connection->phase == HTTP_PHASE_FROZEN);
	http_connection_thaw(connection);
}

void
http_handoff_forget(struct http_connection *connection)
{
	assert(connection->phase == HTTP_PHASE_FROZEN);
	http_connection_free(connection);
}

static bool
is_state(const struct http_handoff *state)
{
	switch (state->phase) {
	case HTTP_PHASE_NEW:
	case HTTP_PHASE_IDLE:
	case HTTP_PHASE_HEAD:
	case HTTP_PHASE_BODY:
	case HTTP_PHASE_SEND:
		break;
	default:
		return false;
	}
	if (state->ending > HTTP_ENDING_OURS || state->file_offset < 0)
		return false;
	return (state->file >= 0) == (state->file_left > 0);
}

int
http_handoff_adopt(
	struct http_server *server, int fd, const struct http_handoff *state, struct http_connection **ret)
{
	struct http_connection *connection = NULL;
	struct http_buffer input = { .data = NULL }, output = { .data = NULL };
	int r = is_state(state) ? 0 : -EINVAL;

	if (r == 0 && state->input.len > 0)
		r = http_buffer_append(&input, state->input.at, state->input.len);
	if (r == 0 && state->output.len > 0)
		r = http_buffer_append(&output, state->output.at, state->output.len);
	if (r == 0)
		r = http_connection_new(server, fd, &connection);
	if (r < 0) {
		http_buffer_free(&input);
		http_buffer_free(&output);
		return r;
	}
	connection->input = input;
	connection->output.bytes = output;
	if (state->file >= 0)
		http_output_set_file(&connection->output, state->file, state->file_offset, state->file_left);
	connection->requests = state->requests;
	connection->ending = (enum http_ending)state->ending;
	connection->continued = state->continued;
	connection->client_phase = (enum http_phase)state->phase;
	connection->client_due_us = state->due_us;
	*ret = connection;
	return 0;
}
