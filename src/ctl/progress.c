/*
 * A roll on a terminal, made of the daemon's events.
 */
#include "ctl/progress.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/api.h"
#include "ctl/human.h"
#include "ctl/line.h"

#include <inttypes.h>
#include <string.h>

#define SLOTS_MAX   4096 /* more is a mistake of the daemon: it has 1024 at most */
#define STATE_MAX   16   /* of the name of a state, with its NUL */
#define LINES_SPARE 4    /* rows of the terminal for what is not a slot */

struct process {
	uint64_t pid; /* 0: none is known */
	char state[STATE_MAX];
};

struct slot {
	struct process newcomer;
	struct process leaving;
	uint64_t begun_us; /* when it began to change, 0: it has not; */
	uint64_t moved_us; /* ... and when it last did */
	bool is_reported;  /* as done, by a line that stays */
};

struct progress {
	const struct terminal *terminal;
	FILE *out;
	struct slot *slot;
	size_t n_slots;     /* known so far */
	uint64_t n_workers; /* of the generation to come; 0: unknown */
	uint64_t ended_id;  /* of the reload that had its verdict last; 0: none */
	bool is_drawn;      /* the changing line stands there */
};

struct progress *
progress_new(const struct terminal *terminal, FILE *out)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (p)
		*p = (struct progress){ .terminal = terminal, .out = out };
	return p;
}

/* ---- what is known ---- */

static bool
is_gone(const struct process *process)
{
	return process->pid && strcmp(process->state, "exited") == 0;
}

static bool
is_ready(const struct process *process)
{
	return process->pid && strcmp(process->state, "ready") == 0;
}

/* Has a process that will yet become ready, or go? */
static bool
is_in_flux(const struct slot *slot)
{
	const struct process *newcomer = &slot->newcomer, *leaving = &slot->leaving;

	return (newcomer->pid && !is_ready(newcomer) && !is_gone(newcomer)) ||
	       (leaving->pid && !is_gone(leaving));
}

/* The old one is gone, and the new one is there if there was to be one. A slot that is new has no old one: it is not known to be done. */
static bool
is_done(const struct slot *slot)
{
	return is_gone(&slot->leaving) && !is_in_flux(slot);
}

static uint64_t
count_settled(const struct progress *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->n_slots; i++)
		n += is_ready(&p->slot[i].newcomer) && !is_in_flux(&p->slot[i]);
	return n;
}

/* ---- drawing ---- */

static void
wipe(struct progress *p)
{
	if (p->is_drawn)
		fputs(TERMINAL_RESTART_LINE, p->out);
	p->is_drawn = false;
}

/* "worker 2: 913 ready, 900 draining" */
static void
say_slot(struct line *line, const struct progress *p, const struct slot *slot)
{
	const struct process *const processes[] = { &slot->newcomer, &slot->leaving };
	const char *separator = "";

	line_add(line, STYLE_PLAIN, "worker %zu:", (size_t)(slot - p->slot));
	for (size_t i = 0; i < ARRAY_LEN(processes); i++) {
		if (!processes[i]->pid)
			continue;
		line_add(line, STYLE_PLAIN, "%s %" PRIu64 " %s", separator, processes[i]->pid,
			is_gone(processes[i]) ? "gone" : processes[i]->state);
		separator = ",";
	}
}

static void
say_slots_in_flux(struct line *line, const struct progress *p)
{
	const uint64_t now = clock_now_us();
	const char *separator = " ";

	for (size_t i = 0; i < p->n_slots; i++) {
		const struct slot *slot = &p->slot[i];
		char text[HUMAN_DURATION_MAX];

		if (!is_in_flux(slot))
			continue;
		line_add(line, STYLE_PLAIN, "%s", separator);
		say_slot(line, p, slot);
		if (now - slot->moved_us >= US_PER_SEC)
			line_add(line, STYLE_PLAIN, " for %s", human_duration(now - slot->moved_us, text));
		separator = "; ";
	}
}

void
progress_draw(struct progress *p)
{
	struct line line;

	wipe(p);
	line_init(&line, p->terminal);
	if (p->n_workers > 0)
		line_add(&line, STYLE_BOLD, "[%" PRIu64 "/%" PRIu64 "]", count_settled(p), p->n_workers);
	else if (p->n_slots > 0)
		line_add(&line, STYLE_BOLD, "[%" PRIu64 "]", count_settled(p));
	else
		line_add(&line, STYLE_DIM, "waiting for the daemon");
	say_slots_in_flux(&line, p);
	/* one column less: having written the last one, some terminals are on the next line already */
	line_print(&line, p->out, p->terminal->columns > 1 ? p->terminal->columns - 1 : 1);
	fflush(p->out);
	p->is_drawn = true;
}

/* A line that stays, unless there are more of them than can be read. */
static void
report_slot(struct progress *p, struct slot *slot)
{
	char text[HUMAN_DURATION_MAX];
	struct line line;

	slot->is_reported = true;
	if (p->n_workers + LINES_SPARE > p->terminal->rows || p->n_slots + LINES_SPARE > p->terminal->rows)
		return;
	wipe(p);
	line_init(&line, p->terminal);
	say_slot(&line, p, slot);
	line_add(&line, STYLE_DIM, " (%s)", human_duration(slot->moved_us - slot->begun_us, text));
	line_end(&line, p->out);
}

static void
report_rest(struct progress *p)
{
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slot[i].begun_us > 0 && !p->slot[i].is_reported)
			report_slot(p, &p->slot[i]);
}

void
progress_free(struct progress *p)
{
	if (!p)
		return;
	report_rest(p);
	wipe(p);
	fflush(p->out);
	free(p->slot);
	free(p);
}

/* ---- events ---- */

static struct slot *
slot_at(struct progress *p, uint64_t index)
{
	if (index >= SLOTS_MAX)
		return NULL;
	if (index >= p->n_slots) {
		struct slot *more = reallocarray(p->slot, index + 1, sizeof(*more));

		if (!more)
			return NULL;
		memset(more + p->n_slots, 0, (index + 1 - p->n_slots) * sizeof(*more));
		p->slot = more;
		p->n_slots = index + 1;
	}
	return &p->slot[index];
}

/* Which of the slot's processes an event is about. One that was never seen to begin was there before: it leaves. */
static struct process *
process_of(struct slot *slot, uint64_t pid, bool is_new)
{
	if (is_new) {
		if (slot->newcomer.pid && !is_gone(&slot->newcomer))
			slot->leaving = slot->newcomer;
		return &slot->newcomer;
	}
	return slot->newcomer.pid == pid ? &slot->newcomer : &slot->leaving;
}

static void
on_worker_state(struct progress *p, const json_t *event)
{
	const json_t *index = json_object_get(event, "slot");
	struct slot *slot = json_is_integer(index) ? slot_at(p, api_count(event, "slot")) : NULL;
	const uint64_t pid = api_count(event, "pid"), now = clock_now_us();
	struct process *process;

	if (!slot || pid == 0)
		return;
	if (slot->begun_us == 0 || slot->is_reported) /* it changes again: that is another story */
		*slot = (struct slot){ .begun_us = now };
	slot->moved_us = now;
	process = process_of(slot, pid, strcmp(api_string(event, "from", ""), "new") == 0);
	process->pid = pid;
	snprintf(process->state, sizeof(process->state), "%s", api_string(event, "to", "?"));
	if (is_done(slot))
		report_slot(p, slot);
}

static void
on_started(struct progress *p, const json_t *event)
{
	report_rest(p);
	p->n_slots = 0;
	p->n_workers = api_count(event, "workers");
}

static void
on_ended(struct progress *p, const json_t *event)
{
	p->ended_id = api_count(event, "id");
}

/* What a person should know now. */
static void
on_trouble(struct progress *p, const json_t *event)
{
	struct line line;

	wipe(p);
	line_init(&line, p->terminal);
	line_add(&line, STYLE_BUSY, "%s", api_string(event, "text", "?"));
	line_end(&line, p->out);
}

void
progress_event(struct progress *p, const json_t *event)
{
	static const struct {
		const char *event;
		void (*take)(struct progress *p, const json_t *event);
	} takers[] = {
		{ "worker-state", on_worker_state },
		{ "worker-failed", on_trouble },
		{ "worker-protocol", on_trouble },
		{ "slot-backoff", on_trouble },
		{ "reload-started", on_started },
		{ "reload-reverting", on_trouble },
		{ "reload-applied", on_ended },
		{ "reload-unchanged", on_ended },
		{ "reload-rejected", on_ended },
		{ "reload-reverted", on_ended },
	};
	const char *name = api_string(event, "event", "");

	for (size_t i = 0; i < ARRAY_LEN(takers); i++)
		if (strcmp(takers[i].event, name) == 0)
			takers[i].take(p, event);
}

bool
progress_wants_total(const struct progress *p)
{
	return p->n_workers == 0 && p->n_slots > 0;
}

void
progress_set_total(struct progress *p, uint64_t n_workers)
{
	p->n_workers = n_workers;
}

bool
progress_has_ended(const struct progress *p, uint64_t id)
{
	return p->ended_id == id;
}
