/*
 * What the files of this layer know of a connection and of its server; nobody else does.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "base/slab.h"
#include "http/buffer.h"
#include "http/deadline.h"
#include "http/framing.h"
#include "http/output.h"
#include "http/reply.h"
#include "http/server.h"
#include "http/turn_queue.h"

/*
 * What the connection waits for. Follows from all the rest at the end of each turn (connection_settle), and says
 * which events and which deadline are set. The numbers are part of a handoff: they stay.
 */
enum http_phase {
	HTTP_PHASE_NEW,    /* nothing is set yet */
	HTTP_PHASE_IDLE,   /* the first byte of another request */
	HTTP_PHASE_HEAD,   /* the rest of a head */
	HTTP_PHASE_BODY,   /* the rest of a body */
	HTTP_PHASE_ANSWER, /* the handler; no deadline */
	HTTP_PHASE_SEND,   /* the socket, to take more; nothing is read */
	HTTP_PHASE_LINGER, /* the client's FIN: all is said, and ours is sent */
	HTTP_PHASE_FROZEN, /* the other process; no events, no deadline */
	HTTP_PHASE_GRACE,  /* as IDLE, of a connection that is to end: not for long */
};

/* Where the reply to the current request is. */
enum http_stage {
	HTTP_STAGE_NONE,   /* no request is with the handler */
	HTTP_STAGE_ASKED,  /* it has one */
	HTTP_STAGE_HEAD,   /* it has begun to answer */
	HTTP_STAGE_STREAM, /* http_stream_send */
};

/* Will there be another request? The numbers are part of a handoff: they stay. */
enum http_ending {
	HTTP_ENDING_NONE = 0,
	HTTP_ENDING_AGREED = 1, /* no: the client has said that this is its last one */
	HTTP_ENDING_OURS = 2,   /* no, but it may have sent more, or still be sending */
};

struct http_connection {
	int fd;
	struct event event; /* EV_READ or EV_WRITE or neither, never both: see `interest` */
	struct http_server *server;
	TAILQ_ENTRY(http_connection) link;
	struct http_turn turn;
	struct http_deadline deadline;
	void *data; /* the handler's */

	struct http_buffer input;    /* from the current request's first byte on, as it came */
	struct http_framing framing; /* what is known of it: follows from `input` */
	struct http_output output;

	http_gone_fn *on_gone; /* set while a reply is deferred or streamed */
	void *gone_arg;

	uint64_t requests; /* given to the handler */
	size_t lingered;   /* bytes thrown away in HTTP_PHASE_LINGER */
	int error;         /* negative errno: to be closed at the end of the turn */
	short interest;    /* what `event` waits for */
	enum http_phase phase;
	/* When it was frozen, or entered GRACE: what it waited for (NEW: nothing that is the client's turn) … */
	enum http_phase client_phase;
	uint64_t client_due_us; /* … and until when, clock_now_us; 0: without end */
	enum http_stage stage;
	enum http_ending ending;
	bool starved;   /* `input` has no complete request: to read more is the only way on */
	bool eof;       /* the client has sent its last byte */
	bool continued; /* "100 Continue" has been said to the current request */
	bool retiring;  /* the next reply is the last one */
	bool released;  /* a reply that outlived its turn was completed: on_released is due */

	/* Of the request that is being answered, and of its reply. */
	bool keep_alive; /* the client would go on */
	bool is_old;     /* it speaks HTTP/1.0, and knows no chunks */
	bool bodiless;   /* no body is sent, whatever the handler gives: HEAD, 204, 304 */
	int status;
};

TAILQ_HEAD(http_connection_list, http_connection);

struct http_server {
	struct event_base *base;
	struct http_limits limits;
	const struct http_handler *handler;
	void *arg;
	struct slab memory; /* of the connections */
	struct http_connection_list connections;
	size_t n_connections;
	bool draining;
	struct http_deadlines deadlines;
	struct http_stats stats;
	struct http_turn_queue turns;
	/* lent to one connection at a time, for its turn */
	struct http_buffer spare_input, spare_output;
	struct http_connection *turn; /* the one whose turn it is, if any */
	struct http_request request;  /* the one that is being served */
};

/* Appends to the output. Without memory, the connection fails at the end of its turn. */
void http_reply_put(struct http_connection *connection, struct http_text text);

/*
 * Has the event loop give it a turn, as soon as those that are ready have had theirs. `what`: 0, or EV_READ to try to
 * read.
 */
static inline void
http_connection_wake(struct http_connection *connection, short what)
{
	event_active(&connection->event, what | EV_TIMEOUT, 0);
}

/* Makes a connection that is frozen. 0 with *ret, who owns the descriptor; or negative errno. */
int http_connection_new(struct http_server *server, int fd, struct http_connection **ret);

/*
 * A new connection waits for its first request. 0; or negative errno, and it is freed but for the descriptor.
 *
 * It doesn't try to read at once: what a client sends when it sees the connection is rarely there before we have
 * accepted it (in one case of ten on the same machine, and in none over a network).
 */
int http_connection_begin(struct http_connection *connection);

/* Closes the descriptor and frees, telling nobody. */
void http_connection_free(struct http_connection *connection);

/* Ends it: tells whoever waits for it, and frees. */
void http_connection_end(struct http_connection *connection, enum http_end why);

/* Takes no more events and has no deadline. */
void http_connection_freeze(struct http_connection *connection);

/* Goes on as if it had never been frozen, with what was left of its deadline. */
void http_connection_thaw(struct http_connection *connection);

/* Ends it politely if it is idle. */
void http_connection_close_idle(struct http_connection *connection);

/* One that has waited for its turn has it: a http_turn_fn. */
void http_connection_take_turn(struct http_turn *turn);

/* A deadline of connections has come. */
void http_connection_expire(struct http_deadline *deadline);

#endif
