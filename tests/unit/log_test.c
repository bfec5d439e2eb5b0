/*
 * The log: lines on standard error, which is a pipe here, and sinks.
 */
#include "base/log.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Standard error, for as long as a test lasts. */
struct pipe {
	int saved_stderr;
	int read_fd;
	char text[1 << 17];
};

static int
make_pipe(void **state)
{
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	int ends[2];

	if (!pipe || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pipe->saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	pipe->read_fd = ends[0];
	fd_set_nonblock(ends[0], true);
	log_init("unit-test", LOG_INFO);
	*state = pipe;
	return 0;
}

/* A log_sink */
static int
forget(const struct log_record *record, void *arg)
{
	(void)record, (void)arg;
	return 0;
}

static int
remove_pipe(void **state)
{
	struct pipe *pipe = *state;

	log_set_sink(forget, NULL); /* what waits, or was lost, is none of the next test's */
	log_flush();
	log_set_sink(NULL, NULL);
	dup2(pipe->saved_stderr, STDERR_FILENO);
	close(pipe->saved_stderr);
	close(pipe->read_fd);
	free(pipe);
	return 0;
}

/* All that is in the pipe. */
static const char *
said(struct pipe *pipe)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(pipe->read_fd, pipe->text + len, sizeof(pipe->text) - len - 1)) > 0)
		len += (size_t)n;
	pipe->text[len] = '\0';
	return pipe->text;
}

static void
line_names_time_program_and_level(void **state)
{
	char expected[64];
	const char *line;

	log_warning("%d %s", 7, "dwarfs");
	line = said(*state);
	snprintf(expected, sizeof(expected), " unit-test[%d] warning: 7 dwarfs\n", (int)getpid());
	assert_string_equal(line + strlen("2026-01-01 12:00:00.123"), expected);
	assert_int_equal(line[4], '-');
	assert_int_equal(line[19], '.');
}

static void
level_decides_what_is_said(void **state)
{
	log_debug("no");
	assert_string_equal(said(*state), "");
	log_set_level(LOG_DEBUG);
	assert_int_equal(log_level(), LOG_DEBUG);
	log_debug("yes");
	assert_non_null(strstr(said(*state), " debug: yes\n"));
	log_set_level(LOG_ERR);
	log_warning("no");
	assert_string_equal(said(*state), "");
}

static void
level_names_go_both_ways(void **state)
{
	static const int levels[] = { LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		assert_int_equal(log_level_from_name(log_level_name(levels[i])), levels[i]);
	assert_int_equal(log_level_from_name("Error"), -1);
	assert_int_equal(log_level_from_name(""), -1);
}

static void
control_characters_do_not_get_through(void **state)
{
	const char *line;

	log_info("a\nb\x1b[2J\x7f\xc3\xa4");
	line = said(*state);
	assert_non_null(strstr(line, "info: a?b?[2J?\xc3\xa4\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void
long_text_is_cut_and_marked(void **state)
{
	char text[LOG_TEXT_MAX + 100];
	const char *line;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	line = said(*state);
	assert_string_equal(line + strlen(line) - 5, "x...\n");
	assert_int_equal(strlen(strchr(line, 'x')), LOG_TEXT_MAX);
}

static void
errno_survives(void **state)
{
	(void)state;
	errno = E2BIG;
	log_info("x");
	assert_int_equal(errno, E2BIG);
}

/* How often `part` is in what the pipe has. */
static size_t
count_said(struct pipe *pipe, const char *part)
{
	size_t n = 0;

	for (const char *p = said(pipe); (p = strstr(p, part)); p++)
		n++;
	return n;
}

/* Nobody reads, and the pipe of 64 KiB is full of lines of 60 bytes: the rest waits, in its order. */
static void
full_pipe_never_blocks_and_nothing_is_lost(void **state)
{
	enum { SAID = 2000 };
	size_t seen = 0;

	for (int i = 0; i < SAID; i++)
		log_info("line %04d of those that are more than the pipe takes", i);
	do {
		for (const char *p = said(*state); (p = strstr(p, "info: line ")); p++, seen++)
			assert_int_equal(strtol(p + strlen("info: line "), NULL, 10), seen);
	} while (log_flush() != LOG_FLUSHED_ALL);
	seen += count_said(*state, "info: line ");
	assert_int_equal(seen, SAID);
	log_info("and no more of that");
	assert_int_equal(count_said(*state, "and no more of that"), 1);
}

/* Nobody reads for long: what is too much is lost, and the log says in its place how much that was. */
static void
what_is_over_the_bound_is_counted(void **state)
{
	enum { SAID = 10000 };
	unsigned long lost = 0;
	size_t seen = 0;
	char *text;

	for (int i = 0; i < SAID; i++)
		log_info("this line has the number %04d", i);
	do {
		log_flush();
		text = (char *)said(*state);
		for (const char *p = text; (p = strstr(p, "this line has the number ")); p++, seen++)
			assert_int_equal(lost, 0);
		if (strstr(text, " warning: "))
			assert_int_equal(sscanf(strstr(text, " warning: "),
						 " warning: %lu log messages were lost", &lost),
				1);
	} while (*text);
	assert_in_range(seen, 1000, SAID - 1);
	assert_int_equal(lost + seen, SAID);
	log_info("there is room again");
	text = (char *)said(*state);
	assert_non_null(strstr(text, "there is room again"));
	assert_null(strstr(text, "lost"));
}

struct catcher {
	int r; /* to be returned */
	int calls, taken, losses;
	int level;
	uint64_t wall_us;
	char text[100];
	char field[100];
};

/* A log_sink */
static int catch (const struct log_record *record, void *arg)
{
	struct catcher *catcher = arg;

	catcher->calls++;
	catcher->taken += catcher->r == 0;
	catcher->level = record->level;
	catcher->wall_us = record->wall_us;
	snprintf(catcher->text, sizeof(catcher->text), "%s", record->text);
	if (record->n_fields > 0)
		snprintf(catcher->field, sizeof(catcher->field), "%s", record->fields[record->n_fields - 1]);
	return catcher->r;
}

/* A log_waiter */
static void
count_waits(void *arg)
{
	++*(int *)arg;
}

static void
sink_takes_records_with_their_fields(void **state)
{
	static const char *const fields[] = { "GRACEFULD_SLOT=3" };
	struct catcher catcher = { 0 };

	log_set_sink(catch, &catcher);
	log_fields(LOG_NOTICE, fields, 1, "slot %d", 3);
	assert_int_equal(catcher.calls, 1);
	assert_int_equal(catcher.level, LOG_NOTICE);
	assert_string_equal(catcher.text, "slot 3");
	assert_string_equal(catcher.field, "GRACEFULD_SLOT=3");
	assert_string_equal(said(*state), "");
	log_set_sink(NULL, NULL);
	log_info("back");
	assert_non_null(strstr(said(*state), "back"));
}

/* The copy that waits is whole, and of the time at which it was made. */
static void
what_waits_is_as_it_was(void **state)
{
	char slot[] = "GRACEFULD_SLOT=3", event[] = "GRACEFULD_EVENT=worker";
	const char *fields[] = { slot, event };
	struct catcher catcher = { .r = -EAGAIN };
	uint64_t made_us;

	(void)state;
	log_set_sink(catch, &catcher);
	log_fields(LOG_NOTICE, fields, 2, "slot %d", 3);
	made_us = catcher.wall_us;
	memset(slot, 'x', strlen(slot));
	memset(event, 'x', strlen(event));
	fields[0] = fields[1] = NULL;
	catcher = (struct catcher){ .r = 0 };
	assert_int_equal(log_flush(), LOG_FLUSHED_ALL);
	assert_int_equal(catcher.taken, 1);
	assert_int_equal(catcher.level, LOG_NOTICE);
	assert_string_equal(catcher.text, "slot 3");
	assert_string_equal(catcher.field, "GRACEFULD_EVENT=worker");
	assert_int_equal(catcher.wall_us, made_us);
}

static void
what_waits_goes_first(void **state)
{
	struct catcher catcher = { .r = -EAGAIN };

	log_set_sink(catch, &catcher);
	log_info("one");
	log_info("two");
	assert_int_equal(log_flush(), LOG_FLUSHED_NONE);
	assert_int_equal(log_offer(LOG_INFO, NULL, 0, "three"), -EAGAIN);
	assert_string_equal(catcher.text, "one");
	catcher = (struct catcher){ .r = 0 };
	log_info("four");
	assert_int_equal(catcher.taken, 3);
	assert_string_equal(catcher.text, "four");
	assert_int_equal(log_offer(LOG_INFO, NULL, 0, "three"), 0);
	assert_int_equal(catcher.taken, 4);
	assert_string_equal(said(*state), "");
}

/* As a line on stderr begins. */
static void
put_stamp(char stamp[32], uint64_t wall_us)
{
	const time_t seconds = (time_t)(wall_us / US_PER_SEC);
	char text[24];
	struct tm tm;

	strftime(text, sizeof(text), "%F %T", localtime_r(&seconds, &tm));
	snprintf(stamp, 32, "%s.%03u ", text, (unsigned)(wall_us / US_PER_MS % 1000));
}

/* To another sink, too, as a reload may choose one; stderr has the time at which it was made. */
static void
what_waits_goes_to_the_sink_of_then(void **state)
{
	struct catcher catcher = { .r = -EAGAIN };
	const char *line;
	char stamp[32];

	log_set_sink(catch, &catcher);
	log_info("one");
	put_stamp(stamp, catcher.wall_us);
	while (clock_wall_us() / US_PER_MS == catcher.wall_us / US_PER_MS)
		;
	log_set_sink(NULL, NULL);
	log_info("two");
	line = said(*state);
	assert_non_null(strstr(line, "info: one\n"));
	assert_memory_equal(line, stamp, strlen(stamp));
}

/* A sink that takes one record of three. */
static int
take_every_third(const struct log_record *record, void *arg)
{
	struct catcher *catcher = arg;

	if (++catcher->calls % 3 != 0)
		return -EAGAIN;
	catcher->taken++;
	catcher->losses += strstr(record->text, "messages were lost") != NULL;
	return 0;
}

/* What a slow one takes are not only news of what it did not take. */
static void
losses_are_told_in_sums(void **state)
{
	struct catcher catcher = { 0 };
	char text[200];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_set_sink(take_every_third, &catcher);
	for (int i = 0; i < 50000; i++)
		log_info("%s", text);
	print_message("taken: %d, %d of them told of losses\n", catcher.taken, catcher.losses);
	assert_in_range(catcher.losses, 2, catcher.taken / 100);
}

/* Who has gone will not come back, as who is late does: a pipe that is full looks the same otherwise. */
static void
pipe_without_a_reader_is_no_reason_to_wait(void **state)
{
	struct pipe *pipe = *state;

	fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
	while (write(STDERR_FILENO, pipe->text, 4096) > 0)
		;
	close(pipe->read_fd);
	pipe->read_fd = -1;
	log_info("one");
	assert_int_equal(log_lost(), 1);
	assert_int_equal(log_offer(LOG_INFO, NULL, 0, "two"), 0);
	assert_int_equal(log_lost(), 2);
}

/* Nobody is there at present: it is kept, and who could keep it elsewhere is not held up; but half of the room is for us. */
static void
nobody_may_come(void **state)
{
	enum { OFFERED = 2000, OWN = 500 };
	struct catcher catcher = { .r = -ENOTCONN };
	unsigned long lost;
	int waits = 0;

	(void)state;
	log_set_sink(catch, &catcher);
	log_set_waiter(count_waits, &waits);
	for (int i = 0; i < OFFERED; i++)
		assert_int_equal(log_offer(LOG_INFO, NULL, 0, "of a program"), 0);
	assert_int_equal(waits, 1);
	lost = log_lost();
	assert_in_range(lost, 1, OFFERED - 1);
	for (int i = 0; i < OWN; i++)
		log_info("of our own");
	assert_int_equal(log_lost(), 0); /* the first of our own took the count along */
	catcher = (struct catcher){ .r = 0 };
	assert_int_equal(log_flush(), LOG_FLUSHED_ALL);
	print_message("%lu of %d lost\n", lost, OFFERED);
	assert_int_equal(catcher.taken, OFFERED - lost + 1 + OWN);
	log_set_waiter(NULL, NULL);
}

/* An error is no reason to come again. */
static void
loss_in_a_sink_is_counted_too(void **state)
{
	struct catcher catcher = { .r = -ECONNREFUSED };

	(void)state;
	log_set_sink(catch, &catcher);
	log_info("one");
	log_info("two");
	catcher = (struct catcher){ .r = 0 };
	assert_int_equal(log_flush(), LOG_FLUSHED_ALL);
	assert_int_equal(catcher.calls, 1);
	assert_string_equal(catcher.text, "2 log messages were lost: nobody took them");
	log_info("three");
	assert_int_equal(catcher.calls, 2);
	assert_string_equal(catcher.text, "three");
}

static void
waiter_is_told_once(void **state)
{
	struct catcher catcher = { .r = -EAGAIN };
	int waits = 0, late = 0;

	(void)state;
	log_set_sink(catch, &catcher);
	log_set_waiter(count_waits, &waits);
	log_info("one");
	log_info("two");
	assert_int_equal(waits, 1);
	log_set_waiter(count_waits, &late);
	assert_int_equal(late, 1);
	catcher.r = 0;
	log_info("three");
	catcher.r = -EAGAIN;
	log_info("four");
	assert_int_equal(late, 2);
	catcher.r = 0;
	log_flush();
	log_set_waiter(NULL, NULL);
}

/* … and of what was lost, which the sink would not hear. */
static void
last_loss_goes_to_stderr(void **state)
{
	struct catcher catcher = { .r = -EPERM };

	log_set_sink(catch, &catcher);
	log_info("one");
	log_add_lost(2);
	log_finish(1000);
	assert_non_null(strstr(said(*state), "warning: 3 log messages were lost: nobody took them\n"));
	assert_int_equal(log_lost(), 0);
}

/* At the end: those who read stderr are told what the journal has not taken, in time. */
static void
last_words_go_to_stderr(void **state)
{
	struct catcher catcher = { .r = -EAGAIN };

	log_set_sink(catch, &catcher);
	log_info("one");
	log_info("two");
	log_finish(1000);
	assert_int_equal(catcher.taken, 0);
	assert_int_equal(count_said(*state, "info: "), 2);
	catcher.r = 0;
	log_info("back, as it could not exec");
	assert_int_equal(catcher.taken, 1);
	log_finish(UINT64_MAX / 2); /* does not wait */
}

/*
 * A sink of changing moods, that keeps count: each record is the next one, or as many are missing as it has just been told. When it fails, what
 * it is told by then is lost too, and is told behind what waits.
 */
struct moody {
	unsigned takes_percent, fails_percent;
	int refusal;
	unsigned random;
	long next, taken, told;
};

static unsigned
draw(unsigned *random, unsigned n)
{
	return (*random = *random * 1103515245 + 12345) / 65536 % n;
}

/* A log_sink */
static int
take_at_times(const struct log_record *record, void *arg)
{
	struct moody *moody = arg;
	long lost;

	if (draw(&moody->random, 100) >= moody->takes_percent)
		return moody->refusal;
	if (draw(&moody->random, 100) < moody->fails_percent)
		return -EPERM;
	if (strstr(record->text, "log messages were lost")) {
		lost = strtol(record->text, NULL, 10);
		moody->told += lost;
		moody->next += moody->fails_percent > 0 ? 0 : lost;
		return 0;
	}
	if (moody->fails_percent > 0)
		assert_true(strtol(record->text, NULL, 10) >= moody->next);
	else
		assert_int_equal(strtol(record->text, NULL, 10), moody->next);
	moody->next = strtol(record->text, NULL, 10) + 1;
	moody->taken++;
	return 0;
}

/* In whatever way lines are said, offered and refused: each one arrives in its order, or is told as lost, and none both. */
static void
try_moods(unsigned fails_percent)
{
	enum { LINES = 100000, MOOD = 500 };
	static const unsigned takes_percent[] = { 100, 10, 0, 0 };
	struct moody moody = { .random = 1, .fails_percent = fails_percent };
	unsigned random = 2;
	char text[300];

	log_set_sink(take_at_times, &moody);
	for (long i = 0; i < LINES;) {
		if (i % MOOD == 0) {
			moody.takes_percent = takes_percent[draw(&random, ARRAY_LEN(takes_percent))];
			moody.refusal = draw(&random, 2) ? -EAGAIN : -ENOTCONN;
		}
		snprintf(text, sizeof(text), "%ld %0*d", i, (int)draw(&random, 280), 0);
		if (draw(&random, 4) > 0) {
			log_info("%s", text);
			i++;
		} else if (log_offer(LOG_INFO, NULL, 0, text) == 0) {
			i++;
		} else { /* in another mood, perhaps */
			moody.takes_percent = 50;
		}
	}
	moody.takes_percent = 100;
	assert_int_equal(log_flush(), LOG_FLUSHED_ALL);
	moody.told += (long)log_lost(); /* if just that failed */
	print_message("%ld arrived, %ld told as lost\n", moody.taken, moody.told);
	assert_int_equal(moody.taken + moody.told, LINES);
	assert_in_range(moody.told, 1, LINES / 2);
}

static void
each_line_arrives_or_is_counted(void **state)
{
	(void)state;
	try_moods(0);
}

static void
each_line_is_counted_where_the_sink_fails(void **state)
{
	(void)state;
	try_moods(5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(line_names_time_program_and_level, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(level_decides_what_is_said, make_pipe, remove_pipe),
		cmocka_unit_test(level_names_go_both_ways),
		cmocka_unit_test_setup_teardown(
			control_characters_do_not_get_through, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(long_text_is_cut_and_marked, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(errno_survives, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(
			full_pipe_never_blocks_and_nothing_is_lost, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(what_is_over_the_bound_is_counted, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(sink_takes_records_with_their_fields, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(what_waits_is_as_it_was, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(what_waits_goes_first, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(what_waits_goes_to_the_sink_of_then, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(loss_in_a_sink_is_counted_too, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(losses_are_told_in_sums, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(
			pipe_without_a_reader_is_no_reason_to_wait, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(nobody_may_come, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(each_line_arrives_or_is_counted, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(
			each_line_is_counted_where_the_sink_fails, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(last_loss_goes_to_stderr, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(waiter_is_told_once, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(last_words_go_to_stderr, make_pipe, remove_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
