/*
 * Files beneath a folder: by the kernel, and by our own walk, which must be told alike.
 */
#include "service/http/beneath.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What is read from it, or negative errno. */
struct row {
	const char *name;
	const char *content; /* NULL: error; "/": a folder */
	int error;
};

static const struct row rows[] = {
	{ "file", "inside", 0 },
	{ "a/b/file", "deep", 0 },
	{ "./a//b/./file", "deep", 0 },
	{ "a/../file", "inside", 0 },
	{ "a/b/../../file", "inside", 0 },
	{ "a", "/", 0 },
	{ "a/b/", "/", 0 },
	{ ".", "/", 0 },
	{ "a/..", "/", 0 },
	{ "link", "inside", 0 },
	{ "a/up", "inside", 0 },
	{ "folder/file", "deep", 0 },
	{ "folder/../b/file", "deep", 0 }, /* up from where the link leads to */
	{ "chain", "inside", 0 },
	{ "", NULL, ENOENT },
	{ "missing", NULL, ENOENT },
	{ "missing/file", NULL, ENOENT },
	{ "dangling", NULL, ENOENT },
	{ "file/", NULL, ENOTDIR },
	{ "file/file", NULL, ENOTDIR },
	{ "link/", NULL, ENOTDIR },
	{ "/etc/passwd", NULL, EXDEV },
	{ "..", NULL, EXDEV },
	{ "../secret", NULL, EXDEV },
	{ "a/../../secret", NULL, EXDEV },
	{ "out", NULL, EXDEV },
	{ "a/out", NULL, EXDEV },
	{ "absolute", NULL, EXDEV },
	{ "out_and_in", NULL, EXDEV },
	{ "loop", NULL, ELOOP },
	{ "self/file", NULL, ELOOP },
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

struct fixture {
	char top[64];
	int root;
};

static void
write_file(int folder, const char *name, const char *text)
{
	cleanup_fd int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void
make_links(int root)
{
	static const char *const links[][2] = {
		{ "file", "link" },
		{ "../file", "a/up" },
		{ "a/b", "folder" },
		{ "chain2", "chain" },
		{ "folder/../up", "chain2" },
		{ "nowhere", "dangling" },
		{ "../secret", "out" },
		{ "../../secret", "a/out" },
		{ "/etc/passwd", "absolute" },
		{ "../root/file", "out_and_in" },
		{ "loop2", "loop" },
		{ "loop", "loop2" },
		{ "self", "self" },
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		assert_int_equal(symlinkat(links[i][0], root, links[i][1]), 0);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	cleanup_fd int top = -1;

	assert_non_null(f);
	snprintf(f->top, sizeof(f->top), "/tmp/gracefuld-beneath-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	top = open(f->top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(top >= 0);
	write_file(top, "secret", "outside");
	assert_int_equal(mkdirat(top, "root", 0755), 0);
	f->root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->root >= 0);
	write_file(f->root, "file", "inside");
	assert_int_equal(mkdirat(f->root, "a", 0755), 0);
	assert_int_equal(mkdirat(f->root, "a/b", 0755), 0);
	write_file(f->root, "a/b/file", "deep");
	make_links(f->root);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];
	int r;

	fd_close(&f->root);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->top);
	r = system(command);
	free(f);
	return r;
}

static void
check_row(int root, const struct row *row, int (*open_it)(int, const char *))
{
	char content[16] = "";
	cleanup_fd int fd = open_it(root, row->name);

	if (!row->content) {
		if (fd != -row->error)
			fail_msg("\"%s\": %d, not %d", row->name, fd, -row->error);
		return;
	}
	if (fd < 0)
		fail_msg("\"%s\": %s", row->name, strerror(-fd));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	if (read(fd, content, sizeof(content) - 1) < 0)
		snprintf(content, sizeof(content), "%s", errno == EISDIR ? "/" : "error");
	assert_string_equal(content, row->content);
}

static void
check_rows(void **state, int (*open_it)(int, const char *))
{
	const struct fixture *f = *state;
	int before = dup(f->root), after;

	close(before);
	for (size_t i = 0; i < N_ROWS; i++)
		check_row(f->root, &rows[i], open_it);
	after = dup(f->root);
	close(after);
	assert_int_equal(after, before); /* nothing stays open */
}

static void
test_by_the_kernel(void **state)
{
	check_rows(state, beneath_open);
}

static void
test_by_a_walk(void **state)
{
	check_rows(state, beneath_walk);
}

/* What a sandbox does. (A seccomp filter can't be taken back, so this is for a child.) */
static bool
forbid_openat2(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void
test_where_openat2_is_forbidden(void **state)
{
	const struct fixture *f = *state;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = forbid_openat2() ? beneath_open(f->root, "a/up") : -1;

		_exit(fd >= 0 && beneath_open(f->root, "out") == -EXDEV ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_too_deep_and_too_long(void **state)
{
	const struct fixture *f = *state;
	char name[PATH_MAX + 1] = "";

	memset(name, 'x', NAME_MAX + 1);
	assert_int_equal(beneath_walk(f->root, name), -ENAMETOOLONG);
	for (size_t i = 0; i < PATH_MAX; i++)
		name[i] = i % 2 ? '/' : '.';
	assert_int_equal(beneath_walk(f->root, name), -ENAMETOOLONG);
	*name = '\0';
	for (int i = 0; i <= BENEATH_DEPTH_MAX; i++) {
		strcat(name, "d/");
		assert_int_equal(mkdirat(f->root, name, 0755), 0);
	}
	assert_int_equal(beneath_walk(f->root, name), -ENAMETOOLONG);
	name[2 * BENEATH_DEPTH_MAX] = '\0';
	check_row(f->root, &(struct row){ name, "/", 0 }, beneath_walk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_by_the_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_a_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where_openat2_is_forbidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_deep_and_too_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
