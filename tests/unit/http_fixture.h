/*
 * A server on a real event loop, one client's end of a connection to it, and a handler that does what the path says:
 *
 *	/later		defers; the test answers `asked` when it likes
 *	/stream		begins to stream
 *	/file?from=&len=	a part of the fixture's file
 *	/big?len=	that many bytes of a pattern
 *	/status?code=	that status, with the body "body"
 *	/none, /half	no answer at all; an answer that is begun only
 *	/cut		cuts the connection
 *	/split		an answer with a line end in a value
 *	anything else	a line that says what was understood of the request
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include "http/reply.h"
#include "http/server.h"

#include <event2/event.h>

#define FIXTURE_FILE_LEN (3 * 1024 * 1024 + 17)

/* The n-th byte of files and big bodies. */
#define FIXTURE_BYTE(n) ((char)('a' + ((n) ^ ((n) >> 8) ^ ((n) >> 16)) % 26))

struct fixture {
	struct event_base *base;
	struct http_server *server;
	int file;
	int client;  /* -1: none */
	char *reply; /* all that the client has received, and a NUL */
	size_t reply_len;
	bool eof;  /* the client has seen the end */
	int error; /* or an error: errno */

	struct http_connection *asked; /* whose request came last */
	unsigned n_asked, n_closed, n_released, n_gone;
	enum http_end why;                                       /* of the last one that closed */
	void (*on_released)(struct http_connection *connection); /* what a test wants to do there */
};

/* For limits without deadlines. */
void fixture_limits(struct http_limits *limits);

struct fixture *fixture_new(const struct http_limits *limits);
void fixture_free(struct fixture *f);

/* What happens on the fixture's handler, for servers of the tests' own. */
extern const struct http_handler fixture_handler;

/*
 * A new connection over a UNIX socket pair, or over TCP; the client forgets the one before. `sndbuf`: of the server's
 * end; 0: as it is.
 */
void fixture_connect(struct fixture *f, int sndbuf);
void fixture_connect_tcp(struct fixture *f);
/* The same, without a server's connection: returns the server's end. */
int fixture_pair(struct fixture *f, int sndbuf);

/* The client sends all of it; while the server takes none, it reads what comes. */
void fixture_send(struct fixture *f, const void *data, size_t len);
void fixture_say(struct fixture *f, const char *text);
/* The client closes: one way, both, or by a reset (of TCP). */
void fixture_shutdown(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_reset(struct fixture *f);

/*
 * Lets the server work on what is there; the client reads up to `max` bytes of what comes. Nothing is waited for.
 * Returns bytes read.
 */
size_t fixture_work(struct fixture *f, size_t max);
/* The same, reading all, until nothing moves any more. */
void fixture_pump(struct fixture *f);
/*
 * Waits until the server has closed that many connections (the client reads all that comes), or fails after some
 * seconds.
 */
void fixture_wait_closed(struct fixture *f, unsigned n);
/* Waits until the client has seen the end. */
void fixture_wait_eof(struct fixture *f);

/* Forgets what the client has received so far. */
void fixture_forget_reply(struct fixture *f);

#endif
