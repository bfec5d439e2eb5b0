/*
 * The log: lines on standard error, which is a pipe here, and sinks.
 */
#include "base/log.h"

#include "base/cleanup.h"
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

static int
remove_pipe(void **state)
{
	struct pipe *pipe = *state;

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

/* Nobody reads: nothing waits, whole lines only get through, and later the log says how many did not. */
static void
full_pipe_never_blocks_and_the_loss_is_counted(void **state)
{
	enum { SAID = 3000 }; /* lines of 60 bytes: more than the pipe's 64 KiB */
	unsigned long lost;
	size_t seen = 0;
	const char *text;

	for (int i = 0; i < SAID; i++)
		log_info("this line has the number %04d", i);
	text = said(*state);
	for (const char *p = text; (p = strstr(p, "this line has the number ")); p++)
		seen++;
	assert_in_range(seen, 100, SAID - 1);
	assert_int_equal(text[strlen(text) - 1], '\n');

	log_info("there is room again");
	text = strstr(said(*state), "warning: ");
	assert_non_null(text);
	assert_int_equal(sscanf(text, "warning: %lu log messages were lost", &lost), 1);
	assert_int_equal(lost + seen, SAID);
	assert_non_null(strstr(text, "there is room again"));

	log_info("and no more of that");
	assert_null(strstr(said(*state), "lost"));
}

struct catcher {
	int r; /* to be returned */
	int calls;
	int level;
	char text[100];
	char field[100];
};

/* A log_sink */
static int catch (const struct log_record *record, void *arg)
{
	struct catcher *catcher = arg;

	catcher->calls++;
	catcher->level = record->level;
	snprintf(catcher->text, sizeof(catcher->text), "%s", record->text);
	if (record->n_fields > 0)
		snprintf(catcher->field, sizeof(catcher->field), "%s", record->fields[0]);
	return catcher->r;
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

static void
loss_in_a_sink_is_counted_too(void **state)
{
	struct catcher catcher = { .r = -EAGAIN };

	(void)state;
	log_set_sink(catch, &catcher);
	log_info("one");
	log_info("two");
	catcher = (struct catcher){ .r = 0 };
	log_info("three");
	assert_int_equal(catcher.calls, 2);
	assert_string_equal(catcher.text, "three");
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
			full_pipe_never_blocks_and_the_loss_is_counted, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(sink_takes_records_with_their_fields, make_pipe, remove_pipe),
		cmocka_unit_test_setup_teardown(loss_in_a_sink_is_counted_too, make_pipe, remove_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
