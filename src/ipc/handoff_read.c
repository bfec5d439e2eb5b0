/*
 * Handoff: taking messages apart. Whoever sent them, what is read here is believed only as far as it holds together.
 */
#include "ipc/handoff.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "ipc/handoff_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Bytes that are read from the front. */
struct cursor {
	const unsigned char *at;
	size_t left;
};

/* The next `len` bytes, or NULL. */
static const unsigned char *
take(struct cursor *cursor, size_t len)
{
	const unsigned char *at = cursor->at;

	if (len > cursor->left)
		return NULL;
	cursor->at += len;
	cursor->left -= len;
	return at;
}

/* The header of a message of that kind, which may be without any if it is one of answers. Its count, or negative errno. */
static int
read_header(struct cursor *cursor, unsigned kind)
{
	size_t whole = cursor->left;
	const unsigned char *header = take(cursor, LAYOUT_HEADER);
	uint32_t count;

	if (!header || memcmp(header, LAYOUT_MAGIC, LAYOUT_VERSION) != 0)
		return -EBADMSG;
	if (layout_u16(header + LAYOUT_VERSION) != HANDOFF_VERSION)
		return -EPROTO;
	count = layout_u32(header + LAYOUT_COUNT);
	if (layout_u16(header + LAYOUT_KIND) != kind || layout_u32(header + LAYOUT_LENGTH) != whole ||
		count > HANDOFF_RECORDS_MAX || (count == 0 && kind != LAYOUT_ANSWERS))
		return -EBADMSG;
	return (int)count;
}

/* ---- fields ---- */

/* The next field of `cursor`. 1, 0 at the end, -EBADMSG. */
static int
read_field(struct cursor *cursor, struct handoff_field *ret)
{
	const unsigned char *header;

	if (cursor->left == 0)
		return 0;
	header = take(cursor, LAYOUT_FIELD);
	if (!header)
		return -EBADMSG;
	ret->tag = layout_u16(header + LAYOUT_FIELD_TAG);
	ret->len = layout_u32(header + LAYOUT_FIELD_LENGTH);
	ret->data = take(cursor, ret->len);
	return ret->data ? 1 : -EBADMSG;
}

/*
 * The fields go on in the record's last descriptor. It must be sealed: one that can still be written or cut short would change, or
 * kill, who reads it.
 */
static int
read_large(struct handoff_record *record, const struct handoff_field *field)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK;
	cleanup_fd int memfd = -1;
	struct stat st;
	uint64_t len;
	void *map;
	int seals;

	if (record->large || record->left > 0 || record->n_fds < 2 || handoff_field_number(field, &len) < 0 ||
		len == 0 || len > HANDOFF_LARGE_MAX)
		return -EBADMSG;
	memfd = take_fd(&record->fd[--record->n_fds]);
	seals = fcntl(memfd, F_GET_SEALS);
	if (seals < 0 || (seals & wanted) != wanted || fstat(memfd, &st) < 0 || (uint64_t)st.st_size != len)
		return -EBADMSG;
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, memfd, 0);
	if (map == MAP_FAILED)
		return -EBADMSG;
	record->large = map;
	record->large_len = len;
	record->fields = map;
	record->left = len;
	return 0;
}

int
handoff_next(struct handoff_record *record, struct handoff_field *ret)
{
	struct cursor cursor = { record->fields, record->left };
	int r = read_field(&cursor, ret);

	record->fields = cursor.at;
	record->left = cursor.left;
	if (r <= 0 || ret->tag != HANDOFF_TAG_LARGE)
		return r;
	r = read_large(record, ret);
	return r < 0 ? r : handoff_next(record, ret);
}

int
handoff_field_number(const struct handoff_field *field, uint64_t *ret)
{
	if (field->len != sizeof(*ret))
		return -EBADMSG;
	*ret = layout_u64(field->data);
	return 0;
}

/* ---- records ---- */

/* Do the fields follow each other properly up to the end? */
static bool
are_fields(struct cursor fields)
{
	struct handoff_field field;
	int r;

	while ((r = read_field(&fields, &field)) > 0)
		;
	return r == 0;
}

/* The next record of an offer; its descriptors are the next of `fds`. */
static int
read_record(struct cursor *cursor, struct handoff_record *ret, const int *fds, size_t n_fds)
{
	const unsigned char *record = take(cursor, LAYOUT_RECORD);
	size_t len;

	if (!record)
		return -EBADMSG;
	len = layout_u32(record + LAYOUT_RECORD_LENGTH);
	*ret = (struct handoff_record){
		.id = layout_u64(record + LAYOUT_RECORD_ID),
		.n_fds = layout_u16(record + LAYOUT_RECORD_FDS),
	};
	if (len < LAYOUT_RECORD || ret->n_fds == 0 || ret->n_fds > HANDOFF_RECORD_FDS + 1 ||
		ret->n_fds > n_fds)
		return -EBADMSG;
	ret->left = len - LAYOUT_RECORD;
	ret->fields = take(cursor, ret->left);
	if (!ret->fields || !are_fields((struct cursor){ ret->fields, ret->left }))
		return -EBADMSG;
	memcpy(ret->fd, fds, ret->n_fds * sizeof(*fds));
	return 0;
}

static int
read_offer(struct handoff_offer *ret, struct cursor cursor, const int *fds, size_t n_fds)
{
	int n = read_header(&cursor, LAYOUT_OFFER), r = n < 0 ? n : 0;

	for (int i = 0; r == 0 && i < n; i++) {
		r = read_record(&cursor, &ret->record[i], fds, n_fds);
		if (r < 0)
			break;
		fds += ret->record[i].n_fds;
		n_fds -= ret->record[i].n_fds;
	}
	if (r == 0 && (cursor.left > 0 || n_fds > 0))
		r = -EBADMSG;
	ret->n = r == 0 ? (size_t)n : 0;
	return r;
}

int
handoff_offer_read(struct handoff_offer *ret, const void *data, size_t len, int *fds, size_t n_fds)
{
	int r = read_offer(ret, (struct cursor){ data, len }, fds, n_fds);

	for (size_t i = 0; r < 0 && i < n_fds; i++)
		fd_close(&fds[i]);
	return r;
}

void
handoff_offer_done(struct handoff_offer *offer)
{
	for (size_t i = 0; i < offer->n; i++) {
		struct handoff_record *record = &offer->record[i];

		while (record->n_fds > 0)
			fd_close(&record->fd[--record->n_fds]);
		if (record->large)
			munmap(record->large, record->large_len);
	}
	offer->n = 0;
}

/* ---- answers ---- */

int
handoff_answers_read(struct handoff_answer *ret, const void *data, size_t len)
{
	struct cursor cursor = { data, len };
	int n = read_header(&cursor, LAYOUT_ANSWERS);

	if (n >= 0 && cursor.left != (size_t)n * LAYOUT_ANSWER)
		return -EBADMSG;
	for (int i = 0; i < n; i++) {
		const unsigned char *answer = take(&cursor, LAYOUT_ANSWER);
		unsigned verdict = layout_u16(answer + LAYOUT_ANSWER_VERDICT);

		if (verdict > LAYOUT_ADOPTED)
			return -EBADMSG;
		ret[i] = (struct handoff_answer){
			.id = layout_u64(answer + LAYOUT_ANSWER_ID),
			.adopted = verdict == LAYOUT_ADOPTED,
		};
	}
	return n;
}
