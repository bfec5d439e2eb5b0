/*
 * Where things are in a message of ipc/handoff.h: for its two files alone.
 */
#ifndef IPC_HANDOFF_LAYOUT_H
#define IPC_HANDOFF_LAYOUT_H

#include "ipc/handoff.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define LAYOUT_MAGIC "gfho"

enum { LAYOUT_OFFER = 1, LAYOUT_ANSWERS = 2 };   /* kinds of message */
enum { LAYOUT_REFUSED = 0, LAYOUT_ADOPTED = 1 }; /* verdicts */

/* Offsets and sizes, in bytes. */
enum {
	LAYOUT_VERSION = 4, /* u16 */
	LAYOUT_KIND = 6,    /* u16 */
	LAYOUT_COUNT = 8,   /* u32 */
	LAYOUT_LENGTH = 12, /* u32 */
	LAYOUT_HEADER = 16,

	LAYOUT_RECORD_LENGTH = 0, /* u32 */
	LAYOUT_RECORD_FDS = 4,    /* u16 */
	LAYOUT_RECORD_ID = 6,     /* u64 */
	LAYOUT_RECORD = 14,

	LAYOUT_FIELD_TAG = 0,    /* u16 */
	LAYOUT_FIELD_LENGTH = 2, /* u32 */
	LAYOUT_FIELD = 6,

	LAYOUT_ANSWER_ID = 0,      /* u64 */
	LAYOUT_ANSWER_VERDICT = 8, /* u16 */
	LAYOUT_ANSWER = 10,
};

static inline void
layout_put_u16(unsigned char *at, unsigned value)
{
	uint16_t le = htole16((uint16_t)value);

	memcpy(at, &le, sizeof(le));
}

static inline void
layout_put_u32(unsigned char *at, size_t value)
{
	uint32_t le = htole32((uint32_t)value);

	memcpy(at, &le, sizeof(le));
}

static inline void
layout_put_u64(unsigned char *at, uint64_t value)
{
	uint64_t le = htole64(value);

	memcpy(at, &le, sizeof(le));
}

static inline unsigned
layout_u16(const unsigned char *at)
{
	uint16_t le;

	memcpy(&le, at, sizeof(le));
	return le16toh(le);
}

static inline uint32_t
layout_u32(const unsigned char *at)
{
	uint32_t le;

	memcpy(&le, at, sizeof(le));
	return le32toh(le);
}

static inline uint64_t
layout_u64(const unsigned char *at)
{
	uint64_t le;

	memcpy(&le, at, sizeof(le));
	return le64toh(le);
}

/* Has an offer with so many records, bytes and descriptors no room for another one? */
static inline bool
layout_is_full(size_t records, size_t len, size_t fds)
{
	return records == HANDOFF_RECORDS_MAX || len >= HANDOFF_FULL ||
	       fds + HANDOFF_RECORD_FDS > HANDOFF_FDS_MAX;
}

static inline void
layout_put_header(unsigned char *at, unsigned version, unsigned kind, size_t count, size_t length)
{
	memcpy(at, LAYOUT_MAGIC, LAYOUT_VERSION);
	layout_put_u16(at + LAYOUT_VERSION, version);
	layout_put_u16(at + LAYOUT_KIND, kind);
	layout_put_u32(at + LAYOUT_COUNT, count);
	layout_put_u32(at + LAYOUT_LENGTH, length);
}

#endif
