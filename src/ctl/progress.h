/*
 * A roll as it goes on, on a terminal: a line for each slot that is done, and below them one that changes.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "ctl/terminal.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct progress;

/* Nothing is drawn yet. NULL: no memory. */
struct progress *progress_new(const struct terminal *terminal, FILE *out);

/* Wipes the changing line out, if there is one. NULL is fine. */
void progress_free(struct progress *progress);

/* Takes one event of the daemon. To be drawn then. */
void progress_event(struct progress *progress, const json_t *event);

/* Draws the changing line again, in which time goes on. */
void progress_draw(struct progress *progress);

/* Workers change, and nobody has said how many there will be; who learns it says it here. */
bool progress_wants_total(const struct progress *progress);
void progress_set_total(struct progress *progress, uint64_t n_workers);

/* Has the daemon said how the reload of this number ended? Then no event of it is still to come. */
bool progress_has_ended(const struct progress *progress, uint64_t id);

#endif
