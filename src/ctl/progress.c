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
	uint64_t begun_us; /* when it began to change; */
	uint64_t moved_us; /* ... and when it last did */
	bool is_moving;
};

struct progress {
	const struct terminal *terminal;
	FILE *out;
	struct slot *slot;
	size_t n_slots;    /* known so far */
	uint64_t n_workers; /* of the generation to come; 0: unknown */
	uint64_t n_done;
	uint64_t ended_id; /* of the reload that had its verdict last; 0: none */
	bool is_drawn;     /* the changing line stands there */
};

struct progress *
progress_new(const struct terminal *terminal, FILE *out)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (p)
		*p = (struct progress){ .terminal = terminal, .out = out };
	return p;
}

/* ---- drawing ---- */

static void
wipe(struct progress *p)
{
	if (p->is_drawn)
		fputs(TERMINAL_RESTART_LINE, p->out);
	p->is_drawn = false;
}

void
progress_free(struct progress *p)
{
	if (!p)
		return;
	wipe(p);
	fflush(p->out);
	free(p->slot);
	free(p);
}

static bool
is_gone(const struct process *process)
{
	return strcmp(process->state, "exited") == 0;
}

/* "worker 2: 913 ready, 900 draining" */
static void
say_slot(struct line *line, const struct progress *p, const struct slot *slot)
{
	const struct process *newcomer = &slot->newcomer, *leaving = &slot->leaving;

	line_add(line, STYLE_PLAIN, "worker %zu:", (size_t)(slot - p->slot));
	if (newcomer->pid)
		line_add(line, STYLE_PLAIN, " %" PRIu64 " %s", newcomer->pid, newcomer->state);
	if (leaving->pid)
		line_add(line, STYLE_PLAIN, "%s %" PRIu64 " %s", newcomer->pid ? "," : "", leaving->pid,
			is_gone(leaving) ? "gone" : leaving->state);
}

static void
begin_live(struct line *line, const struct progress *p)
{
	line_init(line, p->terminal);
	if (p->n_workers > 0)
		line_add(line, STYLE_BOLD, "[%" PRIu64 "/%" PRIu64 "]", p->n_done, p->n_workers);
	else
		line_add(line, STYLE_BOLD, "[%" PRIu64 "]", p->n_done);
}

void
progress_draw(struct progress *p)
{
	const uint64_t now = clock_now_us();
	char text[HUMAN_DURATION_MAX];
	struct line line;

	wipe(p);
	begin_live(&line, p);
	for (size_t i = 0; i < p->n_slots; i++) {
		if (!p->slot[i].is_moving)
			continue;
		line_add(&line, STYLE_PLAIN, " ");
		say_slot(&line, p, &p->slot[i]);
		if (now - p->slot[i].moved_us >= US_PER_SEC)
			line_add(&line, STYLE_PLAIN, " for %s", human_duration(now - p->slot[i].moved_us, text));
	}
	/* one column less: in the last one, some terminals go on to the next line already */
	line_print(&line, p->out, p->terminal->columns > 1 ? p->terminal->columns - 1 : 1);
	fflush(p->out);
	p->is_drawn = true;
}

/* A line that stays. */
static void
print_done(struct progress *p, const struct slot *slot)
{
	char text[HUMAN_DURATION_MAX];
	struct line line;

	if (p->n_workers + LINES_SPARE > p->terminal->rows)
		return; /* too many to be read */
	wipe(p);
	line_init(&line, p->terminal);
	say_slot(&line, p, slot);
	line_add(&line, STYLE_PLAIN, " (%s)", human_duration(clock_now_us() - slot->begun_us, text));
	line_end(&line, p->out);
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

/* A worker that was never heard of as a new one was there before: it leaves. */
static void
move(struct slot *slot, uint64_t pid, const char *from, const char *to)
{
	struct process *process = &slot->leaving;

	if (strcmp(from, "new") == 0) {
		if (slot->newcomer.pid && !is_gone(&slot->newcomer))
			slot->leaving = slot->newcomer;
		slot->newcomer = (struct process){ 0 };
		process = &slot->newcomer;
	} else if (slot->newcomer.pid == pid) {
		process = &slot->newcomer;
	}
	process->pid = pid;
	snprintf(process->state, sizeof(process->state), "%s", to);
}

/* The new one is there, if there was to be one, and the old one is not. */
static bool
is_done(const struct slot *slot)
{
	const bool has_come = !slot->newcomer.pid || strcmp(slot->newcomer.state, "ready") == 0;

	return has_come && slot->leaving.pid && is_gone(&slot->leaving);
}

static void
on_worker_state(struct progress *p, const json_t *event)
{
	const json_t *index = json_object_get(event, "slot");
	struct slot *slot = json_is_integer(index) ? slot_at(p, api_count(event, "slot")) : NULL;
	const uint64_t now = clock_now_us();

	if (!slot)
		return;
	if (!slot->is_moving) {
		*slot = (struct slot){ .begun_us = now, .is_moving = true, .newcomer = slot->newcomer };
		if (!slot->newcomer.pid) ...
	}
	slot->moved_us = now;
	move(slot, api_count(event, "pid"), api_string(event, "from", ""), api_string(event, "to", "?"));
}
