/*
 * One address where the control server is asked: a UNIX path, or a TCP address for reading only.
 */
#ifndef CONTROL_GATE_H
#define CONTROL_GATE_H

#include "config/config.h"
#include "master/heritage.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct gate;

/* A connection has come; the descriptor is the callee's. */
typedef void gate_fn(int fd, void *arg);

/* Listens on the path, with mode and group of `spec`. NULL with errno set. Accepts nothing until gate_open. */
struct gate *gate_unix(const struct config_listen *spec);

/* Listens on "127.0.0.1:9125" or "[::1]:9125". NULL with errno set; EINVAL: that's no such address. */
struct gate *gate_tcp(const char *address);

/* The path or address that it was made with. */
const char *gate_address(const struct gate *gate);

/* Is a UNIX path still this gate's own? Somebody may have removed or replaced it. Always true of TCP. */
bool gate_is_there(const struct gate *gate);

/* Gives a UNIX path another mode and group (-1: the daemon's own). 0, or negative errno. */
int gate_set_access(const struct gate *gate, mode_t mode, gid_t gid);

/* Begins to accept. 0, or negative errno. */
int gate_open(struct gate *gate, struct event_base *base, gate_fn *on_connection, void *arg);

/* For the master's heritage. A gate that was loaded accepts nothing until gate_open; NULL when it can't be. */
json_t *gate_save(struct heritage *heritage, const struct gate *gate);
struct gate *gate_load(struct heritage *heritage, const json_t *json);

/* Closes it, unlinks a path that's still its own. NULL is fine. */
void gate_close(struct gate *gate);

#endif
