/*
 * The sandbox of workers: a filter of system calls (seccomp), made from one table, and no access to files for writing or to other
 * processes (Landlock, where the kernel has it).
 *
 * The filter is written here rather than by libseccomp, which takes a millisecond of each worker's start, and half as much again to be
 * loaded: about as much as all else that a worker does before it is ready. The kernel asks a filter once about each call that it decides
 * by number alone, and remembers; so what it costs is to install it.
 */
#include "worker/sandbox.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sanitizer.h"
#include "service/service.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif

/* What is compiled into the program besides does what no worker does: it opens files for writing at its end, for one (script/coverage). */
#if defined(GRACEFULD_INSTRUMENTED)
#define IS_INSTRUMENTED true
#else
#define IS_INSTRUMENTED IS_SANITIZED
#endif

/* Linux 6.2 */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define LANDLOCK_ABI_TRUNCATE 3

enum rule {
	DENY, /* EPERM. What is in no row of the table */
	ALLOW,
	KILL,   /* nobody calls this by mistake: the worker is not ours any more */
	ABSENT, /* ENOSYS: the C library, or we, have another way */
	NOT_EXECUTABLE,
	READ_ONLY,
	OWN_PROCESS,
	OWN_THREAD,
	INTERNET_OR_UNIX,
	RULES
};

/* Who has a row's rule. */
enum {
	ALL = 1,
	FILES = SERVICE_NEEDS_FILES,
	PEERS = SERVICE_NEEDS_PEERS,
	UNKNOWN = SERVICE_NEEDS_UNKNOWN,
};
_Static_assert(((FILES | PEERS | UNKNOWN) & ALL) == 0, "a bit of its own");

struct row {
	unsigned short number;
	unsigned char who;
	unsigned char rule;
};

/* What both processors have, then what the older one has beside it. For UNKNOWN all is allowed that has no row. */
static const struct row table[] = {
	/* connections, pipes, files that are open */
	{ SYS_read, ALL, ALLOW },
	{ SYS_readv, ALL, ALLOW },
	{ SYS_pread64, ALL, ALLOW },
	{ SYS_write, ALL, ALLOW },
	{ SYS_writev, ALL, ALLOW },
	{ SYS_pwrite64, ALL, ALLOW },
	{ SYS_recvfrom, ALL, ALLOW },
	{ SYS_recvmsg, ALL, ALLOW },
	{ SYS_sendto, ALL, ALLOW },
	{ SYS_sendmsg, ALL, ALLOW },
	{ SYS_accept4, ALL, ALLOW },
	{ SYS_shutdown, ALL, ALLOW },
	{ SYS_close, ALL, ALLOW },
	{ SYS_close_range, ALL, ALLOW },
	{ SYS_fcntl, ALL, ALLOW },
	{ SYS_dup, ALL, ALLOW },
	{ SYS_fstat, ALL, ALLOW },
	{ SYS_newfstatat, ALL, ALLOW }, /* is fstat, too */
	{ SYS_lseek, ALL, ALLOW },
	{ SYS_getsockopt, ALL, ALLOW },
	{ SYS_setsockopt, ALL, ALLOW },
	{ SYS_getsockname, ALL, ALLOW },
	{ SYS_getpeername, ALL, ALLOW },

	/* what a handoff is described in, and its descriptors kept free by */
	{ SYS_memfd_create, ALL, ALLOW },
	{ SYS_ftruncate, ALL, ALLOW },
	{ SYS_eventfd2, ALL, ALLOW },

	/* the event loop, time */
	{ SYS_epoll_ctl, ALL, ALLOW },
	{ SYS_epoll_pwait, ALL, ALLOW },
	{ SYS_epoll_pwait2, ALL, ALLOW },
	{ SYS_ppoll, ALL, ALLOW },
	{ SYS_timerfd_settime, ALL, ALLOW },
	{ SYS_clock_gettime, ALL, ALLOW },
	{ SYS_clock_nanosleep, ALL, ALLOW },
	{ SYS_gettimeofday, ALL, ALLOW },
	{ SYS_restart_syscall, ALL, ALLOW },

	/* memory */
	{ SYS_brk, ALL, ALLOW },
	{ SYS_mmap, ALL, NOT_EXECUTABLE },
	{ SYS_mprotect, ALL, NOT_EXECUTABLE },
	{ SYS_mremap, ALL, ALLOW },
	{ SYS_munmap, ALL, ALLOW },
	{ SYS_madvise, ALL, ALLOW },

	/* the process itself: its signals, abort(3), exit(3), and what the C library asks for its own sake */
	{ SYS_rt_sigaction, ALL, ALLOW },
	{ SYS_rt_sigprocmask, ALL, ALLOW },
	{ SYS_rt_sigreturn, ALL, ALLOW },
	{ SYS_sigaltstack, ALL, ALLOW },
	{ SYS_tgkill, ALL, OWN_PROCESS },
	{ SYS_exit, ALL, ALLOW },
	{ SYS_exit_group, ALL, ALLOW },
	{ SYS_futex, ALL, ALLOW },
	{ SYS_getpid, ALL, ALLOW },
	{ SYS_getppid, ALL, ALLOW },
	{ SYS_gettid, ALL, ALLOW },
	{ SYS_getuid, ALL, ALLOW },
	{ SYS_geteuid, ALL, ALLOW },
	{ SYS_getgid, ALL, ALLOW },
	{ SYS_getegid, ALL, ALLOW },
	{ SYS_getrandom, ALL, ALLOW },
	{ SYS_sysinfo, ALL, ALLOW }, /* qsort(3) */
	{ SYS_sched_yield, ALL, ALLOW },

	/* files by their names */
	{ SYS_openat, FILES | PEERS, READ_ONLY },
	{ SYS_openat2, FILES, ALLOW }, /* with Landlock; see allow_openat2 */
	{ SYS_readlinkat, FILES, ALLOW },
	{ SYS_sendfile, FILES, ALLOW },

	/* upstreams, and servers that know names */
	{ SYS_socket, PEERS, INTERNET_OR_UNIX },
	{ SYS_connect, PEERS, ALLOW },
	{ SYS_bind, PEERS, ALLOW },
	{ SYS_pipe2, PEERS, ALLOW },
	{ SYS_splice, PEERS, ALLOW },
	{ SYS_sendmmsg, PEERS, ALLOW },
	{ SYS_uname, PEERS, ALLOW },

	/* programs and processes; clone3 hides what it does, and the C library goes on with clone */
	{ SYS_execve, ALL | UNKNOWN, KILL },
	{ SYS_execveat, ALL | UNKNOWN, KILL },
	{ SYS_clone, ALL, KILL },
	{ SYS_clone, UNKNOWN, OWN_THREAD },
	{ SYS_clone3, ALL | UNKNOWN, ABSENT },
	{ SYS_ptrace, ALL | UNKNOWN, KILL },
	{ SYS_process_vm_readv, ALL | UNKNOWN, KILL },
	{ SYS_process_vm_writev, ALL | UNKNOWN, KILL },
	{ SYS_pidfd_getfd, ALL | UNKNOWN, KILL },

	/* the kernel, the machine, and what others see of it */
	{ SYS_init_module, ALL | UNKNOWN, KILL },
	{ SYS_finit_module, ALL | UNKNOWN, KILL },
	{ SYS_delete_module, ALL | UNKNOWN, KILL },
	{ SYS_kexec_load, ALL | UNKNOWN, KILL },
	{ SYS_kexec_file_load, ALL | UNKNOWN, KILL },
	{ SYS_bpf, ALL | UNKNOWN, KILL },
	{ SYS_perf_event_open, ALL | UNKNOWN, KILL },
	{ SYS_userfaultfd, ALL | UNKNOWN, KILL },
	{ SYS_keyctl, ALL | UNKNOWN, KILL },
	{ SYS_add_key, ALL | UNKNOWN, KILL },
	{ SYS_request_key, ALL | UNKNOWN, KILL },
	{ SYS_unshare, ALL | UNKNOWN, KILL },
	{ SYS_setns, ALL | UNKNOWN, KILL },
	{ SYS_mount, ALL | UNKNOWN, KILL },
	{ SYS_umount2, ALL | UNKNOWN, KILL },
	{ SYS_pivot_root, ALL | UNKNOWN, KILL },
	{ SYS_chroot, ALL | UNKNOWN, KILL },
	{ SYS_open_by_handle_at, ALL | UNKNOWN, KILL },
	{ SYS_reboot, ALL | UNKNOWN, KILL },
	{ SYS_swapon, ALL | UNKNOWN, KILL },
	{ SYS_acct, ALL | UNKNOWN, KILL },
	{ SYS_quotactl, ALL | UNKNOWN, KILL },

	/* another account */
	{ SYS_setuid, ALL | UNKNOWN, KILL },
	{ SYS_setreuid, ALL | UNKNOWN, KILL },
	{ SYS_setresuid, ALL | UNKNOWN, KILL },
	{ SYS_setgid, ALL | UNKNOWN, KILL },
	{ SYS_setregid, ALL | UNKNOWN, KILL },
	{ SYS_setresgid, ALL | UNKNOWN, KILL },
	{ SYS_setgroups, ALL | UNKNOWN, KILL },
	{ SYS_capset, ALL | UNKNOWN, KILL },

	/* io_uring does what it is told without asking a filter */
	{ SYS_io_uring_setup, UNKNOWN, DENY },

#if defined(__x86_64__)
	{ SYS_epoll_wait, ALL, ALLOW },
	{ SYS_poll, ALL, ALLOW },
	{ SYS_time, ALL, ALLOW },
	{ SYS_open, FILES | PEERS, ABSENT },
	{ SYS_fork, ALL | UNKNOWN, KILL },
	{ SYS_vfork, ALL | UNKNOWN, KILL },
	{ SYS_iopl, ALL | UNKNOWN, KILL },
	{ SYS_ioperm, ALL | UNKNOWN, KILL },
	{ SYS_modify_ldt, ALL | UNKNOWN, KILL },
#endif
};

/* What came later has a number above this one on all processors, and nobody knows what it does. Linux 5.17 */
enum { LAST = SYS_set_mempolicy_home_node };

struct program {
	struct sock_filter code[BPF_MAXINSNS / 8]; /* less than half of them are used */
	unsigned short len;
	unsigned char rule[LAST + 1];
	unsigned place[RULES];
	pid_t pid;
};

static void
emit(struct program *p, unsigned short code, uint32_t k, unsigned char if_true, unsigned char if_false)
{
	assert(p->len < ARRAY_LEN(p->code));
	p->code[p->len++] = (struct sock_filter){ code, if_true, if_false, k };
}

static void
emit_return(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Returns this unless the value is, or has, what is asked for: `test` is BPF_JEQ or BPF_JSET. */
static void
emit_unless(struct program *p, unsigned short test, uint32_t k, uint32_t action)
{
	emit(p, BPF_JMP | BPF_K | test, k, 1, 0);
	emit_return(p, action);
}

static void
emit_if(struct program *p, unsigned short test, uint32_t k, uint32_t action)
{
	emit(p, BPF_JMP | BPF_K | test, k, 0, 1);
	emit_return(p, action);
}

static void
load_field(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The lower half of an argument, which both processors store first; all that kernel and C library use of these. */
static void
load_argument(struct program *p, unsigned n)
{
	load_field(p, offsetof(struct seccomp_data, args) + n * sizeof(uint64_t));
}

#define EPERM_RETURN  (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_RETURN (SECCOMP_RET_ERRNO | ENOSYS)

static void
emit_rule(struct program *p, enum rule rule)
{
	switch (rule) {
	case NOT_EXECUTABLE:
		load_argument(p, 2);
		emit_if(p, BPF_JSET, PROT_EXEC, EPERM_RETURN);
		break;
	case READ_ONLY:
		load_argument(p, 2);
		emit_if(p, BPF_JSET, O_ACCMODE | O_CREAT | O_TRUNC, EPERM_RETURN);
		break;
	case OWN_PROCESS:
		load_argument(p, 0);
		emit_unless(p, BPF_JEQ, (uint32_t)p->pid, EPERM_RETURN);
		break;
	case OWN_THREAD:
		load_argument(p, 0);
		emit_unless(p, BPF_JSET, CLONE_THREAD, SECCOMP_RET_KILL_PROCESS);
		break;
	case INTERNET_OR_UNIX:
		load_argument(p, 0);
		emit_if(p, BPF_JEQ, AF_INET, SECCOMP_RET_ALLOW);
		emit_if(p, BPF_JEQ, AF_INET6, SECCOMP_RET_ALLOW);
		emit_unless(p, BPF_JEQ, AF_UNIX, EPERM_RETURN);
		break;
	case ALLOW:
		break;
	case KILL:
		emit_return(p, SECCOMP_RET_KILL_PROCESS);
		return;
	case ABSENT:
		emit_return(p, ENOSYS_RETURN);
		return;
	default:
		emit_return(p, EPERM_RETURN);
		return;
	}
	emit_return(p, SECCOMP_RET_ALLOW);
}

/* The first number above `from` that has another rule. */
static unsigned
end_of_range(const struct program *p, unsigned from)
{
	unsigned n = from + 1;

	while (n <= LAST && p->rule[n] == p->rule[from])
		n++;
	return n;
}

/* Where the code of a rule begins; it is behind all that decides. */
static unsigned
place_of(const struct program *p, unsigned number)
{
	return p->place[p->rule[number]];
}

/*
 * Decides among ranges of numbers that have one rule each, `start` being where they begin, by halves: n - 1 questions, of which a call is
 * asked few. Short programs matter, since the kernel translates each worker's anew.
 */
static void
emit_choice(struct program *p, const unsigned short *start, unsigned n)
{
	const unsigned half = n / 2, next = p->len + 1u;
	const unsigned low = half == 1 ? place_of(p, start[0]) : next;
	const unsigned high = n - half == 1 ? place_of(p, start[half]) : next + half - 1;

	assert(low - next <= UINT8_MAX && high - next <= UINT8_MAX);
	emit(p, BPF_JMP | BPF_JGE | BPF_K, start[half], (unsigned char)(high - next),
		(unsigned char)(low - next));
	if (half > 1)
		emit_choice(p, start, half);
	if (n - half > 1)
		emit_choice(p, start + half, n - half);
}

/* What does not depend on the table: the processor, and calls that came later than it. */
static void
emit_preface(struct program *p, bool is_known)
{
	load_field(p, offsetof(struct seccomp_data, arch));
	emit_unless(p, BPF_JEQ, ARCHITECTURE, SECCOMP_RET_KILL_PROCESS);
	load_field(p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	emit_if(p, BPF_JGE, 0x40000000, SECCOMP_RET_KILL_PROCESS); /* x32: the same calls by other numbers */
#endif
	emit_if(p, BPF_JGT, LAST, is_known ? ENOSYS_RETURN : SECCOMP_RET_ALLOW);
}

static void
emit_all(struct program *p, bool is_known)
{
	unsigned short start[LAST + 1];
	struct program rules = { .pid = p->pid };
	unsigned n = 0;

	for (unsigned from = 0; from <= LAST; from = end_of_range(p, from))
		start[n++] = (unsigned short)from;
	emit_preface(p, is_known);
	for (enum rule rule = 0; rule < RULES; rule++) {
		p->place[rule] = p->len + n - 1 + rules.len;
		emit_rule(&rules, rule);
	}
	emit_choice(p, start, n);
	for (unsigned i = 0; i < rules.len; i++)
		p->code[p->len++] = rules.code[i];
}

static void
fill_rules(struct program *p, unsigned who, bool may_openat2)
{
	memset(p->rule, who & UNKNOWN ? ALLOW : DENY, sizeof(p->rule));
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].who & who)
			p->rule[table[i].number] = table[i].rule;
	/* a filter can't see what it is to open for, and beneath.c has another way */
	if ((who & FILES) && !may_openat2)
		p->rule[SYS_openat2] = ABSENT;
}

/* Nothing is opened for writing, made or removed by this process any more, nor has it access to other processes: neither memory nor /proc. */
static int
give_up_files(void)
{
	struct landlock_ruleset_attr handled = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		                     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		                     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
		                     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
		                     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		                     LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	cleanup_fd int rules = -1;

	if (abi >= LANDLOCK_ABI_TRUNCATE)
		handled.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 1)
		rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	/* no rule: there is no file for which it is allowed */
	if (rules < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return -errno;
	return 0;
}

static int
install(const struct program *p)
{
	/*
	 * TSYNC: threads that a module has started, too. SPEC_ALLOW: no code of others is run here that would have to be kept from guessing;
	 * older kernels would slow down all that we do.
	 */
	const unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	const struct sock_fprog prog = { .len = p->len, .filter = (struct sock_filter *)(uintptr_t)p->code };
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);

	if (r == 0)
		return 0;
	return r < 0 ? -errno : -EBUSY; /* positive: a thread has a filter of its own */
}

/* valgrind makes code as it goes, and opens files: in our name. It preloads a library of this name. */
static bool
is_watched_by_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded && strstr(preloaded, "/vgpreload_");
}

int
sandbox_enter(unsigned needs)
{
	const bool is_known = !(needs & SERVICE_NEEDS_UNKNOWN);
	struct program program = { .pid = getpid() };
	int r = 0;

	/* a sanitizer's own calls are not in the table, and change with the compiler */
	if (ARCHITECTURE == 0 || IS_INSTRUMENTED || is_watched_by_valgrind())
		return -EOPNOTSUPP;
	/* the log reads a file when it first tells the time */
	if (!(needs & (FILES | PEERS | UNKNOWN)))
		tzset();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (is_known)
		r = give_up_files();
	fill_rules(&program, is_known ? ALL | needs : UNKNOWN, is_known && r == 0);
	emit_all(&program, is_known);
	return install(&program);
}
