/*
 * The commands that change something: gracefulctl reload, scale, restart and stop.
 */
#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "ctl/ctl.h"

/* reload [--wait=drained|ready|no] [--timeout S] [--if-changed] */
ctl_command_fn change_reload;

/* scale N */
ctl_command_fn change_scale;

/* restart SLOT */
ctl_command_fn change_restart;

/* stop [--now] */
ctl_command_fn change_stop;

#endif
