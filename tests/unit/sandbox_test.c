/*
 * The sandbox of workers: each case is a process that enters it, then makes one system call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "service/service.h"
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit statuses of a case that are no errno. */
enum { NO_SANDBOX = 200, REFUSED = 201 };

enum {
	NOTHING = 0,
	FILES = SERVICE_NEEDS_FILES,
	PEERS = SERVICE_NEEDS_PEERS,
	UNKNOWN = SERVICE_NEEDS_UNKNOWN,
};

#define KILLED (-SIGSYS)

static long
result(long r)
{
	return r < 0 ? errno : 0;
}

static long
call_execve(void)
{
	char *const none[] = { NULL };

	return result(syscall(SYS_execve, "/bin/true", none, none));
}

static long
call_execveat(void)
{
	char *const none[] = { NULL };

	return result(syscall(SYS_execveat, AT_FDCWD, "/bin/true", none, none, 0));
}

static long
call_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static long
call_clone3(void)
{
	return result(syscall(SYS_clone3, NULL, 0));
}

static long
call_ptrace(void)
{
	return result(syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), NULL, NULL));
}

static long
call_process_vm_readv(void)
{
	return result(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static long
call_init_module(void)
{
	return result(syscall(SYS_init_module, NULL, 0, ""));
}

static long
call_bpf(void)
{
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static long
call_setuid(void)
{
	return result(syscall(SYS_setuid, 0));
}

static long
call_unshare(void)
{
	return result(syscall(SYS_unshare, 0));
}

static long
call_mount(void)
{
	return result(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
}

static long
call_io_uring_setup(void)
{
	return result(syscall(SYS_io_uring_setup, 0, NULL));
}

static long
call_prctl(void)
{
	return result(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static long
call_seccomp(void)
{
	return result(syscall(SYS_seccomp, 0, 0, NULL));
}

/* One that has no number yet. */
static long
call_of_the_future(void)
{
	return result(syscall(2000));
}

static long
call_kill(void)
{
	return result(syscall(SYS_kill, getppid(), 0));
}

static long
call_tgkill_other(void)
{
	return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static long
call_tgkill_own(void)
{
	return result(syscall(SYS_tgkill, getpid(), gettid(), 0));
}

static long
call_abort(void)
{
	abort();
}

static long
call_mmap_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
	               ? errno
	               : 0;
}

static long
call_mprotect_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 1 : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static long
call_malloc(void)
{
	void *small = malloc(100), *large = malloc(1 << 20);
	bool got = small && large;

	free(small);
	free(large);
	return got ? 0 : ENOMEM;
}

static long
call_open_read(void)
{
	return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static long
call_open_write(void)
{
	return result(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static long
call_open_truncate(void)
{
	return result(open("/dev/null", O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static long
call_open_create(void)
{
	return result(open("/tmp/gracefuld-never-made", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static long
call_openat2(uint64_t flags)
{
	const struct open_how how = { .flags = flags | O_CLOEXEC };

	return result(syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof(how)));
}

static long
call_openat2_read(void)
{
	return call_openat2(O_RDONLY);
}

static long
call_openat2_write(void)
{
	return call_openat2(O_WRONLY);
}

static long
call_memory_of_another(void)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	return result(open(path, O_RDONLY | O_CLOEXEC));
}

static long
call_socket(int family)
{
	return result(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static long
call_socket_inet(void)
{
	return call_socket(AF_INET);
}

static long
call_socket_inet6(void)
{
	return call_socket(AF_INET6) == EPERM ? EPERM : 0; /* there may be no IPv6 here */
}

static long
call_socket_unix(void)
{
	return call_socket(AF_UNIX);
}

static long
call_socket_netlink(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static long
call_sendfile(void)
{
	return result(syscall(SYS_sendfile, -1, -1, NULL, 0));
}

static long
call_unlink(void)
{
	return result(syscall(SYS_unlinkat, AT_FDCWD, "/tmp/gracefuld-never-made", 0));
}

/* A thread, made as the C library does it where there is no clone3. Its flags alone are judged here. */
static long
call_clone_thread(void)
{
	return result(
		syscall(SYS_clone, CLONE_THREAD, NULL, NULL, NULL, NULL)); /* EINVAL: without CLONE_SIGHAND */
}

static bool
has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

/* What comes of the call, in the sandbox for these needs: 0 or errno, or a negative signal. */
static int
outcome(unsigned needs, long (*call)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int r = sandbox_enter(needs);

		signal(SIGABRT, SIG_DFL);
		_exit(r == -EOPNOTSUPP ? NO_SANDBOX : r < 0 ? REFUSED : (int)call());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static long
call_nothing(void)
{
	return 0;
}

static void
need_sandbox(void)
{
	if (outcome(NOTHING, call_nothing) == NO_SANDBOX)
		skip();
	assert_int_equal(outcome(NOTHING, call_nothing), 0);
}

struct sandbox_case {
	const char *what;
	unsigned needs;
	long (*call)(void);
	int expected;
};

static void
check_cases(const struct sandbox_case *cases, size_t n)
{
	need_sandbox();
	for (size_t i = 0; i < n; i++) {
		int got = outcome(cases[i].needs, cases[i].call);

		if (got != cases[i].expected)
			fail_msg("%s, needs %u: %d, not %d", cases[i].what, cases[i].needs, got,
				cases[i].expected);
	}
}

/* clang-format off */
#define CASE(needs, call, expected) { #call, needs, call_##call, expected }
/* clang-format on */

static void
test_powers_kill(void **state)
{
	static const unsigned all[] = { NOTHING, FILES, PEERS, UNKNOWN };
	static long (*const calls[])(void) = { call_execve, call_execveat, call_fork, call_ptrace,
		call_process_vm_readv, call_init_module, call_bpf, call_setuid, call_unshare, call_mount };

	(void)state;
	need_sandbox();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t j = 0; j < ARRAY_LEN(calls); j++) {
			const struct sandbox_case one = { "a power", all[i], calls[j], KILLED };

			check_cases(&one, 1);
		}
}

static void
test_others_fail(void **state)
{
	static const struct sandbox_case cases[] = {
		CASE(NOTHING, io_uring_setup, EPERM),
		CASE(FILES, io_uring_setup, EPERM),
		CASE(UNKNOWN, io_uring_setup, EPERM),
		CASE(NOTHING, prctl, EPERM),
		CASE(NOTHING, seccomp, EPERM),
		CASE(NOTHING, kill, EPERM),
		CASE(NOTHING, tgkill_other, EPERM),
		CASE(NOTHING, mmap_executable, EPERM),
		CASE(NOTHING, mprotect_executable, EPERM),
		CASE(NOTHING, unlink, EPERM),
		CASE(FILES, unlink, EPERM),
		CASE(PEERS, unlink, EPERM),
		CASE(NOTHING, clone3, ENOSYS),
		CASE(UNKNOWN, clone3, ENOSYS),
		CASE(NOTHING, of_the_future, ENOSYS),
		CASE(PEERS, of_the_future, ENOSYS),
		CASE(NOTHING, clone_thread, KILLED),
		CASE(UNKNOWN, clone_thread, EINVAL),
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void
test_what_a_service_needs(void **state)
{
	static const struct sandbox_case cases[] = {
		CASE(NOTHING, malloc, 0),
		CASE(NOTHING, tgkill_own, 0),
		CASE(NOTHING, abort,
			-SIGABRT), /* a worker that hangs, and each failed assertion, is to leave a core */
		CASE(NOTHING, open_read, EPERM),
		CASE(NOTHING, openat2_read, EPERM),
		CASE(NOTHING, sendfile, EPERM),
		CASE(NOTHING, socket_inet, EPERM),
		CASE(FILES, open_read, 0),
		CASE(FILES, open_write, EPERM),
		CASE(FILES, open_truncate, EPERM),
		CASE(FILES, open_create, EPERM),
		CASE(FILES, sendfile, EBADF),
		CASE(FILES, socket_inet, EPERM),
		CASE(PEERS, open_read, 0),
		CASE(PEERS, open_write, EPERM),
		CASE(PEERS, openat2_read, EPERM),
		CASE(PEERS, socket_inet, 0),
		CASE(PEERS, socket_inet6, 0),
		CASE(PEERS, socket_unix, 0),
		CASE(PEERS, socket_netlink, EPERM),
		CASE(UNKNOWN, open_write, 0),
		CASE(UNKNOWN, socket_inet, 0),
		CASE(UNKNOWN, mmap_executable, 0),
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

/* A filter can't see what openat2 is to do: so it's Landlock that forbids it, or there is no openat2. */
static void
test_files_are_not_for_writing(void **state)
{
	const bool landlock = has_landlock();
	const struct sandbox_case cases[] = {
		CASE(FILES, openat2_read, landlock ? 0 : ENOSYS),
		CASE(FILES, openat2_write, landlock ? EACCES : ENOSYS),
	};

	(void)state;
	check_cases(cases, ARRAY_LEN(cases));
}

static void
test_memory_of_other_processes(void **state)
{
	const struct sandbox_case cases[] = {
		CASE(FILES, memory_of_another, EACCES),
		CASE(PEERS, memory_of_another, EACCES),
	};

	(void)state;
	if (!has_landlock())
		skip();
	check_cases(cases, ARRAY_LEN(cases));
}

static void
test_no_new_privileges(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	need_sandbox();
	pid = fork();
	if (pid == 0) {
		_exit(sandbox_enter(UNKNOWN) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_powers_kill),
		cmocka_unit_test(test_others_fail),
		cmocka_unit_test(test_what_a_service_needs),
		cmocka_unit_test(test_files_are_not_for_writing),
		cmocka_unit_test(test_memory_of_other_processes),
		cmocka_unit_test(test_no_new_privileges),
	};

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 }); /* most cases die as expected */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
