/*
 * The pool in the master's heritage: its generations, addresses, slots and workers, while no roll is under way.
 */
#ifndef MASTER_POOL_HERITAGE_H
#define MASTER_POOL_HERITAGE_H

#include "master/heritage.h"
#include "master/pool.h"

/*
 * Is there nothing under way that a description would not say: no roll, no stop, no loss or exit that its slot has not seen yet? (If one
 * has not been seen, the pool is about to look, and says so by on_change.)
 */
bool pool_is_quiet(const struct pool *pool);

json_t *pool_save(struct heritage *heritage, const struct pool *pool);

/* Into a new pool, which serves from then on as the one that was saved. False when it can't be: pool_discard is due. */
bool pool_load(struct heritage *heritage, const json_t *json, struct pool *pool);

/* Frees a pool that was loaded in a trial, or in part: its workers are nobody's any more. */
void pool_discard(struct pool *pool);

#endif
