/*
 * Handing over within one process: a worker's side with a service of the test's own, and at the other end of its socket either
 * another such side, or the test itself, which can do what no honest worker does.
 */
#include "worker/handover.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/socket.h"
#include "worker/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

enum { NOBODY = 65534, ROUNDS = 20, MANY = 1000, LARGE = HANDOFF_INLINE_MAX + 1 };
enum { TAG_STATE = HANDOFF_TAG_SERVICE_FIRST };

/* One worker: its connections, and what became of them. */
struct side {
	struct event_base *base;
	struct handover handover;
	int taken, adopted, lost, handed;              /* told by the handover */
	int frozen, thawed, forgotten, retired, ended; /* told to the service */
	bool large;                                    /* connections have much state */
	int watched;                                   /* see item_thaw; -1: nothing */
	bool thawed_untold;
};

struct item {
	struct service_connection host;
	struct side *side;
	int fd;
	bool busy, frozen;
};

/* ---- the service ---- */

static int
item_freeze(struct service_connection *connection, struct handoff_writer *writer)
{
	static const char state[LARGE];
	struct item *item = (struct item *)connection;

	assert_false(item->frozen);
	if (item->busy)
		return -EBUSY;
	item->frozen = true;
	item->side->frozen++;
	handoff_put_fd(writer, item->fd);
	handoff_writer_service(writer);
	handoff_put_bytes(writer, TAG_STATE, state, item->side->large ? LARGE : 1);
	return 0;
}

static void
item_thaw(struct service_connection *connection)
{
	struct item *item = (struct item *)connection;
	struct pollfd watched = { .fd = item->side->watched, .events = POLLIN };

	assert_true(item->frozen);
	item->frozen = false;
	item->side->frozen--;
	item->side->thawed++;
	if (watched.fd >= 0 && poll(&watched, 1, 0) == 0)
		item->side->thawed_untold = true;
}

static void
item_free(struct item *item)
{
	if (item->frozen)
		item->side->frozen--;
	close(item->fd);
	free(item);
}

static void
item_forget(struct service_connection *connection)
{
	struct item *item = (struct item *)connection;

	assert_true(item->frozen);
	item->side->forgotten++;
	item_free(item);
}

static void
item_retire(struct service_connection *connection)
{
	struct item *item = (struct item *)connection;

	assert_false(item->frozen);
	item->side->retired++;
}

static void
item_cut(struct service_connection *connection)
{
	struct item *item = (struct item *)connection;

	handover_remove(&item->side->handover, connection);
	item->side->ended++;
	item_free(item);
}

static int
item_adopt(void *service, struct handoff_record *record, struct service_connection **ret)
{
	struct item *item;

	if (record->n_fds < 1)
		return -EBADMSG;
	item = calloc(1, sizeof(*item));
	*item = (struct item){ .side = service, .fd = take_fd(&record->fd[0]), .frozen = true };
	item->side->frozen++;
	*ret = &item->host;
	return 0;
}

static const struct service_ops ops = {
	.type = "test",
	.cut = item_cut,
	.retire = item_retire,
	.handoff_version = 3,
	.freeze = item_freeze,
	.thaw = item_thaw,
	.forget = item_forget,
	.adopt = item_adopt,
};

/* ---- sides ---- */

static void
on_taken(void *arg)
{
	((struct side *)arg)->taken++;
}

static void
on_adopted(void *arg)
{
	struct side *side = arg;

	side->adopted++;
	assert_true(side->taken >= side->adopted + side->lost); /* before the giver heard of it */
}

static void
on_lost(void *arg)
{
	((struct side *)arg)->lost++;
}

static void
on_handed(void *arg)
{
	((struct side *)arg)->handed++;
}

static void
side_init(struct side *side)
{
	static const struct handover_handler handler = { on_taken, on_adopted, on_lost, on_handed, NULL };

	*side = (struct side){ .base = event_base_new(), .watched = -1 };
	handover_init(&side->handover, side->base, 0, &ops, side, &handler, side);
	/* all that can be under way is, one step at a time, but for those tests that are about it */
	side->handover.few = 0;
	side->handover.rush.length_us = 0;
}

/* What is left on a side ends with it. */
static void
side_done(struct side *side)
{
	handover_cut(&side->handover);
	handover_done(&side->handover);
	assert_int_equal(side->frozen, 0);
	event_base_free(side->base);
}

static void
turn(struct side *side)
{
	for (int i = 0; i < ROUNDS; i++)
		event_base_loop(side->base, EVLOOP_NONBLOCK);
}

static struct item *
add_item(struct side *side)
{
	struct item *item = calloc(1, sizeof(*item));

	*item = (struct item){ .side = side, .fd = eventfd(0, EFD_CLOEXEC) };
	assert_true(item->fd >= 0);
	handover_add(&side->handover, &item->host);
	return item;
}

static void
add_items(struct side *side, int n)
{
	for (int i = 0; i < n; i++)
		(void)add_item(side);
}

static int
count(const struct side *side, enum service_connection_state state)
{
	const struct service_connection *connection;
	int n = 0;

	TAILQ_FOREACH(connection, &side->handover.list[state], entry)
		n++;
	return n;
}

/* The time to wait for the other worker is over. */
static void
expire(struct side *side)
{
	struct outbox *outbox = TAILQ_FIRST(&side->handover.outboxes);

	assert_non_null(outbox);
	assert_true(event_pending(outbox->timeout, EV_TIMEOUT, NULL));
	event_active(outbox->timeout, EV_TIMEOUT, 0);
	turn(side);
}

/* ---- the test as the other worker ---- */

static void
open_pair(int ends[static 2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
}

/* Gives the side an outbox; the other end of it. */
static int
open_outbox(struct side *side, uint64_t share)
{
	int ends[2];

	open_pair(ends);
	handover_add_outbox(&side->handover, ends[0], share);
	return ends[1];
}

static int
open_inbox(struct side *side)
{
	int ends[2];

	open_pair(ends);
	handover_add_inbox(&side->handover, ends[0]);
	return ends[1];
}

static void
say_answers(int fd, const struct handoff_answer *answers, size_t n)
{
	unsigned char data[HANDOFF_MESSAGE_MAX];

	assert_int_equal(socket_send(fd, data, handoff_answers_write(data, answers, n), NULL, 0), 0);
}

static void
greet(int fd)
{
	say_answers(fd, NULL, 0);
}

/* An outbox whose other end has greeted. */
static int
open_greeted(struct side *side, uint64_t share)
{
	int fd = open_outbox(side, share);

	greet(fd);
	return fd;
}

/* Takes one offer, and closes what came with it. How many connections: 0: there is none. Their ids. */
static size_t
take_offer(int fd, uint64_t ids[static HANDOFF_RECORDS_MAX])
{
	static unsigned char data[HANDOFF_MESSAGE_MAX];
	int fds[SOCKET_FDS_MAX];
	size_t n_fds = SOCKET_FDS_MAX, n;
	ssize_t len = socket_receive(fd, data, sizeof(data), fds, &n_fds);
	struct handoff_offer offer;

	if (len <= 0)
		return 0;
	assert_int_equal(handoff_offer_read(&offer, data, (size_t)len, fds, n_fds), 0);
	n = offer.n;
	for (size_t i = 0; i < n; i++)
		ids[i] = offer.record[i].id;
	handoff_offer_done(&offer);
	return n;
}

/* Takes one offer and answers all of it in the same way. */
static size_t
answer_offer(int fd, bool adopted)
{
	uint64_t ids[HANDOFF_RECORDS_MAX];
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	size_t n = take_offer(fd, ids);

	for (size_t i = 0; i < n; i++)
		answers[i] = (struct handoff_answer){ .id = ids[i], .adopted = adopted };
	if (n > 0)
		say_answers(fd, answers, n);
	return n;
}

/* Takes and adopts all that there is. */
static size_t
adopt_all(struct side *giver, int fd)
{
	size_t all = 0, n;

	do {
		turn(giver);
		n = answer_offer(fd, true);
		all += n;
	} while (n > 0);
	turn(giver);
	return all;
}

/* ---- leaving ---- */

static void
all_go_to_the_heir(void **state)
{
	struct side giver, taker;
	int ends[2];

	(void)state;
	side_init(&giver);
	side_init(&taker);
	add_items(&giver, MANY);
	open_pair(ends);
	handover_add_outbox(&giver.handover, ends[0], 1);
	handover_add_inbox(&taker.handover, ends[1]);
	handover_begin(&giver.handover);
	for (int i = 0; i < MANY && giver.handed < MANY; i++) {
		turn(&taker);
		turn(&giver);
	}
	assert_int_equal(giver.handed, MANY);
	assert_int_equal(giver.forgotten, MANY);
	assert_int_equal(giver.frozen, 0);
	assert_int_equal(taker.adopted, MANY);
	assert_int_equal(taker.thawed, MANY);
	assert_int_equal(count(&taker, SERVICE_CONNECTION_ACTIVE), MANY);
	side_done(&giver);
	side_done(&taker);
	assert_int_equal(taker.ended, MANY);
}

#define LONG_US (3600 * US_PER_SEC)

static void
in_the_rush_all_leave_before_anything_else(void **state)
{
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	giver.handover.rush.length_us = LONG_US;
	add_items(&giver, HANDOFF_RECORDS_MAX * 2);
	heir = open_greeted(&giver, 1);
	turn(&giver);
	/* it is quick to answer */
	for (size_t at = 1; at <= HANDOFF_RECORDS_MAX * 2; at += HANDOFF_RECORDS_MAX) {
		for (size_t i = 0; i < HANDOFF_RECORDS_MAX; i++)
			answers[i] = (struct handoff_answer){ .id = at + i, .adopted = true };
		say_answers(heir, answers, HANDOFF_RECORDS_MAX);
	}
	handover_begin(&giver.handover);
	assert_int_equal(giver.handed, HANDOFF_RECORDS_MAX * 2); /* without a turn of the loop */
	side_done(&giver);
	fd_close(&heir);
}

static void
the_rush_ends_with_the_heir(void **state)
{
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	giver.handover.rush.length_us = LONG_US;
	add_items(&giver, 3);
	heir = open_greeted(&giver, 1);
	fd_close(&heir);
	handover_begin(&giver.handover);
	assert_int_equal(giver.retired, 3);
	side_done(&giver);
}

static void
after_the_rush_the_loop_goes_on(void **state)
{
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, 3);
	heir = open_greeted(&giver, 1);
	turn(&giver);
	handover_begin(&giver.handover); /* which does not wait for one that says nothing */
	assert_int_equal(giver.frozen, 3);
	assert_int_equal(answer_offer(heir, true), 3);
	assert_int_equal(giver.handed, 0);
	turn(&giver);
	assert_int_equal(giver.handed, 3);
	side_done(&giver);
	fd_close(&heir);
}

static void
a_few_leave_among_the_others(void **state)
{
	static const size_t packets[] = { HANDOVER_FEW_WINDOW, HANDOVER_FEW_WINDOW, 1 };
	enum { FEW = 2 * HANDOVER_FEW_WINDOW + 1 };
	struct side giver;
	uint64_t ids[HANDOFF_RECORDS_MAX];
	int heir;

	(void)state;
	side_init(&giver);
	giver.handover.few = FEW;
	giver.handover.few_us = LONG_US;
	giver.handover.rush.length_us = LONG_US;
	add_items(&giver, FEW);
	heir = open_outbox(&giver, 1);
	handover_begin(&giver.handover); /* which does not wait for answers */
	turn(&giver);
	/* no time counts before the heir is there */
	assert_false(event_pending(&giver.handover.few_over, EV_TIMEOUT, NULL));
	greet(heir);
	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		turn(&giver);
		assert_int_equal(giver.frozen, packets[i]);
		assert_int_equal(
			count(&giver, SERVICE_CONNECTION_LEAVING), FEW - giver.handed - giver.frozen);
		assert_int_equal(answer_offer(heir, true), packets[i]);
		assert_int_equal(take_offer(heir, ids), 0);
	}
	turn(&giver);
	assert_int_equal(giver.handed, FEW);
	side_done(&giver);
	fd_close(&heir);
}

static void
a_few_that_take_long_go_in_a_rush(void **state)
{
	enum { FEW = 4 * HANDOVER_FEW_WINDOW };
	struct side giver;
	int quick, silent;

	(void)state;
	side_init(&giver);
	giver.handover.few = FEW;
	giver.handover.few_us = 0;
	add_items(&giver, FEW);
	quick = open_greeted(&giver, 1);
	silent = open_greeted(&giver, 1);
	turn(&giver);
	handover_begin(&giver.handover);
	assert_true(giver.frozen <= 2 * HANDOVER_FEW_WINDOW);
	turn(&giver);
	assert_int_equal(giver.frozen, FEW); /* without an answer */
	assert_int_equal(adopt_all(&giver, quick), FEW / 2);
	side_done(&giver);
	fd_close(&quick);
	fd_close(&silent);
}

static void
a_quick_heir_gets_its_share_of_a_few(void **state)
{
	enum { FEW = 4 * HANDOVER_FEW_WINDOW };
	struct side giver;
	size_t got;
	int quick, slow;

	(void)state;
	side_init(&giver);
	giver.handover.few = FEW;
	giver.handover.few_us = LONG_US;
	add_items(&giver, FEW);
	quick = open_greeted(&giver, 1);
	slow = open_greeted(&giver, 1);
	turn(&giver);
	handover_begin(&giver.handover);
	got = adopt_all(&giver, quick); /* all that it is offered before the other one has said anything */
	assert_in_range(got, HANDOVER_FEW_WINDOW, HANDOVER_FEW_WINDOW + 1);
	for (int i = 0; i < FEW; i++) {
		(void)adopt_all(&giver, slow);
		got += adopt_all(&giver, quick);
	}
	assert_int_equal(giver.handed, FEW);
	assert_in_range(got, FEW / 2, FEW / 2 + 1);
	side_done(&giver);
	fd_close(&quick);
	fd_close(&slow);
}

/* event: never comes */
static void
on_never(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void
a_handoff_comes_first_in_the_rush_only(void **state)
{
	enum { PRIORITIES = 4, CONNECTIONS = PRIORITIES / 2, FIRST = 1 };
	struct rush rush = { .priority = FIRST, .length_us = LONG_US };
	struct event_base *base = event_base_new();
	struct event *event = event_new(base, -1, EV_READ, on_never, NULL);

	(void)state;
	assert_int_equal(event_base_priority_init(base, PRIORITIES), 0);
	rush_set_priority(&rush, event);
	assert_int_equal(event_get_priority(event), FIRST);
	rush.end_us = clock_now_us();
	rush_set_priority(&rush, event);
	assert_int_equal(event_get_priority(event), CONNECTIONS);
	event_free(event);
	event_base_free(base);
}

static void
nothing_leaves_before_the_drain(void **state)
{
	struct side giver;
	uint64_t ids[HANDOFF_RECORDS_MAX];
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, 3);
	heir = open_greeted(&giver, 1);
	turn(&giver);
	assert_int_equal(take_offer(heir, ids), 0);
	assert_int_equal(giver.frozen, 0);
	handover_begin(&giver.handover);
	assert_int_equal(adopt_all(&giver, heir), 3);
	side_done(&giver);
	fd_close(&heir);
}

static void
without_an_heir_they_retire(void **state)
{
	struct side giver;

	(void)state;
	side_init(&giver);
	add_items(&giver, 3);
	handover_begin(&giver.handover);
	assert_int_equal(giver.retired, 3);
	assert_int_equal(count(&giver, SERVICE_CONNECTION_RETIRED), 3);
	side_done(&giver);
	assert_int_equal(giver.ended, 3);
}

static void
what_is_refused_retires(void **state)
{
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, 3);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	assert_int_equal(giver.frozen, 3);
	assert_int_equal(answer_offer(heir, false), 3);
	turn(&giver);
	assert_int_equal(giver.thawed, 3);
	assert_int_equal(giver.retired, 3);
	assert_int_equal(giver.handed, 0);
	assert_int_equal(answer_offer(heir, true), 0); /* it is not asked again */
	side_done(&giver);
	fd_close(&heir);
}

/* A program that does not know what it was given, or one that hangs: no client waits for it. */
static void
nothing_is_frozen_for_an_heir_that_has_not_greeted(void **state)
{
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, 3);
	heir = open_outbox(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	assert_int_equal(giver.frozen, 0);
	assert_int_equal(giver.retired, 0);
	expire(&giver);
	assert_int_equal(giver.thawed, 0);
	assert_int_equal(giver.retired, 3);
	side_done(&giver);
	fd_close(&heir);
}

/* Dead with one offer answered and another one unread: the kernel tells of the death before it gives out the answer. */
static void
what_was_adopted_before_a_death_is_gone(void **state)
{
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, HANDOFF_RECORDS_MAX + 10);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	assert_int_equal(giver.frozen, HANDOFF_RECORDS_MAX + 10);
	assert_int_equal(answer_offer(heir, true), HANDOFF_RECORDS_MAX);
	fd_close(&heir);
	turn(&giver);
	assert_int_equal(giver.handed, HANDOFF_RECORDS_MAX);
	assert_int_equal(giver.forgotten, HANDOFF_RECORDS_MAX);
	assert_int_equal(giver.thawed, 10);
	assert_int_equal(giver.retired, 10);
	side_done(&giver);
}

/* ... and so it is when the answer arrives just as the patience ends, or while we stood still: then it is no reason to give the heir up. */
static void
what_was_adopted_at_the_last_moment_is_gone(void **state)
{
	struct side giver;
	struct outbox *outbox;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, HANDOFF_RECORDS_MAX + 1);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	outbox = TAILQ_FIRST(&giver.handover.outboxes);
	assert_int_equal(answer_offer(heir, true), HANDOFF_RECORDS_MAX);
	event_del(outbox->readable); /* the timer comes first */
	event_active(outbox->timeout, EV_TIMEOUT, 0);
	turn(&giver);
	assert_int_equal(giver.handed, HANDOFF_RECORDS_MAX);
	assert_int_equal(giver.thawed, 0);
	assert_ptr_equal(TAILQ_FIRST(&giver.handover.outboxes), outbox);
	assert_int_equal(outbox->n_transit, 1);
	assert_true(event_pending(outbox->timeout, EV_TIMEOUT, NULL));
	side_done(&giver);
	fd_close(&heir);
}

/* An heir that wakes up after it was given up adopts nothing: it can't say so. */
static void
late_heir_gets_nothing(void **state)
{
	struct side giver, taker;
	int heir;

	(void)state;
	side_init(&giver);
	side_init(&taker);
	add_items(&giver, 5);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	assert_int_equal(giver.frozen, 5);
	expire(&giver);
	assert_int_equal(giver.thawed, 5);
	assert_int_equal(giver.retired, 5);
	handover_add_inbox(&taker.handover, take_fd(&heir));
	turn(&taker);
	assert_int_equal(taker.adopted, 0);
	assert_int_equal(taker.thawed, 0);
	assert_int_equal(taker.forgotten, 5);
	assert_int_equal(count(&taker, SERVICE_CONNECTION_ACTIVE), 0);
	side_done(&giver);
	side_done(&taker);
}

/* Somebody who may still have a copy must not keep a client from seeing the end. */
static void
what_others_may_have_copies_of_is_marked(void **state)
{
	struct side giver, taker;
	int heir, ends[2];

	(void)state;
	side_init(&giver);
	side_init(&taker);
	add_items(&giver, 1);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	expire(&giver);
	assert_true(TAILQ_FIRST(&giver.handover.list[SERVICE_CONNECTION_RETIRED])->lent);
	/* and it stays so wherever it goes */
	open_pair(ends);
	handover_add_outbox(&giver.handover, ends[0], 1);
	handover_add_inbox(&taker.handover, ends[1]);
	turn(&giver);
	turn(&taker);
	assert_int_equal(taker.adopted, 1);
	assert_true(TAILQ_FIRST(&taker.handover.list[SERVICE_CONNECTION_ACTIVE])->lent);
	turn(&giver);
	side_done(&giver);
	side_done(&taker);
	fd_close(&heir);
}

static void
only_a_window_is_under_way(void **state)
{
	struct side giver;
	int heir;
	size_t n;

	(void)state;
	side_init(&giver);
	add_items(&giver, MANY);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	assert_int_equal(giver.frozen, OUTBOX_WINDOW);
	n = answer_offer(heir, true);
	turn(&giver);
	assert_int_equal(giver.handed, n);
	assert_int_equal(giver.frozen, OUTBOX_WINDOW);
	assert_int_equal(adopt_all(&giver, heir), MANY - n);
	side_done(&giver);
	fd_close(&heir);
}

static void
heirs_get_their_shares(void **state)
{
	static const int shares[] = { 2, 1, 1 };
	struct side giver;
	int heirs[3];
	size_t got[3] = { 0 };

	(void)state;
	side_init(&giver);
	add_items(&giver, 100);
	for (int i = 0; i < 3; i++)
		heirs[i] = open_outbox(&giver, (uint64_t)shares[i]);
	handover_begin(&giver.handover);
	for (int i = 2; i >= 0; i--) { /* however long one takes to greet */
		turn(&giver);
		greet(heirs[i]);
	}
	turn(&giver);
	for (int i = 0; i < 3; i++)
		for (size_t n; (n = answer_offer(heirs[i], true)) > 0;)
			got[i] += n;
	turn(&giver);
	assert_int_equal(giver.handed, 100);
	assert_in_range(got[0], 49, 51);
	assert_in_range(got[1], 24, 26);
	assert_in_range(got[2], 24, 26);
	side_done(&giver);
	for (int i = 0; i < 3; i++)
		fd_close(&heirs[i]);
}

/* What one heir has not adopted when it dies goes to the other one. */
static void
other_heirs_get_what_one_leaves(void **state)
{
	struct side giver;
	int dies, lives;
	size_t n;

	(void)state;
	side_init(&giver);
	add_items(&giver, 200);
	dies = open_greeted(&giver, 1);
	lives = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	n = answer_offer(dies, true);
	assert_in_range(n, 1, 99);
	fd_close(&dies);
	assert_int_equal(adopt_all(&giver, lives), 200 - n);
	assert_int_equal(giver.handed, 200);
	assert_int_equal(giver.retired, 0);
	side_done(&giver);
	fd_close(&lives);
}

static void
busy_one_goes_when_it_can(void **state)
{
	struct side giver;
	struct item *busy;
	int heir;

	(void)state;
	side_init(&giver);
	busy = add_item(&giver);
	add_items(&giver, 2);
	busy->busy = true;
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	assert_int_equal(adopt_all(&giver, heir), 2);
	assert_int_equal(count(&giver, SERVICE_CONNECTION_QUIESCING), 1);
	busy->busy = false;
	handover_movable(&giver.handover, &busy->host);
	assert_int_equal(adopt_all(&giver, heir), 1);
	assert_int_equal(giver.handed, 3);
	side_done(&giver);
	fd_close(&heir);
}

static void
busy_one_retires_when_its_heir_dies(void **state)
{
	struct side giver;
	struct item *busy;
	int heir;

	(void)state;
	side_init(&giver);
	busy = add_item(&giver);
	busy->busy = true;
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	fd_close(&heir);
	turn(&giver);
	assert_int_equal(giver.retired, 1);
	busy->busy = false;
	handover_movable(&giver.handover, &busy->host); /* too late */
	assert_int_equal(count(&giver, SERVICE_CONNECTION_RETIRED), 1);
	side_done(&giver);
}

static void
retired_ones_go_to_a_late_heir(void **state)
{
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, 3);
	handover_begin(&giver.handover);
	assert_int_equal(giver.retired, 3);
	heir = open_greeted(&giver, 1);
	assert_int_equal(adopt_all(&giver, heir), 3);
	assert_int_equal(giver.handed, 3);
	side_done(&giver);
	fd_close(&heir);
}

/* Time is up with all of it under way: here it is cut, there it can't be adopted, and the client sees the end of it. */
static void
cut_ends_what_is_under_way(void **state)
{
	struct side giver, taker;
	int heir;

	(void)state;
	side_init(&giver);
	side_init(&taker);
	add_items(&giver, 300);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	assert_int_equal(answer_offer(heir, true), HANDOFF_RECORDS_MAX);
	handover_cut(&giver.handover);
	assert_int_equal(giver.handed, HANDOFF_RECORDS_MAX);
	assert_int_equal(giver.ended, 300 - HANDOFF_RECORDS_MAX);
	handover_add_inbox(&taker.handover, take_fd(&heir));
	turn(&taker);
	assert_int_equal(taker.adopted, 0);
	side_done(&giver);
	side_done(&taker);
}

static void
answer_for_nothing_ends_the_outbox(void **state)
{
	struct handoff_answer unknown = { .id = 99, .adopted = true };
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, 3);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	say_answers(heir, &unknown, 1);
	turn(&giver);
	assert_true(TAILQ_EMPTY(&giver.handover.outboxes));
	assert_int_equal(giver.handed, 0);
	assert_int_equal(giver.retired, 3);
	side_done(&giver);
	fd_close(&heir);
}

/* Replaces the patience with the heir by a much longer one. */
static void
be_patient(struct side *side)
{
	const struct timeval hour = { .tv_sec = 3600 };

	event_add(TAILQ_FIRST(&side->handover.outboxes)->timeout, &hour);
}

/* Is it still that one? */
static bool
is_patient(struct side *side)
{
	struct timeval until = { 0 }, now;

	assert_true(event_pending(TAILQ_FIRST(&side->handover.outboxes)->timeout, EV_TIMEOUT, &until));
	gettimeofday(&now, NULL);
	return until.tv_sec > now.tv_sec + 1800;
}

/* It says something all the time, but never that it takes what it was offered: the clients would wait for ever. */
static void
heir_that_only_talks_is_given_up(void **state)
{
	struct side giver;
	int heir;

	(void)state;
	side_init(&giver);
	add_items(&giver, HANDOFF_RECORDS_MAX + 1);
	heir = open_greeted(&giver, 1);
	handover_begin(&giver.handover);
	turn(&giver);
	be_patient(&giver);
	greet(heir);
	turn(&giver);
	assert_true(is_patient(&giver));                                 /* the clock was not set again */
	assert_int_equal(answer_offer(heir, true), HANDOFF_RECORDS_MAX); /* that does count */
	turn(&giver);
	assert_false(is_patient(&giver));
	side_done(&giver);
	fd_close(&heir);
}

/* ... and if it talks without end, others have their turn in between. */
static void
heir_that_floods_holds_up_nobody(void **state)
{
	unsigned char data[HANDOFF_MESSAGE_MAX];
	size_t len = handoff_answers_write(data, NULL, 0);
	struct side giver;
	int heir, said = 0;
	char byte;

	(void)state;
	side_init(&giver);
	add_items(&giver, 1);
	heir = open_outbox(&giver, 1);
	while (socket_send(heir, data, len, NULL, 0) == 0)
		said++;
	assert_in_range(said, 100, 10000);
	event_base_loop(giver.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_true(recv(TAILQ_FIRST(&giver.handover.outboxes)->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
	side_done(&giver);
	fd_close(&heir);
}

/* ---- shortages ---- */

/* Lets this process have only the descriptors that it has; the old limit. */
static struct rlimit
forbid_descriptors(void)
{
	struct rlimit before, now;
	int next = dup(0);

	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	now.rlim_cur = (rlim_t)next;
	close(next);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	return before;
}

static void
allow_descriptors(const struct rlimit *before)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, before), 0);
}

/* The receiver loses the descriptors that it has no room for: then it has adopted nothing, and nothing is lost. */
static void
heir_without_descriptors_adopts_nothing(void **state)
{
	struct side giver, taker;
	struct rlimit before;
	int ends[2];

	(void)state;
	side_init(&giver);
	side_init(&taker);
	add_items(&giver, 10);
	open_pair(ends);
	handover_add_outbox(&giver.handover, ends[0], 1);
	handover_add_inbox(&taker.handover, ends[1]);
	handover_begin(&giver.handover);
	turn(&giver);
	assert_int_equal(giver.frozen, 10);
	before = forbid_descriptors();
	turn(&taker);
	allow_descriptors(&before);
	turn(&giver);
	assert_int_equal(taker.adopted, 0);
	assert_int_equal(taker.thawed, 0);
	assert_true(TAILQ_EMPTY(&taker.handover.inboxes));
	assert_int_equal(giver.thawed, 10);
	assert_int_equal(giver.retired, 10);
	side_done(&giver);
	side_done(&taker);
}

/* Large states take a descriptor each while they are under way; where there are none left, one after the other goes. */
static void
giver_without_descriptors_hands_over_all(void **state)
{
	struct side giver, taker;
	struct rlimit before;
	int ends[2], spare[5];

	(void)state;
	side_init(&giver);
	side_init(&taker);
	giver.large = true;
	add_items(&giver, 100);
	open_pair(ends);
	handover_add_outbox(&giver.handover, ends[0], 1);
	handover_add_inbox(&taker.handover, ends[1]);
	for (size_t i = 0; i < ARRAY_LEN(spare); i++)
		spare[i] = dup(0);
	handover_begin(&giver.handover);
	for (int i = 0; i < 100 && giver.handed < 100; i++) {
		before = forbid_descriptors();
		for (size_t j = 0; j < ARRAY_LEN(spare); j++)
			fd_close(&spare[j]);
		turn(&giver);
		allow_descriptors(&before);
		turn(&taker);
		for (size_t j = 0; j < ARRAY_LEN(spare); j++)
			spare[j] = dup(0);
	}
	for (size_t j = 0; j < ARRAY_LEN(spare); j++)
		fd_close(&spare[j]);
	assert_int_equal(giver.retired, 0);
	assert_int_equal(giver.handed, 100);
	assert_int_equal(taker.adopted, 100);
	side_done(&giver);
	side_done(&taker);
}

/* Not root: no more descriptors of a user may be under way than one process may have. Then it is tried again, after a pause. */
static void
too_many_descriptors_under_way_wait(void **state)
{
	struct side giver;
	struct rlimit before, low;
	struct outbox *outbox;
	int heir;

	(void)state;
	if (geteuid() != 0)
		skip();
	side_init(&giver);
	add_items(&giver, 300);
	heir = open_greeted(&giver, 1);
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = HANDOFF_RECORDS_MAX - 1; /* the first message makes it more */
	setrlimit(RLIMIT_NOFILE, &low);
	assert_int_equal(seteuid(NOBODY), 0);
	handover_begin(&giver.handover);
	turn(&giver);
	outbox = TAILQ_FIRST(&giver.handover.outboxes);
	assert_true(outbox->writer.n_records > 0);
	assert_true(event_pending(outbox->timeout, EV_TIMEOUT, NULL));
	assert_true(event_pending(outbox->retry, EV_TIMEOUT, NULL));
	assert_false(event_pending(outbox->writable, EV_WRITE, NULL)); /* it is, and the loop would spin */
	while (giver.handed < 300) {
		setrlimit(RLIMIT_NOFILE, &before);
		while (answer_offer(heir, true) > 0)
			;
		setrlimit(RLIMIT_NOFILE, &low);
		event_base_loop(giver.base, EVLOOP_ONCE);
	}
	assert_int_equal(seteuid(0), 0);
	setrlimit(RLIMIT_NOFILE, &before);
	side_done(&giver);
	fd_close(&heir);
}

static void
store_fd(int fd, uint64_t share, void *arg)
{
	assert_int_equal(share, 7);
	*(int *)arg = fd;
}

static void
refuse_fd(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	fail();
}

/* A worker that has all the connections it can have must be able to get rid of them. */
static void
worker_without_descriptors_gets_an_outbox(void **state)
{
	static const struct channel_handler handler = { store_fd, refuse_fd };
	struct event_base *base = event_base_new();
	int ends[2], outbox[2], passed = -1;
	struct channel *channel;
	struct rlimit before;

	(void)state;
	open_pair(ends);
	open_pair(outbox);
	channel = channel_new(base, ends[1], &handler, &passed);
	assert_int_equal(socket_send(ends[0], "outbox 7\n", 9, outbox, 1), 0);
	before = forbid_descriptors();
	event_base_loop(base, EVLOOP_NONBLOCK);
	allow_descriptors(&before);
	assert_true(passed >= 0);
	channel_free(channel);
	event_base_free(base);
	fd_close(&passed);
	for (int i = 0; i < 2; i++) {
		fd_close(&ends[i]);
		fd_close(&outbox[i]);
	}
}

/* ---- coming ---- */

/* The beginning of a record, as outbox.c writes it. */
static void
begin_record(struct handoff_writer *w, uint64_t id, const char *type, uint64_t version)
{
	handoff_writer_begin(w, id);
	handoff_put_bytes(w, HANDOFF_TAG_SERVICE, type, strlen(type));
	handoff_put_number(w, HANDOFF_TAG_SERVICE_VERSION, version);
	handoff_put_fd(w, STDIN_FILENO);
}

static void
put_record(struct handoff_writer *w, uint64_t id, const char *type, uint64_t version)
{
	begin_record(w, id, type, version);
	handoff_put_number(w, HANDOFF_TAG_ACCEPTED, 12345);
	handoff_put_number(w, HANDOFF_TAG_MOVES, 2);
	assert_int_equal(handoff_writer_end(w), 0);
}

/* Reads answers up to the next that is no greeting. How many. */
static int
read_answers(int fd, struct handoff_answer answers[static HANDOFF_RECORDS_MAX])
{
	unsigned char data[HANDOFF_MESSAGE_MAX];
	size_t no_fds = 0;
	ssize_t len;
	int n;

	do {
		len = socket_receive(fd, data, sizeof(data), NULL, &no_fds);
		n = len > 0 ? handoff_answers_read(answers, data, (size_t)len) : -1;
	} while (n == 0);
	return n;
}

static void
inbox_greets(void **state)
{
	struct side taker;
	unsigned char data[HANDOFF_MESSAGE_MAX];
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	size_t no_fds = 0;
	int giver;
	ssize_t len;

	(void)state;
	side_init(&taker);
	giver = open_inbox(&taker);
	len = socket_receive(giver, data, sizeof(data), NULL, &no_fds);
	assert_true(len > 0);
	assert_int_equal(handoff_answers_read(answers, data, (size_t)len), 0);
	side_done(&taker);
	fd_close(&giver);
}

/* What the host knows comes along; what can't be made sense of is refused, and hinders nothing. */
static void
only_what_is_understood_is_adopted(void **state)
{
	struct handoff_writer writer = { 0 };
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	struct service_connection *adopted;
	struct side taker;
	int giver;

	(void)state;
	side_init(&taker);
	giver = open_inbox(&taker);
	put_record(&writer, 1, "test", ops.handoff_version);
	put_record(&writer, 2, "test", ops.handoff_version + 1);
	put_record(&writer, 3, "tes", ops.handoff_version);
	put_record(&writer, 4, "tests", ops.handoff_version);
	begin_record(&writer, 5, "test", ops.handoff_version); /* its fields end there */
	assert_int_equal(handoff_writer_end(&writer), 0);
	assert_int_equal(handoff_writer_send(&writer, giver), 0);
	turn(&taker);
	assert_int_equal(read_answers(giver, answers), 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(answers[i].id, i + 1);
		assert_int_equal(answers[i].adopted, i == 0);
	}
	assert_int_equal(taker.adopted, 1);
	adopted = TAILQ_FIRST(&taker.handover.list[SERVICE_CONNECTION_ACTIVE]);
	assert_int_equal(adopted->accepted_us, 12345);
	assert_int_equal(adopted->moves, 2);
	handoff_writer_done(&writer);
	side_done(&taker);
	fd_close(&giver);
}

static void
nothing_is_served_before_adopted_was_said(void **state)
{
	struct handoff_writer writer = { 0 };
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	struct side taker;
	int giver;

	(void)state;
	side_init(&taker);
	giver = open_inbox(&taker);
	assert_int_equal(read_answers(giver, answers), -1); /* the greeting is not in the way */
	taker.watched = giver;
	put_record(&writer, 1, "test", ops.handoff_version);
	assert_int_equal(handoff_writer_send(&writer, giver), 0);
	turn(&taker);
	assert_int_equal(taker.thawed, 1);
	assert_false(taker.thawed_untold);
	handoff_writer_done(&writer);
	side_done(&taker);
	fd_close(&giver);
}

/* The giver reads none of the answers for a whole window of the smallest offers: they find room all the same. */
static void
window_of_answers_finds_room(void **state)
{
	struct handoff_writer writer = { 0 };
	struct side taker;
	int giver;

	(void)state;
	side_init(&taker);
	giver = open_inbox(&taker);
	for (unsigned i = 0; i < OUTBOX_WINDOW; i++) {
		put_record(&writer, i, "test", ops.handoff_version);
		assert_int_equal(handoff_writer_send(&writer, giver), 0);
		turn(&taker);
	}
	assert_int_equal(taker.adopted, OUTBOX_WINDOW);
	handoff_writer_done(&writer);
	side_done(&taker);
	fd_close(&giver);
}

static void
send_offer(int fd, unsigned first, unsigned n)
{
	struct handoff_writer writer = { 0 };

	for (unsigned i = 0; i < n; i++)
		put_record(&writer, first + i, "test", ops.handoff_version);
	assert_int_equal(handoff_writer_send(&writer, fd), 0);
	handoff_writer_done(&writer);
}

/* The loop looks once; each event that is there is heard once. */
static void
look_once(struct side *side)
{
	event_base_loop(side->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
in_the_rush_full_offers_are_taken_one_after_another(void **state)
{
	enum { LAST = 3 };
	struct side taker;
	int giver;

	(void)state;
	side_init(&taker);
	taker.handover.rush.length_us = LONG_US;
	giver = open_inbox(&taker);
	send_offer(giver, 0, HANDOFF_RECORDS_MAX);
	send_offer(giver, HANDOFF_RECORDS_MAX, HANDOFF_RECORDS_MAX);
	send_offer(giver, 2 * HANDOFF_RECORDS_MAX, LAST);
	look_once(&taker);
	assert_int_equal(taker.adopted, 2 * HANDOFF_RECORDS_MAX + LAST);
	side_done(&taker);
	fd_close(&giver);
}

static void
after_the_rush_offers_are_taken_one_at_a_time(void **state)
{
	struct side taker;
	int giver;

	(void)state;
	side_init(&taker);
	giver = open_inbox(&taker);
	send_offer(giver, 0, HANDOFF_RECORDS_MAX);
	send_offer(giver, HANDOFF_RECORDS_MAX, HANDOFF_RECORDS_MAX);
	for (int offers = 1; offers <= 2; offers++) {
		look_once(&taker);
		assert_int_equal(taker.adopted, offers * HANDOFF_RECORDS_MAX);
	}
	side_done(&taker);
	fd_close(&giver);
}

static void
in_the_rush_the_next_offer_is_waited_for(void **state)
{
	struct side taker;
	int giver;
	uint64_t begun_us;

	(void)state;
	side_init(&taker);
	taker.handover.rush.length_us = LONG_US;
	giver = open_inbox(&taker);
	send_offer(giver, 0, HANDOFF_RECORDS_MAX);
	begun_us = clock_now_us();
	look_once(&taker);
	assert_int_equal(taker.adopted, HANDOFF_RECORDS_MAX);
	assert_true(clock_now_us() - begun_us >= INBOX_PATIENCE_US);
	/* but not for as long as the rush goes on */
	assert_true(rush_left_us(&taker.handover.rush) > 0);
	side_done(&taker);
	fd_close(&giver);
}

static void
who_has_no_more_is_not_waited_for(void **state)
{
	struct side taker;
	int giver;

	(void)state;
	side_init(&taker);
	taker.handover.rush.length_us = LONG_US;
	giver = open_inbox(&taker);
	send_offer(giver, 0, HANDOFF_RECORDS_MAX);
	shutdown(giver, SHUT_WR);
	look_once(&taker);
	assert_int_equal(taker.adopted, HANDOFF_RECORDS_MAX);
	assert_true(TAILQ_EMPTY(&taker.handover.inboxes));
	side_done(&taker);
	fd_close(&giver);
}

static void
nonsense_closes_the_inbox(void **state)
{
	static const struct {
		const char *data;
		size_t len, n_fds;
	} cases[] = {
		{ "nonsense", 8, 0 },
		{ "gfho\1\0\1\0\0\0\0\0\20\0\0\0", 16, 0 }, /* no records */
		{ "gfho\2\0\1\0\1\0\0\0\20\0\0\0", 16, 1 }, /* another version */
		{ "gfho\1\0\2\0\0\0\0\0\20\0\0\0", 16, 0 }, /* a greeting */
		{ "x", 1, 5 },
	};
	static const int fds[] = { 0, 0, 0, 0, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct handoff_answer answers[HANDOFF_RECORDS_MAX];
		struct side taker;
		int giver, before;

		side_init(&taker);
		giver = open_inbox(&taker);
		before = dup(0);
		close(before);
		assert_int_equal(socket_send(giver, cases[i].data, cases[i].len, fds, cases[i].n_fds), 0);
		turn(&taker);
		assert_true(TAILQ_EMPTY(&taker.handover.inboxes));
		assert_int_equal(read_answers(giver, answers), -1);
		side_done(&taker);
		assert_true(fcntl(before, F_GETFD) < 0); /* nothing that came stayed open */
		fd_close(&giver);
	}
}

/* A worker that is to leave itself is no heir. */
static void
drain_closes_inboxes(void **state)
{
	struct handoff_writer writer = { 0 };
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	struct side taker;
	int giver;

	(void)state;
	side_init(&taker);
	giver = open_inbox(&taker);
	put_record(&writer, 1, "test", ops.handoff_version);
	assert_int_equal(handoff_writer_send(&writer, giver), 0);
	handover_begin(&taker.handover);
	turn(&taker);
	assert_int_equal(taker.adopted, 0);
	assert_int_equal(read_answers(giver, answers), -1);
	fd_close(&giver);
	giver = open_inbox(&taker);
	assert_int_equal(handoff_writer_send(&writer, giver), -EPIPE); /* nor later */
	handoff_writer_done(&writer);
	side_done(&taker);
	fd_close(&giver);
}

static int
silence(void **state)
{
	(void)state;
	log_init("unit-test", LOG_ERR - 1); /* its complaints are wanted here */
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_go_to_the_heir),
		cmocka_unit_test(in_the_rush_all_leave_before_anything_else),
		cmocka_unit_test(the_rush_ends_with_the_heir),
		cmocka_unit_test(after_the_rush_the_loop_goes_on),
		cmocka_unit_test(a_few_leave_among_the_others),
		cmocka_unit_test(a_few_that_take_long_go_in_a_rush),
		cmocka_unit_test(a_quick_heir_gets_its_share_of_a_few),
		cmocka_unit_test(a_handoff_comes_first_in_the_rush_only),
		cmocka_unit_test(nothing_leaves_before_the_drain),
		cmocka_unit_test(without_an_heir_they_retire),
		cmocka_unit_test(what_is_refused_retires),
		cmocka_unit_test(nothing_is_frozen_for_an_heir_that_has_not_greeted),
		cmocka_unit_test(what_was_adopted_before_a_death_is_gone),
		cmocka_unit_test(what_was_adopted_at_the_last_moment_is_gone),
		cmocka_unit_test(late_heir_gets_nothing),
		cmocka_unit_test(what_others_may_have_copies_of_is_marked),
		cmocka_unit_test(only_a_window_is_under_way),
		cmocka_unit_test(heirs_get_their_shares),
		cmocka_unit_test(other_heirs_get_what_one_leaves),
		cmocka_unit_test(busy_one_goes_when_it_can),
		cmocka_unit_test(busy_one_retires_when_its_heir_dies),
		cmocka_unit_test(retired_ones_go_to_a_late_heir),
		cmocka_unit_test(cut_ends_what_is_under_way),
		cmocka_unit_test(answer_for_nothing_ends_the_outbox),
		cmocka_unit_test(heir_that_only_talks_is_given_up),
		cmocka_unit_test(heir_that_floods_holds_up_nobody),
		cmocka_unit_test(heir_without_descriptors_adopts_nothing),
		cmocka_unit_test(giver_without_descriptors_hands_over_all),
		cmocka_unit_test(too_many_descriptors_under_way_wait),
		cmocka_unit_test(worker_without_descriptors_gets_an_outbox),
		cmocka_unit_test(inbox_greets),
		cmocka_unit_test(only_what_is_understood_is_adopted),
		cmocka_unit_test(nothing_is_served_before_adopted_was_said),
		cmocka_unit_test(window_of_answers_finds_room),
		cmocka_unit_test(in_the_rush_full_offers_are_taken_one_after_another),
		cmocka_unit_test(after_the_rush_offers_are_taken_one_at_a_time),
		cmocka_unit_test(in_the_rush_the_next_offer_is_waited_for),
		cmocka_unit_test(who_has_no_more_is_not_waited_for),
		cmocka_unit_test(nonsense_closes_the_inbox),
		cmocka_unit_test(drain_closes_inboxes),
	};

	return cmocka_run_group_tests(tests, silence, NULL);
}
