/*
 * Which of several peers is next.
 */
#include "service/proxy/balance.h"

#include "service/proxy/hash.h"

#include <math.h>

/* Those to choose from: usable, not to be skipped, and of one kind. */
struct choice {
	struct balance_peer *peers;
	size_t n;
	uint64_t skip;
	bool backup;
};

static bool
can_take(const struct choice *choice, size_t i)
{
	const struct balance_peer *peer = &choice->peers[i];

	return peer->usable && peer->backup == choice->backup && !(choice->skip >> i & 1);
}

/*
 * Smooth weighted round robin: each peer earns its weight, the richest is taken and pays for all. Weights 5, 1, 1 give
 * a a b a c a a, not a a a a a b c.
 */
static size_t
choose_in_turn(const struct choice *choice)
{
	size_t best = BALANCE_NONE;
	int64_t total = 0;

	for (size_t i = 0; i < choice->n; i++) {
		struct balance_peer *peer = &choice->peers[i];

		if (!can_take(choice, i))
			continue;
		total += peer->weight;
		peer->credit += peer->weight;
		if (best == BALANCE_NONE || peer->credit > choice->peers[best].credit)
			best = i;
	}
	if (best != BALANCE_NONE)
		choice->peers[best].credit -= total;
	return best;
}

/* The one with the fewest connections for its weight; among equals, in turn. */
static size_t
choose_least(const struct choice *choice)
{
	struct choice equals = *choice;
	const struct balance_peer *least = NULL;

	for (size_t i = 0; i < choice->n; i++) {
		const struct balance_peer *peer = &choice->peers[i];
		if (can_take(choice, i) &&
			(!least || peer->connections * least->weight < least->connections * peer->weight))
			least = peer;
	}
	for (size_t i = 0; least && i < choice->n; i++)
		if (choice->peers[i].connections * least->weight !=
			least->connections * choice->peers[i].weight)
			equals.skip |= UINT64_C(1) << i;
	return choose_in_turn(&equals);
}

/*
 * -ln of a number in (0, 1), to nine digits, which is far more than it takes to share by weight: by the series of artanh. By hand, since
 * to load libm takes a worker an eighth of the time in which it starts.
 */
static double
minus_ln(double number)
{
	int exponent;
	double mantissa = frexp(number, &exponent); /* in [0.5, 1), so that `term` loses a digit each time */
	double term = (1 - mantissa) / (1 + mantissa), square = term * term, sum = 0;

	for (int k = 1; k < 18; k += 2) {
		sum += term / k;
		term *= square;
	}
	return 2 * sum - exponent * M_LN2;
}

/*
 * Weighted rendezvous hashing: each peer draws a number from the client's address, the best one wins. Where a peer
 * comes or goes only its own clients move.
 */
static size_t
choose_by_source(const struct choice *choice, uint64_t source)
{
	size_t best = BALANCE_NONE;
	double best_score = 0;

	for (size_t i = 0; i < choice->n; i++) {
		uint64_t drawn = hash_mix(choice->peers[i].id ^ source);
		/* in (0, 1): 53 bits are what a double holds */
		double score = minus_ln(((double)(drawn >> 11) + 0.5) * 0x1p-53) / choice->peers[i].weight;

		if (can_take(choice, i) && (best == BALANCE_NONE || score < best_score)) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

static size_t
choose(enum balance_method method, const struct choice *choice, uint64_t source)
{
	if (method == BALANCE_LEAST_CONNECTIONS)
		return choose_least(choice);
	if (method == BALANCE_SOURCE && source != 0)
		return choose_by_source(choice, source);
	return choose_in_turn(choice);
}

size_t
balance_choose(
	enum balance_method method, struct balance_peer *peers, size_t n, uint64_t skip, uint64_t source)
{
	struct choice choice = { .peers = peers, .n = n, .skip = skip };
	size_t best = choose(method, &choice, source);

	if (best != BALANCE_NONE)
		return best;
	choice.backup = true;
	return choose(method, &choice, source);
}
