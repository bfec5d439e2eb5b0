/*
 * The control server: stands above the master, which knows it as its extension only.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "master/master.h"

struct control;

/* NULL: no memory. */
struct control *control_new(void);

/* To be given to master_run; which frees the control by `done`. */
struct master_extension control_extension(struct control *control);

#endif
