/*
 * Fuzz target: what a stranger, or another worker, tells the service proxy.
 *
 * The first byte says what the rest is: a header of the PROXY protocol, or the fields of a relayed connection that moves.
 */
#include "base/cleanup.h"
#include "service/proxy/description.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood is written in version 2 and understood again. */
static void
check_header(const struct proxy_header *header)
{
	unsigned char written[PROXY_PROTOCOL_WRITE_MAX];
	struct proxy_header again;
	size_t len = proxy_protocol_write(2, header, written);

	assert(len <= sizeof(written));
	assert((header->source.len > 0) == (header->destination.len > 0));
	assert(proxy_protocol_read(&again, written, len) == (ssize_t)len);
	assert(address_equal(&again.source, &header->source));
	assert(address_equal(&again.destination, &header->destination));
	assert(proxy_protocol_write(1, header, written) <= sizeof(written));
}

/* A header ends where it ends, whatever follows, and no part of it is one. */
static void
try_header(const uint8_t *data, size_t size)
{
	struct proxy_header header, again;
	ssize_t n = proxy_protocol_read(&header, data, size);

	assert(n >= -1000 && n <= (ssize_t)size && n <= PROXY_PROTOCOL_READ_MAX);
	if (n <= 0)
		return;
	check_header(&header);
	assert(proxy_protocol_read(&again, data, (size_t)n) == n);
	for (size_t len = 0; len < (size_t)n; len++)
		assert(proxy_protocol_read(&again, data, len) == 0);
}

static void
assert_equal_texts(struct description_text a, struct description_text b)
{
	assert(a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0));
}

static void
assert_equal(const struct description *a, const struct description *b)
{
	assert(a->state == b->state && a->up_has_ended == b->up_has_ended &&
		a->down_has_ended == b->down_has_ended && a->deadline_us == b->deadline_us &&
		a->active_us == b->active_us && a->removed_us == b->removed_us && a->tries == b->tries &&
		a->n_tried == b->n_tried);
	assert_equal_texts(a->upstream, b->upstream);
	assert_equal_texts(a->up, b->up);
	assert_equal_texts(a->down, b->down);
	for (size_t i = 0; i < a->n_tried; i++)
		assert_equal_texts(a->tried[i], b->tried[i]);
	assert(address_equal(&a->client.source, &b->client.source));
}

/* What was understood is written, and understood again as the same. */
static void
try_description(const uint8_t *data, size_t size)
{
	struct handoff_record record = { .fields = data, .left = size };
	struct handoff_writer writer = { 0 };
	struct description read, again;
	size_t begin;

	if (description_read(&read, &record) < 0)
		return;
	assert(record.left == 0);
	handoff_writer_begin(&writer, 1);
	begin = writer.len;
	description_write(&read, &writer);
	assert(writer.error == 0);
	record = (struct handoff_record){ .fields = writer.data + begin, .left = writer.len - begin };
	assert(description_read(&again, &record) == 0);
	assert_equal(&read, &again);
	handoff_writer_done(&writer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		try_description(data + 1, size - 1);
	else
		try_header(data + 1, size - 1);
	return 0;
}
