/*
 * Fuzz target: a message of the handoff, as an offer and as answers.
 *
 * The first byte says how many descriptors come with it, the second where among them a sealed memfd stands, whose contents
 * are the third part: so many bytes of the rest as the next two bytes say. All descriptors must be closed in the end, whatever the message was, and
 * what was understood must be used up by reading.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/socket.h"
#include "ipc/handoff.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4 };

/* The descriptors, and what their numbers were. */
struct passed {
	int fd[SOCKET_FDS_MAX], number[SOCKET_FDS_MAX];
	size_t n;
};

static void
open_passed(struct passed *passed, const uint8_t *head, const uint8_t *contents, size_t len)
{
	passed->n = head[0] % 16;
	for (size_t i = 0; i < passed->n; i++) {
		if (i == head[1] % 16)
			passed->fd[i] = fd_sealed_memfd("fuzz", contents, len);
		else
			passed->fd[i] = eventfd(0, EFD_CLOEXEC);
		assert(passed->fd[i] >= 0);
		passed->number[i] = passed->fd[i];
	}
}

static void
check_closed(const struct passed *passed)
{
	for (size_t i = 0; i < passed->n; i++)
		assert(fcntl(passed->number[i], F_GETFD) < 0);
}

static void
read_fields(struct handoff_record *record)
{
	struct handoff_field field;
	size_t bytes = record->left, seen = 0;
	uint64_t number;
	int r;

	while ((r = handoff_next(record, &field)) > 0) {
		seen += 6 + field.len;
		assert(field.tag != HANDOFF_TAG_LARGE);
		if (handoff_field_number(&field, &number) == 0)
			assert(field.len == sizeof(number));
		for (size_t i = 0; i < field.len; i++)
			(void)*((const volatile char *)field.data + i);
	}
	assert(r == 0 || r == -EBADMSG);
	if (r == 0 && !record->large)
		assert(seen == bytes);
}

static void
check_offer(const uint8_t *data, size_t len, struct passed *passed)
{
	static struct handoff_offer offer;
	size_t fds = 0;
	int r = handoff_offer_read(&offer, data, len, passed->fd, passed->n);

	assert(r == 0 || r == -EPROTO || r == -EBADMSG);
	if (r == 0) {
		assert(offer.n >= 1 && offer.n <= HANDOFF_RECORDS_MAX);
		for (size_t i = 0; i < offer.n; i++) {
			assert(offer.record[i].n_fds >= 1 && offer.record[i].n_fds <= HANDOFF_RECORD_FDS);
			fds += offer.record[i].n_fds + (offer.record[i].memfd >= 0);
			read_fields(&offer.record[i]);
		}
		assert(fds == passed->n);
		handoff_offer_done(&offer);
	}
	check_closed(passed);
}

/* What was understood is written in the same bytes. */
static void
check_answers(const uint8_t *data, size_t len)
{
	static unsigned char again[HANDOFF_MESSAGE_MAX];
	struct handoff_answer answers[HANDOFF_RECORDS_MAX];
	int n = handoff_answers_read(answers, data, len);

	assert(n == -EPROTO || n == -EBADMSG || (n >= 0 && n <= HANDOFF_RECORDS_MAX));
	if (n < 0)
		return;
	assert(handoff_answers_write(again, answers, (size_t)n) == len);
	assert(memcmp(again, data, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct passed passed;
	size_t large, len;
	cleanup_free uint8_t *message = NULL;

	if (size < HEAD)
		return 0;
	large = (size_t)data[2] | (size_t)data[3] << 8;
	len = size - HEAD;
	large = large < len ? large : len;
	len -= large;
	message = malloc(len > 0 ? len : 1); /* a sanitizer shall see a read behind the last byte */
	assert(message);
	if (len > 0)
		memcpy(message, data + HEAD, len);
	open_passed(&passed, data, data + HEAD + len, large);
	check_offer(message, len, &passed);
	check_answers(message, len);
	return 0;
}
