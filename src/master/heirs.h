/*
 * Heirs: the workers that get the connections of one which is about to drain.
 *
 * The successor in its slot gets them, if there is one. When the pool grows, the slots that are new get their part too, so that
 * connections which last long are spread as evenly as new ones; when it shrinks, the slots that stay share what the others had.
 */
#ifndef MASTER_HEIRS_H
#define MASTER_HEIRS_H

struct pool;
struct worker;

/* A worker has so many heirs beside its successor at most: each takes a socket of both, for a moment. */
#define HEIRS_MAX 16

/* How often a worker is joined with them again that has lost its way out: where it does not help once, it may never do. */
#define HEIRS_RESCUES_MAX 8

/*
 * What the worker of `slot` leaves to the slot `heir`, when a pool of n_old workers becomes one of n_new: relative to what its
 * other heirs get; 0: nothing. Pure. If each slot has as many connections as another before, it is so afterwards, as long as
 * neither number exceeds HEIRS_MAX; beyond that nearly.
 */
unsigned heirs_share(unsigned slot, unsigned heir, unsigned n_old, unsigned n_new);

/* Joins a worker that is about to drain with its heirs. */
void heirs_appoint(struct pool *pool, struct worker *worker);

/*
 * Joins those that drain already with a successor that has become READY since: the one that they had may have died. And once more those
 * that say they have no way out.
 */
void heirs_appoint_late(struct pool *pool);

#endif
