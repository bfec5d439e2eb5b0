/*
 * What a server puts up with.
 */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct http_limits {
	size_t max_head;   /* bytes of request line and fields: 431; 256 … HTTP_HEAD_MAX */
	size_t max_target; /* bytes of the URI: 414 */
	size_t max_fields; /* 431; up to HTTP_FIELDS_MAX */
	size_t max_body;   /* bytes, without framing: 413 */
	size_t max_unsent; /* while so many bytes of replies wait to be sent, no further request is served */
	uint64_t max_requests; /* on one connection, the last one's reply says "close"; 0: any number */

	/* How long the client may take, in microseconds; 0: for ever. */
	uint64_t
		head_us; /* from the connection, or from the first byte of a later head, to the end of the head */
	uint64_t body_us;   /* from then to the end of the body */
	uint64_t idle_us;   /* from a reply to the next request */
	uint64_t send_us;   /* between any two bytes of a reply that the client takes */
	uint64_t linger_us; /* from our last byte to its last one */
	uint64_t grace_us;  /* from http_connection_retire to another request */

	size_t linger_bytes; /* what it may send meanwhile; it is thrown away */

	/* For a server beside which something else must go on undisturbed. */
	unsigned turn_requests; /* of one connection, before others have their turn */
	int priority;           /* of all its events, -1: the event base's default */
	/*
	 * After its work (of the processor) the server rests so many times as long; 0: never. Connections wait for their turn
	 * meanwhile, first come first served. So many microseconds of rest may be owed at a time.
	 */
	unsigned rest;
	uint64_t rest_credit_us;
};

/* It is kept whole while it comes, and goes along whole at a handover. */
#define HTTP_HEAD_MAX ((size_t)64 * 1024)

/* Sensible values for a server on the open network. */
static inline void
http_limits_init(struct http_limits *limits)
{
	*limits = (struct http_limits){
		.max_head = 8 * 1024,
		.max_target = 4 * 1024,
		.max_fields = 100,
		.max_body = 64 * 1024,
		.max_unsent = 64 * 1024,
		.head_us = 30000000,
		.body_us = 30000000,
		.idle_us = 75000000,
		.send_us = 30000000,
		.linger_us = 2000000,
		.grace_us = 1000000,
		.linger_bytes = 4 * 1024 * 1024,
		.turn_requests = 32,
		.priority = -1,
	};
}

#endif
