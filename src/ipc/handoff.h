/*
 * Handoff: how live connections go from one worker to another. This is the wire format; doc/protocol.md says it byte by
 * byte. src/worker/outbox.c and inbox.c speak it.
 *
 * The two are joined by a pair of SOCK_SEQPACKET sockets. Offers go one way, each with up to HANDOFF_RECORDS_MAX
 * connections and their descriptors (SCM_RIGHTS); answers come back. All numbers are little-endian, whatever the
 * machine.
 *
 *	message  = magic version kind count length   16 bytes; `length` is that of the whole message
 *	offer    = count × record
 *	record   = length fds id                     14 bytes; then its fields up to `length`
 *	field    = tag length                        6 bytes; then `length` bytes
 *	answers  = count × ( id verdict )            10 bytes each; none: a greeting, which comes first
 *
 * A record's first descriptor is the client's. A record whose fields would be too long for a message has them in a
 * memfd, its last descriptor, and one field that says how long they are.
 *
 * The decoder is strict: each length must be used up, each count be right, each tag be known to who reads it. What is
 * not understood is refused, never guessed at.
 */
#ifndef IPC_HANDOFF_H
#define IPC_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDOFF_VERSION 1

#define HANDOFF_RECORDS_MAX 64  /* of a message: 64 at a time are five times cheaper than one by one */
#define HANDOFF_FDS_MAX     128 /* of a message; the kernel's limit is 253 (SCM_MAX_FD) */
#define HANDOFF_RECORD_FDS  4   /* of a record, the memfd not counted */
#define HANDOFF_FULL        (32 * 1024) /* bytes from which on a message is sent */
#define HANDOFF_INLINE_MAX  (16 * 1024) /* bytes of a record's fields; more go into a memfd */
/* Of any message: one that is not full, and a record more. A socket buffer of the usual 208 KiB takes four. */
#define HANDOFF_MESSAGE_MAX (HANDOFF_FULL + HANDOFF_INLINE_MAX + 1024)
/* What a record may have in a memfd: more than any service's limits allow for a connection. */
#define HANDOFF_LARGE_MAX (16 * 1024 * 1024)

/* What a field is. Those below HANDOFF_TAG_SERVICE are the workers', the others each service's own. */
enum handoff_tag {
	HANDOFF_TAG_SERVICE = 1,         /* text: the type of the service; always first */
	HANDOFF_TAG_SERVICE_VERSION = 2, /* number: of the service's fields; always second */
	HANDOFF_TAG_ACCEPTED = 3,        /* number: when the client was accepted, clock_now_us */
	HANDOFF_TAG_MOVES = 4,           /* number: how often it has been handed over, this time included */
	HANDOFF_TAG_LARGE = 5, /* number: so many bytes of fields are in the memfd; the last field */
	HANDOFF_TAG_SERVICE_FIRST = 64,
};

/* ---- an offer being made ---- */

/*
 * All zero is an empty one. What goes wrong inside (no memory, too many descriptors) shows at handoff_writer_end, so the calls
 * before need no checks.
 */
struct handoff_writer {
	unsigned char *data;
	size_t len, size;
	size_t n_records;
	int fd[HANDOFF_FDS_MAX + 1];
	size_t n_fds;
	/* the record being written */
	size_t record;                  /* where it begins */
	size_t record_fds;              /* the number of descriptors before it */
	size_t own_fields;              /* where those begin that may go into a memfd */
	int memfd[HANDOFF_RECORDS_MAX]; /* made for large records; owned */
	size_t n_memfds;
	int error;
};

/* Begins a record. There must be room: see handoff_writer_is_full. */
void handoff_writer_begin(struct handoff_writer *writer, uint64_t id);

void handoff_put_number(struct handoff_writer *writer, unsigned tag, uint64_t value);
void handoff_put_bytes(struct handoff_writer *writer, unsigned tag, const void *data, size_t len);

/* One more descriptor of the record; the client's comes first. It stays the caller's, open until the offer is sent. */
void handoff_put_fd(struct handoff_writer *writer, int fd);

/* What follows are the service's fields, which may be of any length. */
void handoff_writer_service(struct handoff_writer *writer);

/* Ends the record. 0; or negative errno, and the record is not part of the offer. */
int handoff_writer_end(struct handoff_writer *writer);

/* Takes back the record that was begun. */
void handoff_writer_cancel(struct handoff_writer *writer);

/* Can it take no more records? */
bool handoff_writer_is_full(const struct handoff_writer *writer);

/* Sends what was written, whole, and is empty again. 0; -EAGAIN: not now, it is as before; else negative errno. */
int handoff_writer_send(struct handoff_writer *writer, int socket);

/* Frees; all zero afterwards. */
void handoff_writer_done(struct handoff_writer *writer);

/* ---- an offer that has come ---- */

struct handoff_record {
	uint64_t id;
	int fd[HANDOFF_RECORD_FDS]; /* owned; -1: none, or taken. fd[0] is the client's */
	size_t n_fds;
	int memfd; /* where the fields go on, until they are read up to there; -1: nowhere */
	const unsigned char *fields; /* what is left to read; see handoff_next */
	size_t left;
	void *large; /* mapped memory that `fields` are in; NULL: they are in the message */
	size_t large_len;
};

struct handoff_offer {
	struct handoff_record record[HANDOFF_RECORDS_MAX];
	size_t n;
	bool full; /* a writer would have taken no more records, so there may be more to come */
};

/*
 * Takes an offer apart. The descriptors go into its records. 0; -EPROTO: of another version; -EBADMSG: it is no offer: then the
 * descriptors have been closed. `data` must stay where it is until handoff_offer_done.
 */
int handoff_offer_read(struct handoff_offer *ret, const void *data, size_t len, int *fds, size_t n_fds);

/* Closes the descriptors that nobody has taken. */
void handoff_offer_done(struct handoff_offer *offer);

struct handoff_field {
	unsigned tag;
	const void *data;
	size_t len;
};

/*
 * The next field of a record, in the order in which they were put. 1 with *ret; 0: there are no more; -EBADMSG. Fields in a memfd are read from there, and look
 * no different.
 */
int handoff_next(struct handoff_record *record, struct handoff_field *ret);

/* The field as a number. 0 with *ret; or -EBADMSG. */
int handoff_field_number(const struct handoff_field *field, uint64_t *ret);

/* ---- answers ---- */

struct handoff_answer {
	uint64_t id;
	bool adopted; /* else refused */
};

/* The message in `buf`, of HANDOFF_MESSAGE_MAX bytes. Returns its length. n <= HANDOFF_RECORDS_MAX; 0: the greeting. */
size_t handoff_answers_write(unsigned char *buf, const struct handoff_answer *answers, size_t n);

/* Takes apart. How many there are, up to HANDOFF_RECORDS_MAX; -EPROTO and -EBADMSG as above. */
int handoff_answers_read(struct handoff_answer *ret, const void *data, size_t len);

#endif
