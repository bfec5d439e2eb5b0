/*
 * A leak is found, and what some global variable holds is none, with tests/leak_roots.c in the program as in those of a sanitizers' build.
 */
#include "base/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { FOUND = 23, MANY = 1 << 20 };

/* volatile: no compiler may leave out what nobody reads */
static void *volatile pages[MANY]; /* nearly all of it never touched */
static void *volatile initialized[] = { (void *)(uintptr_t)pages, NULL };

/* How this program ends when it does one thing only. */
static int
status_of(const char *what)
{
	char *argv[] = { (char *)(uintptr_t) "leaks_test", (char *)(uintptr_t)what, NULL };
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
what_is_held_is_no_leak(void **state)
{
	(void)state;
	assert_int_equal(status_of("hold"), EXIT_SUCCESS);
}

static void
what_is_lost_is_found(void **state)
{
	(void)state;
	assert_int_equal(status_of("lose"), FOUND);
}

static void
hold(void)
{
	initialized[1] = malloc(1);
	pages[MANY / 2] = malloc(1);
	pages[MANY - 1] = malloc(1);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_held_is_no_leak),
		cmocka_unit_test(what_is_lost_is_found),
	};

	setenv("ASAN_OPTIONS", "exitcode=23", 1); /* FOUND */
	if (argc != 2)
		return cmocka_run_group_tests(tests, NULL, NULL);
	hold();
	if (strcmp(argv[1], "lose") == 0)
		pages[MANY / 2] = NULL;
	return EXIT_SUCCESS;
}
