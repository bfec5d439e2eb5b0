/*
 * How a reload has ended, in the daemon's words.
 */
#ifndef CTL_VERDICT_H
#define CTL_VERDICT_H

#include "ctl/line.h"

#include <jansson.h>

struct verdict {
	const char *name;
	int exit_status;
	enum style style;
};

/* "applied", "unchanged", "rejected", "reverted", "timeout"; NULL: there is no such verdict, or `name` is NULL. */
const struct verdict *verdict_find(const char *name);

/*
 * Adds to a line: "applied: generation 7 in 41ms; 3 finished, 120 handed over, 0 cut". Why it was rejected or reverted follows the
 * verdict, but for problems that have been listed already.
 */
void verdict_say(struct line *line, const json_t *outcome, bool is_listed);

#endif
