/*
 * A hash that is the same in every worker and every version, since who is served where rests on it. Not for tables
 * that a stranger could fill.
 */
#ifndef SERVICE_PROXY_HASH_H
#define SERVICE_PROXY_HASH_H

#include <stddef.h>
#include <stdint.h>

/* splitmix64's finaliser: every bit depends on every other. */
static inline uint64_t
hash_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* FNV-1a, mixed. */
static inline uint64_t
hash_bytes(const void *data, size_t len)
{
	const unsigned char *byte = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash_mix(hash);
}

#endif
