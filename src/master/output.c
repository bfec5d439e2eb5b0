/*
 * The output of hosted programs.
 */
#include "master/output.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "master/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	TAIL_MAX = 2048,        /* bytes that are remembered of the last that came */
	QUOTE_LINES = 16,       /* of them, as many lines are looked at */
	PIPE_MAX = 1024 * 1024, /* bytes that a pipe may hold, whatever the program has made of it */
};

struct output {
	LIST_ENTRY(output) entry; /* ending */
	struct output_host *host;
	struct event_about about;
	char name[64];
	int fd; /* -1: it is at its end */
	struct event *on_input;
	struct event *on_turn; /* a pause is over */
	bool released;
	uint64_t end_by_us; /* released: when it is given up */
	char *data;         /* what is not logged yet */
	size_t len, size;
	char tail[TAIL_MAX];
	size_t tail_len;
};

/* ---- the last that came ---- */

static void
remember(struct output *o, const char *data, size_t len)
{
	size_t kept;

	if (len > TAIL_MAX) {
		data += len - TAIL_MAX;
		len = TAIL_MAX;
	}
	kept = o->tail_len < TAIL_MAX - len ? o->tail_len : TAIL_MAX - len;
	memmove(o->tail, o->tail + o->tail_len - kept, kept);
	memcpy(o->tail + kept, data, len);
	o->tail_len = kept + len;
}

/* Takes the last line off the text. False: there is none. */
static bool
take_last_line(const char *text, size_t *len, const char **ret_line, size_t *ret_len)
{
	const char *before;

	while (*len > 0 && text[*len - 1] == '\n')
		--*len;
	if (*len == 0)
		return false;
	before = memrchr(text, '\n', *len);
	*ret_line = before ? before + 1 : text;
	*ret_len = *len - (size_t)(*ret_line - text);
	*len -= *ret_len;
	return true;
}

static bool
speaks_of_error(const char *line, size_t len)
{
	return *line != ' ' && *line != '\t' &&
	       (memmem(line, len, "rror", 4) || memmem(line, len, "ERROR", 5));
}

void
output_choose(const char *text, size_t len, char quote[static OUTPUT_QUOTE_MAX])
{
	const char *line, *best = "";
	size_t line_len, best_len = 0;
	bool found = false;

	for (int i = 0; i < QUOTE_LINES && take_last_line(text, &len, &line, &line_len); i++) {
		if (i > 0 && !speaks_of_error(line, line_len))
			continue;
		best = line;
		best_len = line_len;
		found = true;
	}
	snprintf(quote, OUTPUT_QUOTE_MAX, "%.*s", found ? (int)best_len : 0, best);
	if (best_len >= OUTPUT_QUOTE_MAX)
		memcpy(quote + OUTPUT_QUOTE_MAX - sizeof("..."), "...", sizeof("..."));
}

void
output_quote(const struct output *o, char quote[static OUTPUT_QUOTE_MAX])
{
	output_choose(o->tail, o->tail_len, quote);
}

/* ---- into the log ---- */

/* "<3>text", as sd-daemon(3) has it: the level, and where the text begins. */
static int
take_level(const char **line, size_t *len)
{
	int level;

	if (*len < 3 || (*line)[0] != '<' || (*line)[1] < '0' || (*line)[1] > '7' || (*line)[2] != '>')
		return LOG_INFO;
	level = (*line)[1] - '0';
	*line += 3;
	*len -= 3;
	return level < LOG_ERR ? LOG_ERR : level;
}

static int
log_line(const struct output *o, const char *line, size_t len)
{
	char text[LOG_TEXT_MAX];
	int level = take_level(&line, &len);

	if (len > 0 && line[len - 1] == '\r')
		len--;
	/* not like any line of our own: nobody takes the one for the other */
	snprintf(text, sizeof(text), "%s| %.*s", o->name, (int)len, line);
	for (char *p = text; *p; p++)
		if (*p == '\t')
			*p = ' ';
	return log_event_offer(level, EVENT_WORKER_OUTPUT, &o->about, text);
}

/* The next record's length, with its newline in *ret_used; 0: there is no whole one yet. */
static size_t
next_record(const struct output *o, const char *from, size_t len, size_t *ret_used)
{
	size_t most = len < OUTPUT_LINE_MAX ? len : OUTPUT_LINE_MAX;
	const char *newline = memchr(from, '\n', most + (len > most));
	size_t cut = most;

	if (newline) {
		*ret_used = (size_t)(newline - from) + 1;
		return (size_t)(newline - from);
	}
	if (len < OUTPUT_LINE_MAX) {
		*ret_used = o->fd < 0 ? len : 0;
		return *ret_used;
	}
	/* not in the middle of a character */
	while (cut > OUTPUT_LINE_MAX - 4 && ((unsigned char)from[cut - 1] & 0x80) &&
		((unsigned char)from[cut < len ? cut : len - 1] & 0xc0) == 0x80)
		cut--;
	*ret_used = cut;
	return cut;
}

/* Logs what is whole, up to a turn's worth. 0, or -EAGAIN: the log takes nothing now. */
static int
flush(struct output *o)
{
	size_t done = 0, used, len;
	int r = 0;

	while (done < o->len && done < OUTPUT_TURN_MAX) {
		len = next_record(o, o->data + done, o->len - done, &used);
		if (used == 0)
			break;
		r = len > 0 ? log_line(o, o->data + done, len) : 0;
		if (r < 0)
			break;
		done += used;
	}
	memmove(o->data, o->data + done, o->len - done);
	o->len -= done;
	return r;
}

/* ---- turns ---- */

static void
output_free(struct output *o)
{
	if (o->on_input)
		event_free(o->on_input);
	if (o->on_turn)
		event_free(o->on_turn);
	fd_close(&o->fd);
	free(o->data);
	free(o);
}

/* No text has it, and whatever takes text would end there. */
static void
replace_nul(char *data, size_t len)
{
	for (char *p; (p = memchr(data, '\0', len)); len -= (size_t)(p - data), data = p)
		*p = '?';
}

/* What is read at once is less than what there is room for. False at the end of the pipe. */
static bool
read_some(struct output *o, size_t most)
{
	size_t room = o->size - o->len;
	ssize_t n;

	if (room == 0 || o->fd < 0)
		return true;
	n = read(o->fd, o->data + o->len, room < most ? room : most);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	replace_nul(o->data + o->len, (size_t)n);
	remember(o, o->data + o->len, (size_t)n);
	o->len += (size_t)n;
	return n > 0;
}

static void
end_pipe(struct output *o)
{
	if (o->on_input)
		event_del(o->on_input);
	fd_close(&o->fd);
}

static void
pause_for(struct output *o, uint64_t us)
{
	struct timeval tv = clock_timeval(us);

	if (o->fd >= 0)
		event_del(o->on_input);
	event_add(o->on_turn, &tv);
}

/* Nothing more comes, and all is logged, or nobody takes it: it may go. */
static bool
is_over(struct output *o)
{
	if (!o->released)
		return false;
	if (o->len > 0 && clock_now_us() < o->end_by_us)
		return false;
	if (o->len > 0)
		log_event(LOG_WARNING, EVENT_WORKER_OUTPUT, &o->about,
			"%s: the last %zu bytes of its output are lost: nobody took them", o->name, o->len);
	return true;
}

static void
finish(struct output *o)
{
	struct output_host *host = o->host;

	LIST_REMOVE(o, entry);
	output_free(o);
	host->ended(host->arg);
}

/* One turn: a little is read and logged, and then others have theirs. */
static void
take_turn(struct output *o)
{
	uint64_t began_us = clock_work_us(), owed_us;
	int r;

	if (!read_some(o, OUTPUT_TURN_MAX))
		end_pipe(o);
	r = flush(o);
	owed_us = pace_work(&o->host->pace, clock_now_us(), clock_work_us() - began_us);
	if (r == 0 && owed_us == 0 && o->fd >= 0)
		r = event_add(o->on_input, NULL);
	if (is_over(o))
		finish(o);
	else if (r < 0)
		pause_for(o, OUTPUT_RETRY_US);
	else if (owed_us > 0 && (o->fd >= 0 || o->len > 0))
		pause_for(o, owed_us);
	else if (o->fd < 0 && o->len > 0)
		event_active(o->on_turn, 0, 0);
}

/* event: the pipe, or the end of a pause */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	take_turn(arg);
}

/* ---- beginning and end ---- */

void
output_host_init(struct output_host *host, struct event_base *base, void (*ended)(void *arg), void *arg)
{
	*host = (struct output_host){ .base = base,
		.pace = { .rest = OUTPUT_REST, .credit_us = OUTPUT_CREDIT_US },
		.ended = ended,
		.arg = arg };
	LIST_INIT(&host->ending);
}

void
output_host_done(struct output_host *host)
{
	struct output *o;

	while ((o = LIST_FIRST(&host->ending))) {
		LIST_REMOVE(o, entry);
		output_free(o);
	}
}

/* Takes the descriptor, which may be -1 in a trial. */
static struct output *
make(struct output_host *host, int fd)
{
	struct output *o = calloc(1, sizeof(*o));

	if (o)
		*o = (struct output){ .host = host, .fd = fd, .size = 2 * OUTPUT_TURN_MAX };
	if (o && (o->data = malloc(o->size)) && (o->on_turn = evtimer_new(host->base, on_turn, o)) &&
		(fd < 0 || (o->on_input = event_new(host->base, fd, EV_READ | EV_PERSIST, on_turn, o)))) {
		event_priority_set(o->on_turn, LOOP_PRIORITY_CLIENTS);
		if (o->on_input)
			event_priority_set(o->on_input, LOOP_PRIORITY_CLIENTS);
		return o;
	}
	if (o)
		output_free(o);
	else
		fd_close(&fd);
	errno = ENOMEM;
	return NULL;
}

struct output *
output_new(struct output_host *host, int *ret_fd)
{
	struct output *o;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	r = fd_set_nonblock(ends[0], true);
	o = r == 0 ? make(host, ends[0]) : NULL;
	if (o) {
		*ret_fd = ends[1];
		return o;
	}
	if (r < 0) {
		close(ends[0]);
		errno = -r;
	}
	close(ends[1]);
	return NULL;
}

void
output_begin(struct output *o, const struct event_about *about)
{
	o->about = *about;
	snprintf(o->name, sizeof(o->name), "worker %u gen %" PRIu64 " pid %d", about->slot, about->generation,
		about->pid);
	if (o->on_input) /* one that was loaded may have come to its end before */
		event_add(o->on_input, NULL);
	if (o->len > 0)
		event_active(o->on_turn, 0, 0);
}

void
output_end(struct output *o)
{
	int held = o->fd >= 0 ? fcntl(o->fd, F_GETPIPE_SZ) : -1;
	size_t more = held > 0 ? (size_t)(held < PIPE_MAX ? held : PIPE_MAX) : 0;
	char *data = more > 0 ? realloc(o->data, o->len + more) : NULL;
	size_t before;

	if (data) {
		o->data = data;
		o->size = o->len + more;
		do
			before = o->len;
		while (read_some(o, more) && o->len > before);
	}
	if (o->fd >= 0)
		end_pipe(o);
}

void
output_release(struct output *o)
{
	if (!o)
		return;
	if (o->fd >= 0 || o->len == 0) { /* it has not ended, or is done with */
		output_free(o);
		return;
	}
	o->released = true;
	o->end_by_us = clock_now_us() + OUTPUT_END_TIMEOUT_US;
	LIST_INSERT_HEAD(&o->host->ending, o, entry);
	event_active(o->on_turn, 0, 0);
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_REST("fd"), /* null: it was closed */
	HERITAGE_REST("held"),
	HERITAGE_REST("tail"),
	HERITAGE_END,
};

json_t *
output_save(struct heritage *h, const struct output *o)
{
	json_t *json = json_object();

	heritage_set(h, json, "fd", o->fd >= 0 ? heritage_fd(h, o->fd, false) : json_null());
	heritage_set(h, json, "held", heritage_bytes(o->data, o->len));
	heritage_set(h, json, "tail", heritage_bytes(o->tail, o->tail_len));
	return json;
}

static bool
load_bytes(struct heritage *h, const json_t *json, char *into, size_t *ret_len, size_t max)
{
	cleanup_free char *bytes = heritage_load_bytes(json, ret_len);

	if (!bytes || *ret_len > max) {
		*ret_len = 0;
		return heritage_refuse(h, "the output of a worker is none");
	}
	memcpy(into, bytes, *ret_len);
	return true;
}

struct output *
output_load(struct heritage *h, struct output_host *host, const json_t *json)
{
	const json_t *number = json_object_get(json, "fd");
	struct output *o;
	int fd = -1;

	if (!heritage_load(h, fields, json, &fd) ||
		(!json_is_null(number) && !heritage_load_fd(h, number, &fd)))
		return NULL;
	o = make(host, fd);
	if (!o)
		heritage_refuse(h, "out of memory");
	else if (load_bytes(h, json_object_get(json, "held"), o->data, &o->len, o->size) &&
		 load_bytes(h, json_object_get(json, "tail"), o->tail, &o->tail_len, TAIL_MAX))
		return o;
	if (o)
		output_free(o);
	return NULL;
}
