/*
 * A slot: the incumbent, the successor, and how they come and go.
 */
#include "master/slot.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "ipc/contract.h"
#include "master/log_event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define BACKOFF_MIN_US (1 * US_PER_MS) /* whatever restart.delay says: no loop may be hot */

/* event: a time has come; what for is seen when the pool looks */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct slot *slot = arg;

	(void)fd, (void)what;
	slot->host->workers.changed(slot->host->workers.arg);
}

struct slot *
slot_new(const struct slot_host *host, unsigned index)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	*slot = (struct slot){ .host = host, .index = index };
	slot->on_timer = evtimer_new(host->workers.base, on_timer, slot);
	if (!slot->on_timer) {
		free(slot);
		return NULL;
	}
	return slot;
}

static void
wake_in(struct slot *slot, uint64_t us)
{
	struct timeval tv = clock_timeval(us);

	event_add(slot->on_timer, &tv);
}

void
slot_set_goal(struct slot *slot, struct generation *goal)
{
	if (goal == slot->goal)
		return;
	generation_set(&slot->goal, goal);
	slot->crashes = 0;
	slot->spawn_at_us = 0;
	slot->lost = false;
}

void
slot_set_stale(struct slot *slot, bool stale)
{
	if (slot->incumbent)
		slot->incumbent->stale = stale;
	if (slot->successor)
		slot->successor->stale = stale;
}

/* ---- losses and backoff ---- */

/* Between half of it and all of it, so that slots that crash together don't come back together. */
static uint64_t
jitter(uint64_t us)
{
	uint64_t random = 0;

	if (us < 2 || getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		return us;
	return us / 2 + random % (us / 2 + 1);
}

/* The first crash is made good at once; from the second in a row on each wait is twice the one before. */
static uint64_t
backoff_us(const struct slot *slot)
{
	const struct config *live = slot->host->workers.live;
	uint64_t us = live->restart.delay_us > BACKOFF_MIN_US ? live->restart.delay_us : BACKOFF_MIN_US;

	if (slot->crashes <= 1)
		return 0;
	for (unsigned i = 2; i < slot->crashes && us < live->restart.max_delay_us; i++)
		us *= 2;
	return jitter(us < live->restart.max_delay_us ? us : live->restart.max_delay_us);
}

/* `ready_us`: how long the lost worker had been READY; 0: never, which is not stable even where restart.stable is 0. */
static void
count_loss(struct slot *slot, const struct generation *generation, uint64_t ready_us, bool stale,
	const char *what)
{
	const struct event_about about = {
		.has_slot = true,
		.slot = slot->index,
		.generation = generation->number,
	};
	uint64_t wait;

	if (ready_us > 0 && ready_us >= slot->host->workers.live->restart.stable_us)
		slot->crashes = 0;
	slot->crashes++;
	slot->restarts++;
	slot->lost = true;
	wait = backoff_us(slot);
	slot->spawn_at_us = wait > 0 ? clock_now_us() + wait : 0;
	log_event(LOG_WARNING, EVENT_WORKER_FAILED, &about, "%s", what);
	if (wait > 0)
		log_event(LOG_WARNING, EVENT_SLOT_BACKOFF, &about,
			"slot %u: %u crashes in a row, the next start is in %.3f s", slot->index,
			slot->crashes, (double)wait / (double)US_PER_SEC);
	slot->host->on_loss(slot, generation, stale, what, slot->host->arg);
}

static void
count_lost_worker(struct slot *slot, struct worker *w)
{
	uint64_t ready_us = w->ready_since_us > 0 ? clock_now_us() - w->ready_since_us : 0;
	char name[64], what[sizeof(name) + sizeof(w->failure) + 1];

	w->failure_counted = true;
	snprintf(what, sizeof(what), "%s %s", worker_name(w, name), w->failure);
	count_loss(slot, w->generation, ready_us, w->stale, what);
}

/* One place of the two: counts a loss, frees who has gone. */
static bool
collect(struct slot *slot, struct worker **place)
{
	struct worker *w = *place;
	bool found = false;

	if (!w)
		return false;
	if (w->state == WORKER_READY)
		slot->lost = false;
	if (w->failed && !w->failure_counted) {
		count_lost_worker(slot, w);
		found = true;
	}
	if (w->state == WORKER_EXITED) {
		slot->host->on_exit(w, slot->host->arg);
		worker_free(w);
		*place = NULL;
		found = true;
	}
	return found;
}

bool
slot_collect(struct slot *slot)
{
	bool found;

	if (slot_is_at_rest(slot))
		return false;
	found = collect(slot, &slot->incumbent);
	return collect(slot, &slot->successor) || found;
}

/* ---- steps ---- */

/* Where the two texts of what a worker inherits are written. */
struct inheritance {
	struct worker_sockets *sockets;
	FILE *names, *ports;
};

/*
 * A colon in an address becomes '_' in a name, since colons stand between the names. Server::Starter has one socket for an address: of
 * several, the slot's own comes first.
 */
static int
inherit(struct inheritance *inheritance, const struct listener *listener, unsigned socket, bool first)
{
	struct worker_sockets *in = inheritance->sockets;

	if (in->n == ARRAY_LEN(in->fd))
		return -E2BIG;
	if (in->n > 0)
		fputc(':', inheritance->names);
	for (const char *p = listener->address; *p; p++)
		fputc(*p == ':' ? '_' : *p, inheritance->names);
	if (first)
		fprintf(inheritance->ports, "%s%s=%zu", in->n > 0 ? ";" : "", listener->address,
			CONTRACT_LISTEN_FIRST + in->n);
	in->fd[in->n++] = listener->fd[socket];
	return 0;
}

/*
 * Is it the slot's own socket, or parked with it? Those above, which a roll has added for more workers than the generation has, are
 * not its business: kept open by one of its workers, they would stay in the group when the roll is taken back.
 */
static bool
is_inherited(const struct listener *listener, unsigned socket, unsigned slot, unsigned workers)
{
	if (listener->kind != CONFIG_LISTEN_TCP)
		return true;
	return socket % workers == slot && (socket < workers || socket < listener->n_committed);
}

/* Those of one address. */
static int
inherit_listener(const struct slot *slot, struct inheritance *inheritance, const struct listener *listener)
{
	unsigned workers = slot->goal->config->workers;
	bool first = true;
	int r = 0;

	for (unsigned j = 0; r == 0 && j < listener->n_fd; j++)
		if (is_inherited(listener, j, slot->index, workers)) {
			r = inherit(inheritance, listener, j, first);
			first = false;
		}
	return r;
}

/* The sockets of its slot, those parked with it, and the shared ones: as configured, then those that are covered. */
static int
inherit_addresses(const struct slot *slot, struct inheritance *inheritance)
{
	const struct generation *generation = slot->goal;
	const struct listener *listener;
	int r = 0;

	for (size_t i = 0; r == 0 && i < generation->config->n_listen; i++) {
		listener = listener_find(slot->host->listeners, generation->addresses[i]);
		if (listener)
			r = inherit_listener(slot, inheritance, listener);
	}
	TAILQ_FOREACH(listener, slot->host->listeners, entry)
		if (r == 0 && generation_serves(generation, listener) &&
			!generation_find_listen(generation, listener->address))
			r = inherit_listener(slot, inheritance, listener);
	return r;
}

static int
inherit_all(const struct slot *slot, struct worker_sockets *in)
{
	struct inheritance inheritance = { .sockets = in };
	size_t names_len, ports_len;
	int r = -ENOMEM;

	in->n = 0;
	in->names = in->ports = NULL;
	inheritance.names = open_memstream(&in->names, &names_len);
	inheritance.ports = open_memstream(&in->ports, &ports_len);
	if (inheritance.names && inheritance.ports)
		r = inherit_addresses(slot, &inheritance);
	if (inheritance.names && fclose(inheritance.names) != 0)
		r = -ENOMEM;
	if (inheritance.ports && fclose(inheritance.ports) != 0)
		r = -ENOMEM;
	return r;
}

static void
spawn(struct slot *slot, const char *reason)
{
	struct worker_sockets in;
	int r = inherit_all(slot, &in);
	char what[128];

	if (r == 0) {
		slot->successor = worker_start(
			&slot->host->workers, slot->index, slot->goal, &in, slot->lost ? "respawn" : reason);
		r = slot->successor ? 0 : -errno;
	}
	free(in.names);
	free(in.ports);
	if (r == 0)
		return;
	snprintf(what, sizeof(what), "worker %u cannot be started: %s", slot->index, strerror(-r));
	/* never at once again: what was missing, descriptors or memory, is not back in no time */
	slot->crashes++;
	count_loss(slot, slot->goal, 0, false, what);
}

static void
drain(struct slot *slot, struct worker *w, const char *reason)
{
	w->leaving_soon = true;
	slot->host->on_leaving(w, slot->host->arg);
	worker_drain(w, reason);
}

static struct slot_place
look_at(const struct slot *slot, const struct worker *w, uint64_t *wait)
{
	struct slot_place place = { .taken = w };
	uint64_t left;

	if (!w)
		return place;
	place.state = w->state;
	place.of_goal = worker_is_of(w, slot->goal);
	place.seasoned = worker_is_seasoned(w, slot->host->workers.live->roll.settle_us, &left);
	if (left > 0 && left < *wait)
		*wait = left;
	return place;
}

/* How long there may be no start yet. The clock is read only where it counts: with roll.settle, all slots are asked at every step. */
static uint64_t
backoff_left_us(const struct slot *slot)
{
	uint64_t now_us;

	if (slot->spawn_at_us == 0)
		return 0;
	now_us = clock_now_us();
	return slot->spawn_at_us > now_us ? slot->spawn_at_us - now_us : 0;
}

/* Looks; and where time alone will change what is seen, sees to it that somebody looks again then. */
static struct slot_facts
slot_facts(struct slot *slot)
{
	uint64_t wait = UINT64_MAX, left = backoff_left_us(slot);
	struct slot_facts facts = {
		.has_goal = slot->goal,
		.may_spawn = left == 0,
		.incumbent = look_at(slot, slot->incumbent, &wait),
		.successor = look_at(slot, slot->successor, &wait),
	};

	if (left > 0 && left < wait)
		wait = left;
	if (wait != UINT64_MAX)
		wake_in(slot, wait);
	return facts;
}

bool
slot_reconcile(struct slot *slot, const char *reason)
{
	struct slot_facts facts;

	if (slot_is_at_rest(slot) && slot->host->workers.live->roll.settle_us == 0)
		return false;
	facts = slot_facts(slot);
	switch (slot_rule(&facts)) {
	case SLOT_WAIT:
		return false;
	case SLOT_SPAWN:
		slot->spawn_at_us = 0;
		spawn(slot, reason);
		break;
	case SLOT_PROMOTE:
		slot->incumbent = take_ptr(slot->successor);
		break;
	case SLOT_DRAIN_INCUMBENT:
		drain(slot, slot->incumbent, reason);
		break;
	case SLOT_DRAIN_SUCCESSOR:
		drain(slot, slot->successor, reason);
		break;
	}
	return true;
}

/* ---- questions ---- */

bool
slot_is_empty(const struct slot *slot)
{
	return !slot->incumbent && !slot->successor;
}

bool
slot_is_settled(const struct slot *slot)
{
	if (!slot->goal)
		return slot_is_empty(slot);
	return slot->incumbent && !slot->successor && worker_is_of(slot->incumbent, slot->goal) &&
	       slot->incumbent->state == WORKER_READY;
}

bool
slot_is_alone(const struct slot *slot)
{
	return (!slot->incumbent || worker_is_of(slot->incumbent, slot->goal)) &&
	       (!slot->successor || worker_is_of(slot->successor, slot->goal));
}

struct worker *
slot_ready_worker(const struct slot *slot, const struct generation *generation)
{
	struct worker *const candidates[] = { slot->successor, slot->incumbent };

	for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
		struct worker *w = candidates[i];

		if (w && w->state == WORKER_READY && !w->leaving_soon &&
			(!generation || worker_is_of(w, generation)))
			return w;
	}
	return NULL;
}

bool
slot_is_ready(const struct slot *slot, const struct generation *generation)
{
	const struct worker *w = slot_ready_worker(slot, generation);
	uint64_t left;

	return w && worker_is_seasoned(w, slot->host->workers.live->roll.settle_us, &left);
}

void
slot_free(struct slot *slot)
{
	if (!slot)
		return;
	event_free(slot->on_timer);
	generation_unref(slot->goal);
	free(slot);
}
