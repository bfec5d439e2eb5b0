/*
 * The pure parts of the service proxy: balance, health, states, addresses.
 */
#include "service/proxy/address.h"
#include "service/proxy/balance.h"
#include "service/proxy/health.h"
#include "service/proxy/relay_state.h"

#include "base/cleanup.h"
#include "service/proxy/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Peers a, b, c … with these weights, all usable. */
static size_t
make_peers(struct balance_peer *peers, const unsigned *weights, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char name = (char)('a' + i);

		peers[i] = (struct balance_peer){
			.weight = weights[i], .usable = true, .id = hash_bytes(&name, 1)
		};
	}
	return n;
}

/* Who is chosen in turn, as letters; '-' for nobody. */
static void
choose_many(enum balance_method method, struct balance_peer *peers, size_t n, uint64_t skip, char *ret,
	size_t times)
{
	for (size_t i = 0; i < times; i++) {
		size_t chosen = balance_choose(method, peers, n, skip, 0);

		ret[i] = chosen == BALANCE_NONE ? '-' : (char)('a' + chosen);
	}
	ret[times] = '\0';
}

static void
round_robin_is_smooth(void **state)
{
	static const struct {
		unsigned weights[4];
		size_t n;
		const char *order;
	} cases[] = {
		{ { 1 }, 1, "aaa" },
		{ { 1, 1, 1 }, 3, "abcabc" },
		{ { 5, 1, 1 }, 3, "aabacaaaabacaa" },
		{ { 2, 1 }, 2, "abaaba" },
		{ { 3, 2 }, 2, "ababa" },
	};
	struct balance_peer peers[4];
	char order[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		make_peers(peers, cases[i].weights, cases[i].n);
		choose_many(BALANCE_ROUND_ROBIN, peers, cases[i].n, 0, order, strlen(cases[i].order));
		assert_string_equal(order, cases[i].order);
	}
}

static void
who_cannot_be_taken_is_left_out(void **state)
{
	static const unsigned weights[] = { 1, 1, 1 };
	struct balance_peer peers[3];
	char order[8];

	(void)state;
	make_peers(peers, weights, 3);
	peers[1].usable = false;
	choose_many(BALANCE_ROUND_ROBIN, peers, 3, 0, order, 4);
	assert_string_equal(order, "acac");
	choose_many(BALANCE_ROUND_ROBIN, peers, 3, 1, order, 2);
	assert_string_equal(order, "cc");
	choose_many(BALANCE_ROUND_ROBIN, peers, 3, 1 | 4, order, 2);
	assert_string_equal(order, "--");
}

static void
backups_come_last(void **state)
{
	static const enum balance_method methods[] = { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONNECTIONS,
		BALANCE_SOURCE };
	static const unsigned weights[] = { 1, 1, 9 };
	struct balance_peer peers[3];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		make_peers(peers, weights, 3);
		peers[2].backup = true;
		peers[0].connections = peers[1].connections = 100;
		for (uint64_t source = 1; source < 50; source++)
			assert_true(balance_choose(methods[i], peers, 3, 0, source) < 2);
		peers[0].usable = peers[1].usable = false;
		assert_int_equal(balance_choose(methods[i], peers, 3, 0, 7), 2);
	}
}

static void
the_least_busy_is_taken(void **state)
{
	static const struct {
		unsigned weights[3];
		uint64_t connections[3];
		size_t wanted;
	} cases[] = {
		{ { 1, 1, 1 }, { 2, 1, 3 }, 1 }, { { 1, 1, 1 }, { 0, 1, 0 }, 0 },
		{ { 1, 4, 1 }, { 2, 7, 2 }, 1 },                                  /* 7/4 < 2 */
		{ { 1, 4, 1 }, { 1, 7, 2 }, 0 }, { { 1, 4, 8 }, { 1, 4, 8 }, 2 }, /* all alike: by weight */
	};
	struct balance_peer peers[3];
	char order[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		make_peers(peers, cases[i].weights, 3);
		for (size_t j = 0; j < 3; j++)
			peers[j].connections = cases[i].connections[j];
		assert_int_equal(balance_choose(BALANCE_LEAST_CONNECTIONS, peers, 3, 0, 0), cases[i].wanted);
	}
	make_peers(peers, (const unsigned[]){ 1, 1, 1 }, 3);
	choose_many(BALANCE_LEAST_CONNECTIONS, peers, 3, 0, order, 6);
	assert_string_equal(order, "abcabc"); /* equals in turn */
}

/* A client stays where it is, but for those of the peer that goes; shares follow the weights. */
static void
a_source_stays_where_it_is(void **state)
{
	enum { CLIENTS = 20000 };
	static const unsigned weights[] = { 1, 2, 1, 4 };
	struct balance_peer peers[4];
	size_t share[4] = { 0 };

	(void)state;
	make_peers(peers, weights, 4);
	for (uint32_t client = 1; client <= CLIENTS; client++) {
		uint64_t source = hash_bytes(&client, sizeof(client));
		size_t before = balance_choose(BALANCE_SOURCE, peers, 4, 0, source), after;

		share[before]++;
		assert_int_equal(balance_choose(BALANCE_SOURCE, peers, 4, 0, source), before);
		peers[2].usable = false;
		after = balance_choose(BALANCE_SOURCE, peers, 4, 0, source);
		peers[2].usable = true;
		assert_int_not_equal(after, 2);
		if (before != 2)
			assert_int_equal(after, before);
	}
	for (size_t i = 0; i < 4; i++) {
		size_t fair = CLIENTS * weights[i] / 8;

		assert_in_range(share[i], fair * 9 / 10, fair * 11 / 10);
	}
}

static void
a_source_without_address_goes_in_turn(void **state)
{
	static const unsigned weights[] = { 1, 1 };
	struct balance_peer peers[2];
	char order[8];

	(void)state;
	make_peers(peers, weights, 2);
	choose_many(BALANCE_SOURCE, peers, 2, 0, order, 4);
	assert_string_equal(order, "abab");
}

/* Results as letters, g good and b bad; the state after each, u up and d down. */
static void
health_follows_a_row_of_results(void **state)
{
	static const struct {
		unsigned rise, fall;
		const char *results, *states;
	} cases[] = {
		{ 1, 3, "bbgbbbg", "uuuuudu" },
		{ 1, 1, "bgb", "dud" },
		{ 2, 2, "bbgbggbgbb",
			"uddddu"
			"uuud" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct health health = { .is_down = false };

		for (size_t j = 0; cases[i].results[j]; j++) {
			bool before = health.is_down;
			bool changed = health_note(
				&health, cases[i].results[j] == 'g', cases[i].rise, cases[i].fall);

			assert_int_equal(health.is_down ? 'd' : 'u', cases[i].states[j]);
			assert_int_equal(changed, before != health.is_down);
		}
	}
}

/* From every state the end can be reached, by a failure; nothing leads back to NEW, or out of CLOSED. */
static void
every_state_has_a_way_out(void **state)
{
	(void)state;
	for (int from = 0; from < RELAY_CLOSED; from++) {
		assert_int_equal(relay_state_next(from, RELAY_FAILS), RELAY_CLOSED);
		assert_non_null(relay_state_name(from));
		for (int input = 0; input < RELAY_INPUTS; input++)
			assert_int_not_equal(relay_state_next(from, input), RELAY_NEW);
	}
	for (int input = 0; input < RELAY_INPUTS; input++)
		assert_int_equal(relay_state_next(RELAY_CLOSED, input), RELAY_STATES);
}

static void
each_wait_expires(void **state)
{
	(void)state;
	assert_int_equal(relay_state_next(RELAY_GREETING, RELAY_EXPIRES), RELAY_CLOSED);
	assert_int_equal(relay_state_next(RELAY_WAITING, RELAY_EXPIRES), RELAY_CLOSED);
	assert_int_equal(relay_state_next(RELAY_RELAYING, RELAY_EXPIRES), RELAY_CLOSED);
	assert_int_equal(relay_state_next(RELAY_CONNECTING, RELAY_MAY_CHOOSE), RELAY_CHOOSING);
	assert_int_equal(relay_state_next(RELAY_CHOOSING, RELAY_HAS_NONE), RELAY_CLOSED);
	/* bytes may be on their way: never to another upstream from there */
	assert_int_equal(relay_state_next(RELAY_RELAYING, RELAY_MAY_CHOOSE), RELAY_STATES);
}

static void
addresses_are_read(void **state)
{
	struct address a, b;

	(void)state;
	assert_int_equal(address_parse(&a, "127.0.0.1", 80), 0);
	assert_int_equal(a.any.sa_family, AF_INET);
	assert_int_equal(address_parse(&b, "::1", 80), 0);
	assert_int_equal(b.any.sa_family, AF_INET6);
	assert_false(address_equal(&a, &b));
	assert_true(address_hash(&a) != 0 && address_hash(&b) != 0);
	assert_int_equal(address_parse(&b, "127.0.0.1", 81), 0);
	assert_false(address_equal(&a, &b));
	assert_int_equal(address_hash(&a), address_hash(&b)); /* the port doesn't matter there */
	assert_int_not_equal(address_parse(&a, "127.0.0.1.5", 80), 0);
	assert_int_not_equal(address_parse(&a, "localhost", 80), 0);
	address_of_path(&a, "/run/x");
	assert_int_equal(address_hash(&a), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_robin_is_smooth),
		cmocka_unit_test(who_cannot_be_taken_is_left_out),
		cmocka_unit_test(backups_come_last),
		cmocka_unit_test(the_least_busy_is_taken),
		cmocka_unit_test(a_source_stays_where_it_is),
		cmocka_unit_test(a_source_without_address_goes_in_turn),
		cmocka_unit_test(health_follows_a_row_of_results),
		cmocka_unit_test(every_state_has_a_way_out),
		cmocka_unit_test(each_wait_expires),
		cmocka_unit_test(addresses_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
