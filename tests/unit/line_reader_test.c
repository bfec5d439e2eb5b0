/*
 * Lines out of a stream of bytes, however it is cut into pieces.
 */
#include "ipc/line_reader.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The lines that came, each with a '|' behind it. */
struct lines {
	char text[4 * MESSAGE_MAX];
	size_t n;
	size_t stop_at; /* the line that is answered by "stop"; 0: none */
};

/* A line_fn */
static int
collect(char *line, void *arg)
{
	struct lines *lines = arg;
	size_t len = strlen(lines->text);

	snprintf(lines->text + len, sizeof(lines->text) - len, "%s|", line);
	memset(line, '#', strlen(line)); /* it may be written to */
	return ++lines->n == lines->stop_at ? -1 : 0;
}

/* Feeds all of it in pieces that begin at these places. */
static enum line_reader_result
feed(struct line_reader *reader, struct lines *lines, const char *text, size_t len, size_t cut_a,
	size_t cut_b)
{
	const size_t cuts[] = { 0, cut_a, cut_b, len };
	enum line_reader_result result = LINE_READER_AGAIN;

	for (size_t i = 0; i + 1 < ARRAY_LEN(cuts) && result == LINE_READER_AGAIN; i++)
		result = line_reader_feed(reader, text + cuts[i], cuts[i + 1] - cuts[i], collect, lines);
	return result;
}

static void
every_split_gives_the_same_lines(void **state)
{
	static const char text[] = "hello 1 a b\nready\n\nstatus \xc3\xa4 x\nalive\nrest";
	const size_t len = sizeof(text) - 1;

	(void)state;
	for (size_t a = 0; a <= len; a++)
		for (size_t b = a; b <= len; b++) {
			struct lines lines = { .n = 0 };
			struct line_reader reader;

			line_reader_init(&reader);
			assert_int_equal(feed(&reader, &lines, text, len, a, b), LINE_READER_AGAIN);
			assert_string_equal(lines.text, "hello 1 a b|ready||status \xc3\xa4 x|alive|");
			assert_int_equal(reader.len, 4);
			assert_memory_equal(reader.data, "rest", 4);
		}
}

static void
byte_by_byte(void **state)
{
	static const char text[] = "drain 5\nstop\n";
	struct lines lines = { .n = 0 };
	struct line_reader reader;

	(void)state;
	line_reader_init(&reader);
	for (const char *p = text; *p; p++)
		assert_int_equal(line_reader_feed(&reader, p, 1, collect, &lines), LINE_READER_AGAIN);
	assert_string_equal(lines.text, "drain 5|stop|");
}

/* The longest line has MESSAGE_MAX bytes with its newline; one more is too many. */
static void
longest_line_passes_and_no_longer(void **state)
{
	char text[MESSAGE_MAX + 1];
	struct lines lines = { .n = 0 };
	struct line_reader reader;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[MESSAGE_MAX - 1] = '\n';
	line_reader_init(&reader);
	assert_int_equal(line_reader_feed(&reader, text, MESSAGE_MAX, collect, &lines), LINE_READER_AGAIN);
	assert_int_equal(strlen(lines.text), MESSAGE_MAX);

	text[MESSAGE_MAX - 1] = 'x';
	assert_int_equal(
		line_reader_feed(&reader, text, MESSAGE_MAX - 1, collect, &lines), LINE_READER_AGAIN);
	assert_int_equal(line_reader_feed(&reader, "x", 1, collect, &lines), LINE_READER_BAD);
	assert_int_equal(lines.n, 1);
	assert_int_equal(reader.len, MESSAGE_MAX);
}

/* What no line may have: found at once when the line is not finished yet, and never handed on. */
static void
control_characters_are_bad(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *bad;
		size_t bad_len;
	} texts[] = {
		{ "ok\na\0b\n", 7, "a\0b", 3 },
		{ "ok\n\0", 4, "\0", 1 },
		{ "ok\n\x1b[2J\nmore\n", 13, "\x1b[2J", 4 },
		{ "ok\nx\ty\n", 7, "x\ty", 3 },
		{ "ok\nready\r\n", 10, "ready\r", 6 },
		{ "ok\n\x7f", 4, "\x7f", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct lines lines = { .n = 0 };
		struct line_reader reader;

		line_reader_init(&reader);
		assert_int_equal(line_reader_feed(&reader, texts[i].text, texts[i].len, collect, &lines),
			LINE_READER_BAD);
		assert_string_equal(lines.text, "ok|");
		assert_int_equal(reader.len, texts[i].bad_len);
		assert_memory_equal(reader.data, texts[i].bad, texts[i].bad_len);
	}
}

static void
callback_can_stop(void **state)
{
	static const char text[] = "a\nb\nc\n";
	struct lines lines = { .stop_at = 2 };
	struct line_reader reader;

	(void)state;
	line_reader_init(&reader);
	assert_int_equal(
		line_reader_feed(&reader, text, sizeof(text) - 1, collect, &lines), LINE_READER_STOPPED);
	assert_string_equal(lines.text, "a|b|");
}

/* A pipe as the master has it: non-blocking, its writer a stranger. */
struct stream {
	int ends[2];
	struct line_reader reader;
	struct lines lines;
};

static int
open_stream(void **state)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream || pipe2(stream->ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	line_reader_init(&stream->reader);
	*state = stream;
	return 0;
}

static int
close_stream(void **state)
{
	struct stream *stream = *state;

	fd_close(&stream->ends[0]);
	fd_close(&stream->ends[1]);
	free(stream);
	return 0;
}

static enum line_reader_result
read_once(struct stream *stream)
{
	return line_reader_read(&stream->reader, stream->ends[0], collect, &stream->lines);
}

static void
pipe_gives_lines_and_its_end(void **state)
{
	struct stream *stream = *state;

	assert_int_equal(read_once(stream), LINE_READER_AGAIN);
	assert_int_equal(fd_write_all(stream->ends[1], "a\nb", 3), 0);
	assert_int_equal(read_once(stream), LINE_READER_AGAIN);
	assert_string_equal(stream->lines.text, "a|");
	assert_int_equal(fd_write_all(stream->ends[1], "c\nlast", 6), 0);
	fd_close(&stream->ends[1]);
	assert_int_equal(read_once(stream), LINE_READER_AGAIN);
	assert_int_equal(read_once(stream), LINE_READER_EOF);
	assert_string_equal(stream->lines.text, "a|bc|");
}

/* It is refused after MESSAGE_MAX bytes, whatever may still come. */
static void
megabyte_without_newline_is_bad(void **state)
{
	static char megabyte[1 << 20];
	struct stream *stream = *state;
	enum line_reader_result result = LINE_READER_AGAIN;
	size_t taken = 0;

	memset(megabyte, 'x', sizeof(megabyte));
	for (size_t sent = 0; result == LINE_READER_AGAIN && sent < sizeof(megabyte);) {
		ssize_t n = write(stream->ends[1], megabyte + sent, sizeof(megabyte) - sent);

		if (n > 0)
			sent += (size_t)n;
		result = read_once(stream);
		taken = stream->reader.len;
	}
	assert_int_equal(result, LINE_READER_BAD);
	assert_int_equal(taken, MESSAGE_MAX);
	assert_int_equal(stream->lines.n, 0);
}

/* One call reads a bounded amount of a flood. */
static void
flood_is_taken_in_bounded_bites(void **state)
{
	struct stream *stream = *state;

	for (int i = 0; i < 10000; i++)
		if (write(stream->ends[1], "alive\n", 6) < 0)
			break;
	stream->lines.stop_at = 0;
	assert_int_equal(read_once(stream), LINE_READER_AGAIN);
	assert_in_range(stream->lines.n, 1, MESSAGE_MAX / 6);
}

static void
errors_are_told(void **state)
{
	struct stream *stream = *state;

	assert_int_equal(line_reader_read(&stream->reader, -1, collect, &stream->lines), LINE_READER_ERROR);
	assert_int_equal(errno, EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gives_the_same_lines),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(longest_line_passes_and_no_longer),
		cmocka_unit_test(control_characters_are_bad),
		cmocka_unit_test(callback_can_stop),
		cmocka_unit_test_setup_teardown(pipe_gives_lines_and_its_end, open_stream, close_stream),
		cmocka_unit_test_setup_teardown(megabyte_without_newline_is_bad, open_stream, close_stream),
		cmocka_unit_test_setup_teardown(flood_is_taken_in_bounded_bites, open_stream, close_stream),
		cmocka_unit_test_setup_teardown(errors_are_told, open_stream, close_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
