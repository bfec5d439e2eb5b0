/*
 * The commands about the configuration: gracefulctl config, diff and check.
 */
#ifndef CTL_SETTINGS_H
#define CTL_SETTINGS_H

#include "ctl/ctl.h"

/* config */
ctl_command_fn settings_show;

/* diff [FILE] */
ctl_command_fn settings_diff;

/* check [FILE] */
ctl_command_fn settings_check;

#endif
