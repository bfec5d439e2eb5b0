/*
 * Fuzz target: bytes from a pipe become lines, lines become messages, in both directions.
 *
 * The first byte says how the rest is cut into reads. However it is cut, the same lines must come out, and the same end.
 */
#include "base/cleanup.h"
#include "ipc/line_reader.h"
#include "ipc/message.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct lines {
	char *text; /* each with its newline again */
	size_t len;
};

static int
on_line(char *line, void *arg)
{
	struct lines *lines = arg;
	const size_t len = strlen(line);

	assert(len < MESSAGE_MAX);
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)line[i] >= ' ' && line[i] != 127);
	memcpy(lines->text + lines->len, line, len);
	lines->text[lines->len + len] = '\n';
	lines->len += len + 1;
	return 0;
}

/* Feeds all in pieces of at most `piece` bytes. `lines` has room for all of it. */
static enum line_reader_result
feed(const uint8_t *data, size_t size, size_t piece, struct lines *lines)
{
	struct line_reader reader;
	enum line_reader_result result = LINE_READER_AGAIN;

	line_reader_init(&reader);
	while (size > 0 && result == LINE_READER_AGAIN) {
		const size_t room = sizeof(reader.data) - reader.len;
		size_t n = size < piece ? size : piece;

		assert(room > 0);
		n = n < room ? n : room;
		result = line_reader_feed(&reader, data, n, on_line, lines);
		assert(reader.len <= sizeof(reader.data));
		assert(result != LINE_READER_AGAIN || !memchr(reader.data, '\n', reader.len));
		data += n;
		size -= n;
	}
	assert(result == LINE_READER_AGAIN || result == LINE_READER_BAD);
	return result;
}

static void
check_pairs(const struct message *message)
{
	char *pairs = strdup(message->text), *rest = pairs;
	const char *key;
	uint64_t value;
	size_t n = 0;

	assert(pairs);
	while (message_next_pair(&rest, &key, &value) > 0) {
		assert(*key != '\0' && !strpbrk(key, " ="));
		n++;
	}
	assert(n <= strlen(message->text));
	free(pairs);
}

/* What was understood can be said again, and is understood in the same way. */
static void
check_again(const struct message *message, enum message_direction direction)
{
	char line[MESSAGE_MAX];
	struct message again;
	const char *error;
	size_t len;

	if (message->type == MESSAGE_DRAIN)
		len = message_format_drain(line, message->drain_us);
	else if (message->type == MESSAGE_DRAINED)
		len = message_format_drained(
			line, message->drained.finished, message->drained.handed, message->drained.cut);
	else
		return;
	assert(len > 0 && len <= sizeof(line) && line[len - 1] == '\n');
	line[len - 1] = '\0';
	assert(message_parse(line, direction, &again, &error) == 0);
	assert(again.type == message->type && again.drain_us == message->drain_us);
	assert(memcmp(&again.drained, &message->drained, sizeof(again.drained)) == 0);
}

static void
check_message(const char *line, enum message_direction direction)
{
	char *copy = strdup(line);
	struct message message;
	const char *error;
	int r;

	assert(copy);
	r = message_parse(copy, direction, &message, &error);
	assert(r == 0 || r == -EBADMSG);
	assert((r == 0) == (error == NULL));
	assert(message.type < MESSAGE_TYPES);
	if (r == 0 && message.type == MESSAGE_STATS)
		check_pairs(&message);
	if (r == 0 && message.type == MESSAGE_UNKNOWN)
		assert(strcmp(message.text, line) == 0);
	if (r == 0)
		check_again(&message, direction);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t piece = size > 0 ? (size_t)data[0] + 1 : 1;
	/* a line that is handed on has its newline in the input */
	cleanup_free char *whole_text = malloc(size + 1), *cut_text = malloc(size + 1);
	struct lines whole = { .text = whole_text }, cut = { .text = cut_text };
	char *line, *rest = whole_text;

	assert(whole_text && cut_text);
	if (size == 0)
		return 0;
	assert(feed(data + 1, size - 1, size, &whole) == feed(data + 1, size - 1, piece, &cut));
	assert(whole.len == cut.len && memcmp(whole.text, cut.text, whole.len) == 0);
	whole.text[whole.len] = '\0';
	while ((line = strsep(&rest, "\n")) && rest) {
		check_message(line, MESSAGE_TO_MASTER);
		check_message(line, MESSAGE_TO_WORKER);
	}
	return 0;
}
