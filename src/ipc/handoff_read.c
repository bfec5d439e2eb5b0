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
 * The fields go on in the memfd. It must be sealed: one that can still be written or cut short would change, or
 * kill, who reads it.
 */
static int
read_large(struct handoff_record *record, const struct handoff_field *field)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK;
	cleanup_fd int memfd = take_fd(&record->memfd);
	struct stat st;
	uint64_t len;
	void *map;
	int seals;

	if (memfd < 0 || handoff_field_number(field, &len) < 0 || len == 0 || len > HANDOFF_LARGE_MAX)
		return -EBADMSG;
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

/* Do the fields follow each other properly up to the end? Says whether the last one is a HANDOFF_TAG_LARGE; no other one may be. */
static bool
are_fields(struct cursor fields, bool *ret_large)
{
	struct handoff_field field;
	int r = 1;

	*ret_large = false;
	while (!*ret_large && (r = read_field(&fields, &field)) > 0)
		*ret_large = field.tag == HANDOFF_TAG_LARGE;
	return *ret_large ? fields.left == 0 : r == 0;
}

/* The next record of an offer; its descriptors are the next of `fds`. How many, or -EBADMSG. */
static int
read_record(struct cursor *cursor, struct handoff_record *ret, const int *fds, size_t n_fds)
{
	const unsigned char *record = take(cursor, LAYOUT_RECORD);
	size_t len, n;
	bool large;

	if (!record)
		return -EBADMSG;
	len = layout_u32(record + LAYOUT_RECORD_LENGTH);
	n = layout_u16(record + LAYOUT_RECORD_FDS);
	*ret = (struct handoff_record){ .id = layout_u64(record + LAYOUT_RECORD_ID), .memfd = -1 };
	if (len < LAYOUT_RECORD || n > n_fds)
		return -EBADMSG;
	ret->left = len - LAYOUT_RECORD;
	ret->fields = take(cursor, ret->left);
	if (!ret->fields || !are_fields((struct cursor){ ret->fields, ret->left }, &large))
		return -EBADMSG;
	ret->n_fds = n - large;
	if (n <= large || ret->n_fds > HANDOFF_RECORD_FDS)
		return -EBADMSG;
	memcpy(ret->fd, fds, ret->n_fds * sizeof(*fds));
	if (large)
		ret->memfd = fds[ret->n_fds];
	return (int)n;
}

static int
read_offer(struct handoff_offer *ret, struct cursor cursor, const int *fds, size_t n_fds)
{
	int n = read_header(&cursor, LAYOUT_OFFER), r = n < 0 ? n : 0;

	ret->n = 0;
	for (int i = 0; r >= 0 && i < n; i++) {
		r = read_record(&cursor, &ret->record[i], fds, n_fds);
		if (r < 0)
			break;
		fds += r;
		n_fds -= (size_t)r;
	}
	if (r < 0)
		return r;
	if (cursor.left > 0 || n_fds > 0)
		return -EBADMSG;
	ret->n = (size_t)n;
	return 0;
}

int
handoff_offer_read(struct handoff_offer *ret, const void *data, size_t len, int *fds, size_t n_fds)
{
	int r = read_offer(ret, (struct cursor){ data, len }, fds, n_fds);

	for (size_t i = 0; r < 0 && i < n_fds; i++)
		fd_close(&fds[i]);
	ret->full = r == 0 && layout_is_full(ret->n, len, n_fds);
	return r;
}

void
handoff_offer_done(struct handoff_offer *offer)
{
	for (size_t i = 0; i < offer->n; i++) {
		struct handoff_record *record = &offer->record[i];

		while (record->n_fds > 0)
			fd_close(&record->fd[--record->n_fds]);
		fd_close(&record->memfd);
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
