/*
 * UNIX sockets in folders where others may write, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "master/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char folder[32], path[64], secret[64];
};

static void
make_place(struct place *place)
{
	int fd;

	snprintf(place->folder, sizeof(place->folder), "/tmp/gracefuld-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/socket", place->folder);
	snprintf(place->secret, sizeof(place->secret), "%s/secret", place->folder);
	fd = open(place->secret, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void
remove_place(struct place *place)
{
	unlink(place->path);
	unlink(place->secret);
	rmdir(place->folder);
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void
test_access_is_that_of_the_socket(void **state)
{
	struct place place = { .folder = "" };
	struct config_listen spec = { .mode = 0640, .backlog = 1 };
	ino_t inode;
	int fd;

	(void)state;
	make_place(&place);
	spec.path = place.path;
	fd = unix_socket_listen(&spec, &inode);
	assert_true(fd >= 0);
	assert_int_equal(mode_of(place.path), 0640);
	spec.mode = 0666;
	assert_int_equal(unix_socket_set_access(place.path, &spec), 0);
	assert_int_equal(mode_of(place.path), 0666);
	close(fd);
	remove_place(&place);
}

/* Whoever may write to the folder has put something else there: a link to a file of ours, or the file itself by another name. */
static void
test_access_of_a_file_is_not_changed(void **state)
{
	struct place place = { .folder = "" };
	struct config_listen spec = { .mode = 0666 };

	(void)state;
	make_place(&place);
	spec.path = place.path;
	assert_int_equal(symlink(place.secret, place.path), 0);
	assert_int_equal(unix_socket_set_access(place.path, &spec), -ENOTSOCK);
	assert_int_equal(mode_of(place.secret), 0600);
	unlink(place.path);
	assert_int_equal(link(place.secret, place.path), 0);
	assert_int_equal(unix_socket_set_access(place.path, &spec), -ENOTSOCK);
	assert_int_equal(mode_of(place.secret), 0600);
	remove_place(&place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access_is_that_of_the_socket),
		cmocka_unit_test(test_access_of_a_file_is_not_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
