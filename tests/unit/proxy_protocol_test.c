/*
 * The PROXY protocol, and the description of a relayed connection: what is written is read, what is wrong is refused.
 */
#include "service/proxy/description.h"
#include "service/proxy/proxy_protocol.h"

#include "base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

struct sample {
	const char *data;
	size_t len;
};

#define SAMPLE(text)                   \
	{                              \
		text, sizeof(text) - 1 \
	}

static void
good_headers_are_read(void **state)
{
	static const struct {
		struct sample sample;
		const char *source, *destination; /* NULL: none */
		uint16_t from, to;
	} cases[] = {
		{ SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 65535 1\r\n"), "192.0.2.1", "198.51.100.2", 65535,
			1 },
		{ SAMPLE("PROXY TCP6 2001:db8::1 ::1 1024 80\r\n"), "2001:db8::1", "::1", 1024, 80 },
		{ SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 0 0\r\n"), "192.0.2.1", "198.51.100.2", 0, 0 },
		{ SAMPLE("PROXY UNKNOWN\r\n"), NULL, NULL, 0, 0 },
		{ SAMPLE("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), NULL, NULL, 0, 0 },
		{ SAMPLE(V2 "\x20\x00\x00\x00"), NULL, NULL, 0, 0 },
		{ SAMPLE(V2 "\x20\x11\x00\x02zz"), NULL, NULL, 0, 0 }, /* LOCAL: whatever follows */
		{ SAMPLE(V2 "\x21\x00\x00\x05zzzzz"), NULL, NULL, 0, 0 },
		{ SAMPLE(V2 "\x21\x11\x00\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x04\0\0P"), "192.0.2.1",
			"198.51.100.2", 1024, 80 },
		{ SAMPLE(V2 "\x21\x11\x00\x11\xc0\0\x02\x01\xc6\x33\x64\x02\x04\0\0P\x04\x00\x02zz"),
			"192.0.2.1", "198.51.100.2", 1024, 80 },
		{ SAMPLE(V2
			  "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\4\0\0P"),
			"2001:db8::1", "::1", 1024, 80 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct sample *sample = &cases[i].sample;
		struct address source = { .len = 0 }, destination = { .len = 0 };
		struct proxy_header header;
		char longer[256];

		assert_int_equal(proxy_protocol_read(&header, sample->data, sample->len), sample->len);
		if (cases[i].source) {
			assert_int_equal(address_parse(&source, cases[i].source, cases[i].from), 0);
			assert_int_equal(address_parse(&destination, cases[i].destination, cases[i].to), 0);
		}
		assert_true(address_equal(&header.source, &source));
		assert_true(address_equal(&header.destination, &destination));
		/* what follows is not part of it, and no part of it is enough */
		memcpy(longer, sample->data, sample->len);
		memcpy(longer + sample->len, "\r\nX", 3);
		assert_int_equal(proxy_protocol_read(&header, longer, sample->len + 3), sample->len);
		for (size_t len = 0; len < sample->len; len++)
			assert_int_equal(proxy_protocol_read(&header, sample->data, len), 0);
	}
}

static void
bad_headers_are_refused(void **state)
{
	static const struct sample cases[] = {
		SAMPLE("GET / HTTP/1.1\r\n"),
		SAMPLE("PROXY\r\n"),
		SAMPLE("PROXY \r\n"),
		SAMPLE("PROXY TCP4\r\n"),
		SAMPLE("PROXY TCP5 192.0.2.1 198.51.100.2 1 1\r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 1 1 \r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 1 1 1\r\n"),
		SAMPLE("PROXY TCP4  192.0.2.1 198.51.100.2 1 1\r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 01 1\r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 -1 1\r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 65536 1\r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1 198.51.100.2 1 1\n"),
		SAMPLE("PROXY TCP4 192.0.2.256 198.51.100.2 1 1\r\n"),
		SAMPLE("PROXY TCP4 ::1 ::1 1 1\r\n"),
		SAMPLE("PROXY TCP6 192.0.2.1 198.51.100.2 1 1\r\n"),
		SAMPLE("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 1\r\n"),
		SAMPLE("proxy UNKNOWN\r\n"),
		SAMPLE("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaa\r\n"),
		SAMPLE("\r\n\r\nX"),
		SAMPLE(V2 "\x11"),
		SAMPLE(V2 "\x22"),
		SAMPLE(V2 "\x21\x11\x00\x0b\xc0\0\x02\x01\xc6\x33\x64\x02\x04\0\0"),
		SAMPLE(V2 "\x21\x12\x00\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\x04\0\0P"), /* UDP */
		SAMPLE(V2 "\x21\x11\x00\x0d\xc0\0\x02\x01\xc6\x33\x64\x02\x04\0\0Pz"),
		SAMPLE(V2 "\x21\x11\x00\x10\xc0\0\x02\x01\xc6\x33\x64\x02\x04\0\0P\x04\x00\x02z"),
		SAMPLE(V2 "\x21\x11\xff\xff"),
	};
	struct proxy_header header;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(proxy_protocol_read(&header, cases[i].data, cases[i].len), -EBADMSG);
}

static void
what_is_written_is_read(void **state)
{
	static const char *const pairs[][2] = { { "192.0.2.1", "198.51.100.2" }, { "2001:db8::1", "::1" } };
	unsigned char data[PROXY_PROTOCOL_WRITE_MAX];
	struct proxy_header wrote, read;

	(void)state;
	for (unsigned version = 1; version <= 2; version++)
		for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
			size_t len;

			assert_int_equal(address_parse(&wrote.source, pairs[i][0], 4711), 0);
			assert_int_equal(address_parse(&wrote.destination, pairs[i][1], 80), 0);
			len = proxy_protocol_write(version, &wrote, data);
			assert_int_equal(proxy_protocol_read(&read, data, len), len);
			assert_true(address_equal(&read.source, &wrote.source));
			assert_true(address_equal(&read.destination, &wrote.destination));
		}
	/* of nobody */
	wrote = (struct proxy_header){ .source = { .len = 0 } };
	for (unsigned version = 1; version <= 2; version++) {
		size_t len = proxy_protocol_write(version, &wrote, data);

		assert_int_equal(proxy_protocol_read(&read, data, len), len);
		assert_int_equal(read.source.len, 0);
	}
	/* UNIX sockets: as they are in version 2, unknown in version 1 */
	address_of_path(&wrote.source, "/run/a");
	address_of_path(&wrote.destination, "/run/b");
	assert_int_equal(proxy_protocol_read(&read, data, proxy_protocol_write(2, &wrote, data)), 16 + 216);
	assert_string_equal(read.destination.un.sun_path, "/run/b");
	assert_int_equal(proxy_protocol_write(1, &wrote, data), strlen("PROXY UNKNOWN\r\n"));
}

/* ---- descriptions ---- */

/* Begins a record; handoff_writer_done is due. Where the service's fields begin. */
static size_t
begin_record(struct handoff_writer *writer)
{
	handoff_writer_begin(writer, 1);
	return writer->len;
}

static int
read_back(struct handoff_writer *writer, size_t begin, struct description *ret)
{
	struct handoff_record record = { .fields = writer->data + begin, .left = writer->len - begin };

	return description_read(ret, &record);
}

static void
a_description_is_read_as_written(void **state)
{
	struct description wrote = {
		.state = RELAY_CONNECTING,
		.upstream = { "127.0.0.1:80", 12 },
		.up = { "waits", 5 },
		.deadline_us = 4711,
		.tries = 2,
		.tried = { { "a:1", 3 }, { "b:2", 3 } },
		.n_tried = 2,
	};
	struct description read;
	struct handoff_writer writer = { 0 };
	size_t begin = begin_record(&writer);

	(void)state;
	assert_int_equal(address_parse(&wrote.client.source, "192.0.2.1", 7), 0);
	assert_int_equal(address_parse(&wrote.client.destination, "192.0.2.2", 8), 0);
	description_write(&wrote, &writer);
	assert_int_equal(read_back(&writer, begin, &read), 0);
	assert_int_equal(read.state, RELAY_CONNECTING);
	assert_int_equal(read.upstream.len, 12);
	assert_memory_equal(read.up.at, "waits", 5);
	assert_null(read.down.at);
	assert_int_equal(read.deadline_us, 4711);
	assert_int_equal(read.n_tried, 2);
	assert_memory_equal(read.tried[1].at, "b:2", 3);
	assert_true(address_equal(&read.client.source, &wrote.client.source));
	assert_int_equal(description_fds(read.state), 2);
	handoff_writer_done(&writer);
}

static void
a_description_that_cannot_be_is_refused(void **state)
{
	static const struct description cases[] = {
		{ .state = RELAY_CLOSED },
		{ .state = RELAY_CHOOSING },
		{ .state = RELAY_RELAYING },                      /* with whom? */
		{ .state = RELAY_NEW, .upstream = { "a:1", 3 } }, /* it has none */
		{ .state = RELAY_CONNECTING, .upstream = { "a:1", 3 }, .down = { "x", 1 } },
		{ .state = RELAY_CONNECTING, .upstream = { "a:1", 3 }, .up_has_ended = true },
		{ .state = RELAY_RELAYING, .upstream = { "a:1", 3 }, .tries = 1 },
		{ .state = RELAY_RELAYING,
			.upstream = { "a:1", 3 },
			.down = { "x", 1 },
			.down_has_ended = true },
	};
	struct handoff_writer writer = { 0 };
	struct description read;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t begin = begin_record(&writer);

		description_write(&cases[i], &writer);
		assert_int_equal(read_back(&writer, begin, &read), -EBADMSG);
		handoff_writer_done(&writer);
	}
}

static void
a_field_that_is_unknown_or_twice_is_refused(void **state)
{
	static const struct description relaying = {
		.state = RELAY_RELAYING, .upstream = { "a:1", 3 }, .active_us = 5
	};
	struct handoff_writer writer = { 0 };
	struct description read;
	size_t begin;

	(void)state;
	for (unsigned tag = HANDOFF_TAG_SERVICE_FIRST; tag < HANDOFF_TAG_SERVICE_FIRST + 20; tag++) {
		bool is_new = tag == HANDOFF_TAG_SERVICE_FIRST +
		                             7; /* of those that a relayed one may have: removed */

		begin = begin_record(&writer);
		description_write(&relaying, &writer);
		handoff_put_number(&writer, tag, 3);
		if (tag == HANDOFF_TAG_SERVICE_FIRST + 2 || tag == HANDOFF_TAG_SERVICE_FIRST + 3 ||
			tag == HANDOFF_TAG_SERVICE_FIRST + 5)
			is_new = true; /* bytes that wait, and a deadline */
		assert_int_equal(read_back(&writer, begin, &read), is_new ? 0 : -EBADMSG);
		handoff_writer_done(&writer);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_headers_are_read),
		cmocka_unit_test(bad_headers_are_refused),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_description_is_read_as_written),
		cmocka_unit_test(a_description_that_cannot_be_is_refused),
		cmocka_unit_test(a_field_that_is_unknown_or_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
