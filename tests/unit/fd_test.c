/*
 * Descriptors: flags, whole reads, sealed memory files.
 */
#include "base/fd.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static void
close_forgets_the_descriptor(void **state)
{
	int ends[2], copy;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	copy = ends[0];
	fd_close(&ends[0]);
	assert_int_equal(ends[0], -1);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	fd_close(&ends[0]); /* of none: nothing */
	fd_close(&ends[1]);
}

static void
flags_are_set_and_cleared(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_set_nonblock(ends[0], true), 0);
	assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(ends[0], false), 0);
	assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_cloexec(ends[0], false), 0);
	assert_false(fcntl(ends[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(ends[0], true), 0);
	assert_true(fcntl(ends[0], F_GETFD) & FD_CLOEXEC);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	assert_int_equal(fd_set_nonblock(-1, true), -EBADF);
	assert_int_equal(fd_set_cloexec(-1, true), -EBADF);
}

static void
sealed_memfd_never_changes(void **state)
{
	int fd = fd_sealed_memfd("unit-test", "text", 4);
	char link[64], name[64] = "";

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 2), -1);
	assert_int_equal(ftruncate(fd, 8), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_true(readlink(link, name, sizeof(name) - 1) > 0);
	assert_non_null(strstr(name, "unit-test"));
	fd_close(&fd);
}

/* Whatever its size, also around that of the buffer, and wherever its offset stands. */
static void
read_all_reads_all(void **state)
{
	static const size_t sizes[] = { 0, 1, 4094, 4095, 4096, 4097, 8191, 8192, 100000 };
	static char data[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd = fd_sealed_memfd("unit-test", data, sizes[i]);
		char *text = NULL;
		size_t len = 1;

		assert_true(lseek(fd, 1, SEEK_SET) == 1);
		assert_int_equal(fd_read_all(fd, sizes[i], &text, &len), 0);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(text, data, len);
		assert_int_equal(text[len], '\0');
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 1); /* shared with others, so left alone */
		free(text);
		fd_close(&fd);
	}
}

static void
read_all_refuses_what_is_too_large(void **state)
{
	int fd = fd_sealed_memfd("unit-test", "12345", 5);
	char *text = NULL;
	size_t len = 7;

	(void)state;
	assert_int_equal(fd_read_all(fd, 4, &text, &len), -EFBIG);
	assert_null(text);
	assert_int_equal(len, 7);
	fd_close(&fd);
	assert_int_equal(fd_read_all(fd, 4, &text, &len), -EBADF);
}

static void
write_all_tells_errors(void **state)
{
	int fd = memfd_create("unit-test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(fd_write_all(fd, "abc", 3), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 3);
	fd_close(&fd);
	assert_int_equal(fd_write_all(fd, "abc", 3), -EBADF);
	assert_int_equal(fd_write_all(fd, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_forgets_the_descriptor),
		cmocka_unit_test(flags_are_set_and_cleared),
		cmocka_unit_test(sealed_memfd_never_changes),
		cmocka_unit_test(read_all_reads_all),
		cmocka_unit_test(read_all_refuses_what_is_too_large),
		cmocka_unit_test(write_all_tells_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
