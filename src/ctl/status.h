/*
 * gracefulctl status
 */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include "ctl/ctl.h"

/* status [--json] [--watch] */
ctl_command_fn status_run;

#endif
