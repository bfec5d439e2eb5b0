/*
 * Which of several peers is next. Pure: no clock, no descriptor, no memory.
 *
 * Peers that are backups are taken only when no other one can be.
 */
#ifndef SERVICE_PROXY_BALANCE_H
#define SERVICE_PROXY_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BALANCE_PEERS_MAX 48

#define BALANCE_NONE SIZE_MAX

enum balance_method {
	BALANCE_ROUND_ROBIN,
	BALANCE_LEAST_CONNECTIONS,
	BALANCE_SOURCE,
};

struct balance_peer {
	unsigned weight; /* 1 … */
	bool backup;
	bool usable;
	uint64_t id;          /* a hash of its name */
	uint64_t connections; /* that it has now */
	int64_t credit;       /* of the round robin; the sum over all peers is 0 */
};

/*
 * The peer to take, its credit spent, or BALANCE_NONE. `skip` has a bit for each that is not wanted. `source` is
 * address_hash of the client; 0: it has none, then BALANCE_SOURCE is a round robin.
 */
size_t balance_choose(
	enum balance_method method, struct balance_peer *peers, size_t n, uint64_t skip, uint64_t source);

#endif
