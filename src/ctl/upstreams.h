/*
 * gracefulctl upstreams, upstream drain, upstream enable.
 */
#ifndef CTL_UPSTREAMS_H
#define CTL_UPSTREAMS_H

#include "ctl/ctl.h"

ctl_command_fn upstreams_run, upstreams_change;

#endif
