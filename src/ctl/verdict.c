/*
 * The verdicts, and a sentence for each.
 */
#include "ctl/verdict.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/api.h"
#include "ctl/ctl.h"
#include "ctl/human.h"

#include <inttypes.h>
#include <string.h>

static const struct verdict verdicts[] = {
	{ "applied", CTL_OK, STYLE_GOOD },
	{ "unchanged", CTL_OK, STYLE_GOOD },
	{ "rejected", CTL_REJECTED, STYLE_BAD },
	{ "reverted", CTL_REVERTED, STYLE_BAD },
	{ "timeout", CTL_TIMEOUT, STYLE_BUSY },
};

const struct verdict *
verdict_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
		if (name && strcmp(verdicts[i].name, name) == 0)
			return &verdicts[i];
	return NULL;
}

static void
say_duration(struct line *line, const json_t *outcome, const char *before)
{
	const uint64_t us = api_duration_us(outcome, "duration_ms", US_PER_MS);
	char text[HUMAN_DURATION_MAX];

	if (us != UINT64_MAX)
		line_add(line, STYLE_PLAIN, " %s %s", before, human_duration(us, text));
}

static void
say_reason(struct line *line, const json_t *outcome, bool is_listed)
{
	const size_t n = json_array_size(json_object_get(outcome, "problems"));
	const char *error = api_string(outcome, "error", "");

	if (n > 0 && is_listed)
		line_add(line, STYLE_PLAIN, ": %zu error%s", n, n == 1 ? "" : "s");
	else if (*error)
		line_add(line, STYLE_PLAIN, ": %s", error);
	if (n > 1 && !is_listed)
		line_add(line, STYLE_PLAIN, " (and %zu more)", n - 1);
}

static void
say_connections(struct line *line, const json_t *outcome)
{
	const uint64_t cut = api_count(outcome, "cut");

	line_add(line, STYLE_PLAIN, "; %" PRIu64 " finished, %" PRIu64 " handed over, ",
		api_count(outcome, "finished"), api_count(outcome, "handed_over"));
	line_add(line, cut > 0 ? STYLE_BUSY : STYLE_PLAIN, "%" PRIu64 " cut", cut);
}

void
verdict_say(struct line *line, const json_t *outcome, bool is_listed)
{
	const char *name = api_string(outcome, "verdict", "?");
	const struct verdict *verdict = verdict_find(name);
	const uint64_t generation = api_count(outcome, "generation");

	line_add(line, verdict ? verdict->style : STYLE_PLAIN, "%s", name);
	if (strcmp(name, "applied") == 0) {
		line_add(line, STYLE_PLAIN, ": generation %" PRIu64, generation);
		say_duration(line, outcome, "in");
		say_connections(line, outcome);
	} else if (strcmp(name, "timeout") == 0) {
		line_add(line, STYLE_PLAIN, ": not finished");
		say_duration(line, outcome, "after");
		line_add(line, STYLE_PLAIN, "; it goes on");
	} else {
		say_reason(line, outcome, is_listed);
		line_add(line, STYLE_PLAIN, "%s; generation %" PRIu64 " serves",
			strcmp(name, "rejected") == 0 ? "; nothing was changed" : "", generation);
		if (strcmp(name, "reverted") == 0)
			say_duration(line, outcome, "again, after");
	}
}
