/*
 * All that one image of the master leaves to the next, as one description: see heritage.h.
 */
#ifndef MASTER_INVENTORY_H
#define MASTER_INVENTORY_H

#include "master/heritage.h"
#include "master/master.h"
#include "master/pool.h"
#include "master/recycle.h"
#include "systemd/listen_fds.h"

/* Where things are. The numbers of the master's own are copied by whoever calls. */
struct inventory {
	struct pool *pool;
	struct listen_fds *passed;
	struct reload *reload;
	struct recycle *recycle;
	const struct master_extension *extension; /* NULL: none */
	struct inventory_own {
		uint64_t started_us, started_wall_us;
		uint64_t begun_us; /* when the re-exec began */
		unsigned
			open_files; /* what a worker may have, where nothing is said; the master's own limit is another by now */
		unsigned log_lost; /* lines of the log, see log_lost */
		char *program;     /* where this program is to be found; loading: allocated */
	} own;
};

/* Describes it all. NULL without memory. In a trial the extension is asked for what a trial reads. */
json_t *inventory_save(struct heritage *heritage, const struct inventory *inventory, bool trial);

/*
 * Brings what is new and empty to that state. `master` is for the extension. False, with the reason in the heritage. What was loaded
 * is to be freed with its owners; the pool by pool_discard.
 */
bool inventory_load(
	struct heritage *heritage, const json_t *json, struct inventory *inventory, struct master *master);

#endif
