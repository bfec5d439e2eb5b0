/*
 * The upstreams of the service `proxy`, as JSON.
 */
#ifndef CONTROL_UPSTREAMS_H
#define CONTROL_UPSTREAMS_H

#include "master/pool.h"

#include <jansson.h>

/* Those that a worker has, and those that are drained. NULL: no memory. */
json_t *upstreams_json(const struct pool *pool);

#endif
