/*
 * The messages between master and worker, as one table.
 */
#include "ipc/message.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "ipc/contract.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Parses what stands behind the word; NULL when it is well, else what is wrong. */
typedef const char *parse_fn(char *rest, struct message *ret);

static parse_fn parse_nothing, parse_text, parse_hello, parse_stats, parse_drained, parse_drain, parse_outbox,
	parse_upstream, parse_name, parse_recall, parse_resolved, parse_resolve;

static const struct {
	const char *word;
	enum message_direction direction;
	parse_fn *parse;
} messages[MESSAGE_TYPES] = {
	[MESSAGE_HELLO] = { "hello", MESSAGE_TO_MASTER, parse_hello },
	[MESSAGE_READY] = { "ready", MESSAGE_TO_MASTER, parse_nothing },
	[MESSAGE_ALIVE] = { "alive", MESSAGE_TO_MASTER, parse_nothing },
	[MESSAGE_STATUS] = { "status", MESSAGE_TO_MASTER, parse_text },
	[MESSAGE_STATS] = { "stats", MESSAGE_TO_MASTER, parse_stats },
	[MESSAGE_DRAINED] = { "drained", MESSAGE_TO_MASTER, parse_drained },
	[MESSAGE_FAILED] = { "failed", MESSAGE_TO_MASTER, parse_text },
	[MESSAGE_UPSTREAM] = { "upstream", MESSAGE_TO_MASTER, parse_upstream },
	[MESSAGE_RESOLVED] = { "resolved", MESSAGE_TO_MASTER, parse_resolved },
	[MESSAGE_STRANDED] = { "stranded", MESSAGE_TO_MASTER, parse_nothing },
	[MESSAGE_DRAIN] = { "drain", MESSAGE_TO_WORKER, parse_drain },
	[MESSAGE_STOP] = { "stop", MESSAGE_TO_WORKER, parse_nothing },
	[MESSAGE_DRAIN_UPSTREAM] = { "drain-upstream", MESSAGE_TO_WORKER, parse_name },
	[MESSAGE_ENABLE_UPSTREAM] = { "enable-upstream", MESSAGE_TO_WORKER, parse_name },
	[MESSAGE_RECALL_UPSTREAM] = { "recall-upstream", MESSAGE_TO_WORKER, parse_recall },
	[MESSAGE_RESOLVE_UPSTREAM] = { "resolve-upstream", MESSAGE_TO_WORKER, parse_resolve },
	[MESSAGE_OUTBOX] = { "outbox", MESSAGE_WITH_FD, parse_outbox },
	[MESSAGE_INBOX] = { "inbox", MESSAGE_WITH_FD, parse_nothing },
};

/* Cuts the first word off *rest. NULL when there is none. */
static char *
next_word(char **rest)
{
	char *word;

	while ((word = strsep(rest, " ")) && *word == '\0')
		;
	return word;
}

static const char *
parse_nothing(char *rest, struct message *ret)
{
	(void)ret;
	return next_word(&rest) ? "nothing may stand behind this word" : NULL;
}

static const char *
parse_text(char *rest, struct message *ret)
{
	ret->text = rest ? rest : "";
	return NULL;
}

static const char *
parse_hello(char *rest, struct message *ret)
{
	const char *version = next_word(&rest);

	ret->hello.name = next_word(&rest);
	ret->hello.program_version = next_word(&rest);
	if (!ret->hello.program_version || next_word(&rest))
		return "hello takes three words: protocol version, name, program version";
	if (text_parse_u64(version, &ret->hello.version) < 0)
		return "the protocol version is not a number";
	return NULL;
}

/* The pairs are only looked at; whoever wants them takes them with message_next_pair. */
static const char *
parse_stats(char *rest, struct message *ret)
{
	ret->text = rest ? rest : "";
	for (const char *p = ret->text; *p; p++)
		if (*p == '=' && p > ret->text && p[-1] != ' ' && p[1] >= '0' && p[1] <= '9')
			return NULL;
	return "stats takes pairs key=number";
}

struct wanted_pair {
	const char *key;
	uint64_t *value;
};

/* All of these must be there, in any order; further ones, of a newer program, are passed over. */
static bool
parse_pairs(char *rest, const struct wanted_pair *wanted, size_t n)
{
	unsigned seen = 0;
	const char *key;
	uint64_t value;
	int r;

	while ((r = message_next_pair(&rest, &key, &value)) > 0)
		for (size_t i = 0; i < n; i++)
			if (strcmp(key, wanted[i].key) == 0) {
				*wanted[i].value = value;
				seen |= 1u << i;
			}
	return r == 0 && seen == (1u << n) - 1;
}

static const char *
parse_drained(char *rest, struct message *ret)
{
	const struct wanted_pair wanted[] = {
		{ "finished", &ret->drained.finished },
		{ "handed", &ret->drained.handed },
		{ "cut", &ret->drained.cut },
	};

	return parse_pairs(rest, wanted, ARRAY_LEN(wanted)) ? NULL
	                                                    : "drained takes finished=N handed=N cut=N";
}

/* Seconds, with up to six digits behind a point. */
static const char *
parse_drain(char *rest, struct message *ret)
{
	static const char wrong[] = "drain takes a number of seconds";
	char *whole = next_word(&rest), *fraction, digits[] = "000000";
	uint64_t seconds, us = 0;

	if (!whole || next_word(&rest))
		return wrong;
	fraction = strchr(whole, '.');
	if (fraction) {
		*fraction++ = '\0';
		if (*fraction == '\0' || strlen(fraction) >= sizeof(digits))
			return wrong;
		memcpy(digits, fraction, strlen(fraction));
		if (text_parse_u64(digits, &us) < 0)
			return wrong;
	}
	if (text_parse_u64(whole, &seconds) < 0 || __builtin_mul_overflow(seconds, US_PER_SEC, &seconds) ||
		__builtin_add_overflow(seconds, us, &ret->drain_us))
		return wrong;
	return NULL;
}

static const char *
parse_outbox(char *rest, struct message *ret)
{
	const char *share = next_word(&rest);

	if (!share || next_word(&rest) || text_parse_u64(share, &ret->share) < 0 || ret->share == 0 ||
		ret->share > MESSAGE_SHARE_MAX)
		return "outbox takes a share";
	return NULL;
}

/* A name has no blank in it. */
static const char *
parse_name(char *rest, struct message *ret)
{
	ret->text = next_word(&rest);
	return ret->text && !next_word(&rest) ? NULL : "a name must stand behind this word";
}

static const char *
parse_upstream(char *rest, struct message *ret)
{
	const char *number = next_word(&rest);

	if (!number || text_parse_u64(number, &ret->number) < 0 || ret->number >= COUNTERS_UPSTREAMS_MAX ||
		parse_name(rest, ret))
		return "upstream takes a number and a name";
	return NULL;
}

static const char *
parse_recall(char *rest, struct message *ret)
{
	uint64_t down;
	const struct wanted_pair wanted[] = {
		{ "down", &down },
		{ "streak", &ret->health.streak },
		{ "result", &ret->health.result_us },
	};

	ret->text = next_word(&rest);
	if (!ret->text || !parse_pairs(rest, wanted, ARRAY_LEN(wanted)) || down > 1)
		return "recall-upstream takes a name and down=N streak=N result=N";
	ret->health.is_down = down;
	return NULL;
}

/* Is it at least one, as far as that can be seen without knowing what they mean? */
static bool
are_addresses(const char *rest)
{
	return rest && *rest && *rest != ' ' && rest[strspn(rest, "0123456789abcdefABCDEF.: ")] == '\0';
}

static const char *
parse_resolved(char *rest, struct message *ret)
{
	const char *number = next_word(&rest);

	ret->addresses = rest;
	if (!number || text_parse_u64(number, &ret->number) < 0 || ret->number >= COUNTERS_UPSTREAMS_MAX ||
		!are_addresses(rest))
		return "resolved takes a number and addresses";
	return NULL;
}

static const char *
parse_resolve(char *rest, struct message *ret)
{
	ret->text = next_word(&rest);
	ret->addresses = rest;
	return ret->text && are_addresses(rest) ? NULL : "resolve-upstream takes a name and addresses";
}

/* The words of the protocol, known and to come, are made of these. */
static bool
is_word(const char *word)
{
	return *word && word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-_")] == '\0';
}

int
message_parse(char *line, enum message_direction direction, struct message *ret, const char **ret_error)
{
	char *space = strchr(line, ' '), *rest = NULL;

	*ret = (struct message){ .type = MESSAGE_UNKNOWN, .text = line };
	*ret_error = NULL;
	if (space) {
		*space = '\0';
		rest = space + 1;
	}
	for (int type = MESSAGE_UNKNOWN + 1; type < MESSAGE_TYPES; type++) {
		if (strcmp(line, messages[type].word) != 0)
			continue;
		ret->type = type;
		*ret_error = messages[type].direction == direction ? messages[type].parse(rest, ret)
		                                                   : "this message goes the other way";
		return *ret_error ? -EBADMSG : 0;
	}
	if (!is_word(line))
		*ret_error = "no message begins like this";
	if (space)
		*space = ' ';
	return *ret_error ? -EBADMSG : 0;
}

int
message_next_pair(char **pairs, const char **ret_key, uint64_t *ret_value)
{
	char *word = next_word(pairs), *value;

	if (!word)
		return 0;
	value = strchr(word, '=');
	if (!value || value == word)
		return -EBADMSG;
	*value++ = '\0';
	if (text_parse_u64(value, ret_value) < 0)
		return -EBADMSG;
	*ret_key = word;
	return 1;
}

static size_t __attribute__((format(printf, 2, 3)))
format_line(char buf[static MESSAGE_MAX], const char *fmt, ...)
{
	va_list ap;
	size_t len;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, MESSAGE_MAX, fmt, ap);
	va_end(ap);
	len = n < 0 ? 0 : (size_t)n;
	if (len > MESSAGE_MAX - 1)
		len = MESSAGE_MAX - 1; /* vsnprintf's NUL gives way to the newline */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)buf[i] < ' ' || buf[i] == 127)
			buf[i] = '?';
	buf[len] = '\n';
	return len + 1;
}

size_t
message_format_word(char buf[static MESSAGE_MAX], enum message_type type)
{
	return format_line(buf, "%s", messages[type].word);
}

size_t
message_format_text(char buf[static MESSAGE_MAX], enum message_type type, const char *text)
{
	return format_line(buf, "%s %s", messages[type].word, text);
}

size_t
message_format_hello(char buf[static MESSAGE_MAX], const char *name, const char *version)
{
	return format_line(buf, "hello %d %s %s", CONTRACT_VERSION, name, version);
}

size_t
message_format_drained(char buf[static MESSAGE_MAX], uint64_t finished, uint64_t handed, uint64_t cut)
{
	return format_line(
		buf, "drained finished=%" PRIu64 " handed=%" PRIu64 " cut=%" PRIu64, finished, handed, cut);
}

size_t
message_format_drain(char buf[static MESSAGE_MAX], uint64_t drain_us)
{
	uint64_t seconds = drain_us / US_PER_SEC, us = drain_us % US_PER_SEC;

	if (us == 0)
		return format_line(buf, "drain %" PRIu64, seconds);
	return format_line(buf, "drain %" PRIu64 ".%06" PRIu64, seconds, us);
}

size_t
message_format_outbox(char buf[static MESSAGE_MAX], uint64_t share)
{
	return format_line(buf, "outbox %" PRIu64, share);
}

size_t
message_format_upstream(char buf[static MESSAGE_MAX], size_t number, const char *name)
{
	return format_line(buf, "upstream %zu %s", number, name);
}

size_t
message_format_recall(char buf[static MESSAGE_MAX], const char *name, const struct upstream_health *health)
{
	return format_line(buf, "recall-upstream %s down=%d streak=%" PRIu64 " result=%" PRIu64, name,
		health->is_down, health->streak, health->result_us);
}

size_t
message_format_resolved(char buf[static MESSAGE_MAX], size_t number, const char *addresses)
{
	return format_line(buf, "resolved %zu %s", number, addresses);
}

size_t
message_format_resolve(char buf[static MESSAGE_MAX], const char *name, const char *addresses)
{
	return format_line(buf, "resolve-upstream %s %s", name, addresses);
}
