/*
 * The counter page: its making, its layout, and that two mappings are one.
 */
#include "ipc/counters.h"

#include "base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void
two_ends_see_the_same_numbers(void **state)
{
	int fd = counters_create();
	struct counters *worker = counters_map(fd), *master = counters_map(fd);

	(void)state;
	fd_close(&fd);
	assert_non_null(worker);
	assert_non_null(master);
	for (int i = 0; i < COUNTER_COUNT; i++)
		assert_int_equal(counters_get(master, (enum counter)i), 0);
	counters_add(worker, COUNTER_SENT, 40);
	counters_add(worker, COUNTER_SENT, 2);
	counters_add(worker, COUNTER_CONNECTIONS, 2);
	counters_sub(worker, COUNTER_CONNECTIONS, 1);
	assert_int_equal(counters_get(master, COUNTER_SENT), 42);
	assert_int_equal(counters_get(master, COUNTER_CONNECTIONS), 1);
	counters_unmap(worker);
	assert_int_equal(counters_get(master, COUNTER_SENT), 42); /* as after a crash */
	counters_unmap(master);
	counters_unmap(NULL);
}

/* The place of each word is part of the contract: a change here breaks running workers. */
static void
layout_is_as_documented(void **state)
{
	static const char *const names[] = { "connections", "accepted", "requests", "finished", "cut",
		"handed_in", "handed_out", "received", "sent", "lost" };

	(void)state;
	assert_int_equal(sizeof(struct counters), 4096);
	assert_int_equal(COUNTER_COUNT, sizeof(names) / sizeof(names[0]));
	for (int i = 0; i < COUNTER_COUNT; i++)
		assert_string_equal(counters_name((enum counter)i), names[i]);
}

/* A page that could shrink would be a way to kill the master by SIGBUS. */
static void
page_can_not_change_its_size(void **state)
{
	int fd = counters_create();

	(void)state;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 2 * COUNTERS_SIZE), -1);
	fd_close(&fd);
}

static void
wrong_files_are_refused(void **state)
{
	int small = memfd_create("unit-test", MFD_CLOEXEC), sealed;

	(void)state;
	assert_int_equal(ftruncate(small, COUNTERS_SIZE - 1), 0);
	assert_null(counters_map(small));
	assert_int_equal(errno, EINVAL);
	fd_close(&small);
	assert_null(counters_map(-1));
	assert_int_equal(errno, EBADF);
	sealed = fd_sealed_memfd("unit-test", (char[COUNTERS_SIZE]){ 0 }, COUNTERS_SIZE);
	assert_null(counters_map(sealed));
	fd_close(&sealed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_ends_see_the_same_numbers),
		cmocka_unit_test(layout_is_as_documented),
		cmocka_unit_test(page_can_not_change_its_size),
		cmocka_unit_test(wrong_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
