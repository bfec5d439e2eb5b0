/*
 * The client of the control socket: HTTP/1.1 over a UNIX socket, several requests at a time.
 *
 * Each request has a connection of its own: a kept one could have lost its daemon meanwhile, and a POST must never be sent twice.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#define CLIENT_ANSWER_MAX (4 * 1024 * 1024) /* bytes; the longest, a configuration, is half of that */

struct client;

/* One request and its answer. */
struct client_call;

/* Takes a piece of the body of a 2xx answer. Returns 0, or negative errno to end the call with. */
typedef int client_data_fn(const char *data, size_t len, void *arg);

struct client_request {
	const char *path;        /* "/v1/status" */
	const char *body;        /* JSON, to be POSTed; NULL: GET */
	uint64_t timeout_us;     /* for the whole of it; 0: no limit */
	client_data_fn *on_data; /* takes the answer as it comes; NULL: it is kept */
	void *arg;
};

enum client_state {
	CLIENT_ASKING, /* nothing has come yet */
	CLIENT_OPEN,   /* the head of the answer is there: the server does what was asked for */
	CLIENT_ENDED,
};

/* What has come of a call that has ended. */
struct client_answer {
	unsigned status;  /* of HTTP */
	const char *body; /* ends in a NUL that len does not count; lives as long as the call */
	size_t len;
};

/* A client of this socket; nothing is connected yet. `socket_path` must stay. NULL: no memory. */
struct client *client_new(const char *socket_path);

/* All its calls must have been freed. NULL is fine. */
void client_free(struct client *client);

const char *client_socket(const struct client *client);

/* Why the last call failed, for a person: "no daemon answers at /run/x.sock: Connection refused". */
const char *client_error(const struct client *client);

/* Sets that, for those who find an answer to be wrong. Returns `error`. */
int client_set_error(struct client *client, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Begins a call, which goes on in client_turn. 0 with *ret, or -ENOMEM. */
int client_start(struct client *client, const struct client_request *request, struct client_call **ret);

/* Waits until something happens, or so long at most, and does it. 0, or negative errno. */
int client_turn(struct client *client, uint64_t max_us);

enum client_state client_call_state(const struct client_call *call);

/*
 * What came of a call that has ended. 0 with *ret; or, with client_error: -ENOENT, -ECONNREFUSED, -EACCES, … could not connect;
 * -ECONNRESET: the daemon went away in the middle; -ETIMEDOUT; -EPROTO: no HTTP; -EMSGSIZE: more than CLIENT_ANSWER_MAX; what on_data said.
 */
int client_call_result(const struct client_call *call, struct client_answer *ret);

/* Ends it, if it has not ended. NULL is fine. */
void client_call_free(struct client_call *call);

/* Turns until the call has ended. 0, or negative errno, of the turns or of the call; see client_call_result. */
int client_finish(struct client_call *call, struct client_answer *ret);

#endif
