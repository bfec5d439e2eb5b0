/*
 * From an accepted client to a connected upstream: who the client is, which upstream is next, and the next one when that refuses.
 */
#ifndef SERVICE_PROXY_DIAL_H
#define SERVICE_PROXY_DIAL_H

#include "service/proxy/relay.h"

/* What a new connection begins with. */
enum relay_input dial_begin(struct relay *relay);

/*
 * Reads of a client's header what is there. RELAY_GREETED: it is complete; RELAY_FAILS: it will never be; RELAY_INPUTS: it is not
 * yet.
 */
enum relay_input dial_read_greeting(struct relay *relay);

/* Takes the next upstream that begins to connect. What became of it, an input of state CHOOSING. */
enum relay_input dial_next(struct relay *relay);

/* The upstream has accepted, or refused, or timed out (negative errno): an input of state CONNECTING. */
enum relay_input dial_result(struct relay *relay, int result);

#endif
