/*
 * Makes one call of a program fail: a library to be preloaded, which stands between a program and its C library.
 *
 * A call site is a function, who called it, and which place of the program that is for: of event_new, for example, the malloc within
 * libevent and the line of ours. What is to be done stands in a page of memory (struct page) in the file that GRACEFULD_FAULTS names,
 * shared by the driver (faults.py), which has the same layout, and all processes of one daemon: in a phase that the driver names, the sites
 * that are reached are noted, and the plan, if there is one, is made once.
 *
 * Between clone and exec a worker is in the master's memory: nothing here allocates or has a state of the process but what the
 * constructor found.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

/* What a plan does to a call, when it is no errno. */
enum { FAULT_SHORT = 1000, FAULT_CTRUNC };

enum {
	SITES = 8192, /* a power of two; there are some hundreds in each phase */
	FRAMES_MAX =
		64, /* where libraries call each other deeper than that, it counts as if not from the program */
	NAME_LEN = 24,
};

enum role { ROLE_OTHER, ROLE_MASTER, ROLE_WORKER, ROLE_CHECKER, ROLE_TRIAL, ROLE_LOOKOUT, ROLE_CHILD };

struct site {
	_Atomic uint64_t key; /* 0: free */
	_Atomic uint32_t count;
	_Atomic uint32_t noted; /* all below is there */
	uint32_t phase, role;
	uint32_t kind; /* of the descriptor or the command: what could happen to it. See kind_of */
	uint32_t pid;
	uint64_t plan;       /* what a plan calls it, whatever the phase */
	uint64_t inner, own; /* offsets in their modules; own: 0 when no frame is of the program itself */
	char function[NAME_LEN], module[NAME_LEN];
};

struct page {
	_Atomic uint32_t phase;   /* 0: nothing is noted, nothing fails */
	_Atomic uint32_t records; /* are sites noted? */
	_Atomic uint64_t plan;    /* of a site; 0: none, or it was made */
	_Atomic int32_t nth;      /* the call that fails: 1 is the next one */
	_Atomic uint32_t fault;
	_Atomic uint32_t made;     /* the process in which it was made; 0: not yet */
	_Atomic uint32_t overflow; /* sites that were not noted for want of room */
	struct site site[SITES];
};

/* clang-format off */
#define FUNCTIONS(X) \
	X(malloc) X(calloc) X(realloc) X(reallocarray) X(mmap) X(open) X(open64) X(openat) X(fopen) \
	X(opendir) X(socket) X(socketpair) X(pipe2) X(accept4) X(memfd_create) X(epoll_create1) \
	X(eventfd) X(timerfd_create) X(signalfd) X(dup) X(dup2) X(dup3) X(pidfd_open) X(fcntl) \
	X(syscall) X(fork) X(clone) X(execve) X(read) X(pread) X(write) X(recv) X(recvmsg) X(send) \
	X(sendmsg) X(sendfile) X(splice) X(close) X(bind) X(listen) X(connect) X(setsockopt) \
	X(getsockopt) X(getsockname) X(getpeername) X(shutdown) X(epoll_ctl) X(epoll_wait) \
	X(timerfd_settime) X(poll) X(waitid) X(kill) X(pidfd_send_signal) X(ftruncate) X(rename) \
	X(unlink) X(chmod) X(chown) X(mkdir) X(fstat) X(stat) X(lstat) X(chdir) X(getcwd) X(realpath) \
	X(glob) X(getrandom) X(getrlimit) X(setrlimit) X(prctl) X(close_range) X(setgroups) \
	X(setresuid) X(setresgid) X(getaddrinfo) X(getpwnam) X(getgrnam) X(fread) X(fclose) X(fflush)
/* clang-format on */

enum function {
#define X(name) FN_##name,
	FUNCTIONS(X)
#undef X
		FN_COUNT
};

static const char *const names[FN_COUNT] = {
#define X(name) [FN_##name] = #name,
	FUNCTIONS(X)
#undef X
};

static void *real[FN_COUNT];
static struct page *page; /* NULL: nobody has asked for anything */
static enum role role;
static pid_t owner; /* the process that has run the constructor; another one is between its birth and exec */

/* Also for what is called before the constructor. */
static void *
real_of(enum function fn)
{
	if (!real[fn])
		real[fn] = dlsym(RTLD_NEXT, names[fn]);
	return real[fn];
}

#define REAL(name) ((__typeof__(&name))real_of(FN_##name))

/* ---- who calls ---- */

struct caller {
	uintptr_t inner, own;
	const char *module, *program;
	int frames;
};

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* An _Unwind_Trace_Fn: the first frame that is not here, and the first one of the program itself. */
static _Unwind_Reason_Code
on_frame(struct _Unwind_Context *context, void *arg)
{
	struct caller *caller = arg;
	uintptr_t ip = _Unwind_GetIP(context);
	struct dl_find_object object, here;

	if (++caller->frames > FRAMES_MAX || ip == 0)
		return _URC_END_OF_STACK;
	if (_dl_find_object((void *)ip, &object) < 0 || _dl_find_object((void *)on_frame, &here) < 0)
		return _URC_END_OF_STACK;
	if (object.dlfo_link_map == here.dlfo_link_map)
		return _URC_NO_REASON;
	if (!caller->module) {
		caller->inner = ip - object.dlfo_link_map->l_addr;
		caller->module = base_name(object.dlfo_link_map->l_name);
	}
	if (*object.dlfo_link_map->l_name)
		return _URC_NO_REASON;
	caller->own = ip - object.dlfo_link_map->l_addr;
	return _URC_END_OF_STACK;
}

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15 ^ hash >> 29;
}

static uint64_t
mix_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = mix(hash, (unsigned char)*text);
	return hash;
}

/* ---- what could happen to it ---- */

/* How a descriptor is, as a letter, and 256 when it is non-blocking. */
static uint32_t
kind_of(int fd)
{
	int flags = REAL(fcntl)(fd, F_GETFL), type = 0;
	socklen_t len = sizeof(type);
	uint32_t nonblock = flags >= 0 && flags & O_NONBLOCK ? 256 : 0;
	struct stat st;

	if (fd < 0 || REAL(fstat)(fd, &st) < 0)
		return '-';
	if (S_ISSOCK(st.st_mode)) {
		REAL(getsockopt)(fd, SOL_SOCKET, SO_TYPE, &type, &len);
		return nonblock | (type == SOCK_STREAM ? 's' : type == SOCK_SEQPACKET ? 'q' : 'd');
	}
	return nonblock | (S_ISFIFO(st.st_mode)         ? 'p'
				  : S_ISREG(st.st_mode) ? 'f'
				  : S_ISCHR(st.st_mode) ? 'c'
							: 'a');
}

/* ---- sites ---- */

static void
note(uint64_t key, uint32_t phase, enum role who, enum function fn, int subject, bool is_fd,
	const struct caller *caller)
{
	uint64_t wanted = mix(key, phase) | 1;

	for (size_t i = wanted; i < wanted + SITES; i++) {
		struct site *site = &page->site[i % SITES];
		uint64_t found = 0;

		if (atomic_compare_exchange_strong(&site->key, &found, wanted)) {
			site->phase = phase;
			site->role = who;
			site->pid = (uint32_t)getpid();
			site->kind = is_fd ? kind_of(subject) : (uint32_t)subject;
			site->plan = key;
			site->inner = caller->inner;
			site->own = caller->own;
			strncpy(site->function, names[fn], NAME_LEN - 1);
			strncpy(site->module, caller->module ? caller->module : "?", NAME_LEN - 1);
			atomic_store(&site->noted, 1);
			found = wanted;
		}
		if (found == wanted) {
			atomic_fetch_add(&site->count, 1);
			return;
		}
	}
	atomic_fetch_add(&page->overflow, 1);
}

/* What is to become of this call: 0, nothing; an errno, or FAULT_…. */
static int
fault_at(enum function fn, int subject, bool is_fd)
{
	struct caller caller = { 0 };
	uint32_t phase = page ? atomic_load(&page->phase) : 0;
	enum role who;
	uint64_t key, plan;
	int error = errno;

	if (phase == 0)
		return 0;
	plan = atomic_load(&page->plan);
	if (plan == 0 && !atomic_load(&page->records))
		return 0;
	who = getpid() == owner ? role : ROLE_CHILD;
	_Unwind_Backtrace(on_frame, &caller);
	key = mix(mix(mix(mix_text(1, names[fn]), who), caller.inner), caller.own);
	key = mix_text(key, caller.module ? caller.module : "?");
	if (atomic_load(&page->records))
		note(key, phase, who, fn, subject, is_fd, &caller);
	errno = error;
	if (plan != key || atomic_fetch_sub(&page->nth, 1) != 1)
		return 0;
	atomic_store(&page->plan, 0);
	atomic_store(&page->made, (uint32_t)getpid());
	return (int)atomic_load(&page->fault);
}

static bool
is_plain(int fault)
{
	return fault > 0 && fault < FAULT_SHORT;
}

/* Does the call fail? Then errno is set. */
static bool
fails(enum function fn, int subject, bool is_fd)
{
	int fault = fault_at(fn, subject, is_fd);

	if (fault == 0)
		return false;
	errno = fault;
	return true;
}

/* The same for those that move bytes: *len becomes what may be moved. */
static bool
moves(enum function fn, int fd, size_t *len)
{
	int fault = fault_at(fn, fd, true);

	if (fault == FAULT_SHORT && *len > 1)
		*len /= 2;
	if (!is_plain(fault))
		return true;
	errno = fault;
	return false;
}

/* ---- the functions ---- */

#define PLAIN(type, failed, name, parameters, arguments) \
	type name parameters                             \
	{                                                \
		if (fails(FN_##name, 0, false))          \
			return failed;                   \
		return REAL(name) arguments;             \
	}

#define OF_FD(type, failed, name, parameters, arguments) \
	type name parameters                             \
	{                                                \
		if (fails(FN_##name, fd, true))          \
			return failed;                   \
		return REAL(name) arguments;             \
	}

#define OF_BYTES(type, name, parameters, arguments) \
	type name parameters                        \
	{                                           \
		if (!moves(FN_##name, fd, &len))    \
			return -1;                  \
		return REAL(name) arguments;        \
	}

PLAIN(void *, NULL, malloc, (size_t size), (size))
PLAIN(void *, NULL, calloc, (size_t n, size_t size), (n, size))
PLAIN(void *, NULL, realloc, (void *old, size_t size), (old, size))
PLAIN(void *, NULL, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
PLAIN(void *, MAP_FAILED, mmap, (void *at, size_t len, int protection, int flags, int fd, off_t offset),
	(at, len, protection, flags, fd, offset))
PLAIN(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
/* cppcheck-suppress CastIntegerToAddressAtReturn */
PLAIN(DIR *, NULL, opendir, (const char *path), (path))
PLAIN(int, -1, socket, (int family, int type, int protocol), (family, type, protocol))
PLAIN(int, -1, socketpair, (int family, int type, int protocol, int fd[2]), (family, type, protocol, fd))
PLAIN(int, -1, pipe2, (int fd[2], int flags), (fd, flags))
OF_FD(int, -1, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags),
	(fd, address, len, flags))
PLAIN(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
PLAIN(int, -1, epoll_create1, (int flags), (flags))
PLAIN(int, -1, eventfd, (unsigned value, int flags), (value, flags))
PLAIN(int, -1, timerfd_create, (clockid_t clock, int flags), (clock, flags))
PLAIN(int, -1, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
OF_FD(int, -1, dup, (int fd), (fd))
OF_FD(int, -1, dup2, (int fd, int to), (fd, to))
OF_FD(int, -1, dup3, (int fd, int to, int flags), (fd, to, flags))
PLAIN(int, -1, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
PLAIN(pid_t, -1, fork, (void), ())
PLAIN(int, -1, execve, (const char *path, char *const argv[], char *const envp[]), (path, argv, envp))

OF_BYTES(ssize_t, read, (int fd, void *data, size_t len), (fd, data, len))
OF_BYTES(ssize_t, pread, (int fd, void *data, size_t len, off_t offset), (fd, data, len, offset))
OF_BYTES(ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len))
OF_BYTES(ssize_t, recv, (int fd, void *data, size_t len, int flags), (fd, data, len, flags))
OF_BYTES(ssize_t, send, (int fd, const void *data, size_t len, int flags), (fd, data, len, flags))
OF_BYTES(ssize_t, sendfile, (int fd, int from, off_t *offset, size_t len), (fd, from, offset, len))
OF_BYTES(ssize_t, splice, (int fd, off64_t *in, int to, off64_t *out, size_t len, unsigned flags),
	(fd, in, to, out, len, flags))

OF_FD(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
OF_FD(int, -1, listen, (int fd, int backlog), (fd, backlog))
OF_FD(int, -1, connect, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
OF_FD(int, -1, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
	(fd, level, name, value, len))
OF_FD(int, -1, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),
	(fd, level, name, value, len))
OF_FD(int, -1, getsockname, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len))
OF_FD(int, -1, getpeername, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len))
OF_FD(int, -1, shutdown, (int fd, int how), (fd, how))
PLAIN(int, -1, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *event), (epoll, op, fd, event))
PLAIN(int, -1, epoll_wait, (int epoll, struct epoll_event *events, int n, int ms), (epoll, events, n, ms))
PLAIN(int, -1, timerfd_settime, (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
	(fd, flags, value, old))
PLAIN(int, -1, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))
PLAIN(int, -1, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
PLAIN(int, -1, kill, (pid_t pid, int number), (pid, number))
PLAIN(int, -1, pidfd_send_signal, (int fd, int number, siginfo_t *info, unsigned flags),
	(fd, number, info, flags))

OF_FD(int, -1, ftruncate, (int fd, off_t len), (fd, len))
PLAIN(int, -1, rename, (const char *from, const char *to), (from, to))
PLAIN(int, -1, unlink, (const char *path), (path))
PLAIN(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
PLAIN(int, -1, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
PLAIN(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
OF_FD(int, -1, fstat, (int fd, struct stat *st), (fd, st))
PLAIN(int, -1, stat, (const char *path, struct stat *st), (path, st))
PLAIN(int, -1, lstat, (const char *path, struct stat *st), (path, st))
PLAIN(int, -1, chdir, (const char *path), (path))
PLAIN(char *, NULL, getcwd, (char *path, size_t size), (path, size))
PLAIN(char *, NULL, realpath, (const char *path, char *resolved), (path, resolved))
PLAIN(int, GLOB_NOSPACE, glob,
	(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *found),
	(pattern, flags, on_error, found))
PLAIN(ssize_t, -1, getrandom, (void *data, size_t len, unsigned flags), (data, len, flags))
PLAIN(int, -1, getrlimit, (__rlimit_resource_t what, struct rlimit *limit), (what, limit))
PLAIN(int, -1, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit), (what, limit))
PLAIN(int, -1, close_range, (unsigned first, unsigned last, int flags), (first, last, flags))
PLAIN(int, -1, setgroups, (size_t n, const gid_t *groups), (n, groups))
PLAIN(int, -1, setresuid, (uid_t real_id, uid_t effective, uid_t saved), (real_id, effective, saved))
PLAIN(int, -1, setresgid, (gid_t real_id, gid_t effective, gid_t saved), (real_id, effective, saved))
PLAIN(int, EAI_MEMORY, getaddrinfo,
	(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found),
	(node, service, hints, found))
/* cppcheck-suppress CastIntegerToAddressAtReturn */
PLAIN(struct passwd *, NULL, getpwnam, (const char *name), (name))
/* cppcheck-suppress CastIntegerToAddressAtReturn */
PLAIN(struct group *, NULL, getgrnam, (const char *name), (name))
PLAIN(size_t, 0, fread, (void *data, size_t size, size_t n, FILE *file), (data, size, n, file))
PLAIN(int, EOF, fflush, (FILE * file), (file))

/* A descriptor is closed, whatever close says. */
int
close(int fd)
{
	bool failed = fails(FN_close, fd, true);
	int error = errno, r = REAL(close)(fd);

	if (!failed)
		return r;
	errno = error;
	return -1;
}

int
fclose(FILE *file)
{
	bool failed = fails(FN_fclose, 0, false);
	int error = errno, r = REAL(fclose)(file);

	if (!failed)
		return r;
	errno = error;
	return EOF;
}

/* Short: no more than half of the first part. */
static struct msghdr
shortened(const struct msghdr *message, struct iovec *part)
{
	struct msghdr less = *message;

	*part = message->msg_iov[0];
	if (part->iov_len > 1)
		part->iov_len /= 2;
	less.msg_iov = part;
	less.msg_iovlen = 1;
	return less;
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	int fault = fault_at(FN_sendmsg, fd, true);
	struct msghdr less;
	struct iovec part;

	if (is_plain(fault)) {
		errno = fault;
		return -1;
	}
	if (fault != FAULT_SHORT || message->msg_iovlen == 0)
		return REAL(sendmsg)(fd, message, flags);
	less = shortened(message, &part);
	return REAL(sendmsg)(fd, &less, flags);
}

/* Truncated: as when there is no number left for the descriptors that came along, which the kernel then closes. */
ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	int fault = fault_at(FN_recvmsg, fd, true);

	if (is_plain(fault)) {
		errno = fault;
		return -1;
	}
	if (fault == FAULT_CTRUNC)
		message->msg_controllen = 0;
	return REAL(recvmsg)(fd, message, flags);
}

/* ---- those with an open end ---- */

#define MODE(last, flags) (__OPEN_NEEDS_MODE(flags) ? va_arg(last, mode_t) : 0)

int
open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list last;

	va_start(last, flags);
	mode = MODE(last, flags);
	va_end(last);
	return fails(FN_open, 0, false) ? -1 : REAL(open)(path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list last;

	va_start(last, flags);
	mode = MODE(last, flags);
	va_end(last);
	return fails(FN_open64, 0, false) ? -1 : REAL(open64)(path, flags, mode);
}

int
openat(int folder, const char *path, int flags, ...)
{
	mode_t mode;
	va_list last;

	va_start(last, flags);
	mode = MODE(last, flags);
	va_end(last);
	return fails(FN_openat, 0, false) ? -1 : REAL(openat)(folder, path, flags, mode);
}

int
fcntl(int fd, int command, ...)
{
	void *argument;
	va_list last;

	va_start(last, command);
	argument = va_arg(last, void *);
	va_end(last);
	return fails(FN_fcntl, command, false) ? -1 : REAL(fcntl)(fd, command, argument);
}

int
prctl(int option, ...)
{
	unsigned long a[4];
	va_list last;

	va_start(last, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(last, unsigned long);
	va_end(last);
	return fails(FN_prctl, option, false) ? -1 : REAL(prctl)(option, a[0], a[1], a[2], a[3]);
}

long
syscall(long number, ...)
{
	long a[6];
	va_list last;

	va_start(last, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(last, long);
	va_end(last);
	return fails(FN_syscall, (int)number, false)
	               ? -1
	               : REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int
clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
	void *a[3];
	va_list last;

	va_start(last, arg);
	for (int i = 0; i < 3; i++)
		a[i] = va_arg(last, void *);
	va_end(last);
	return fails(FN_clone, 0, false) ? -1 : REAL(clone)(fn, stack, flags, arg, a[0], a[1], a[2]);
}

/* ---- the beginning ---- */

static enum role
role_of(int argc, char **argv)
{
	const char *program = base_name(argv[0]);
	const char *option = argc > 1 ? argv[1] : "";

	if (strcmp(program, "gracefuld") == 0) {
		for (int i = 1; i < argc; i++)
			if (strcmp(argv[i], "--check-state") == 0)
				return ROLE_TRIAL;
		return ROLE_MASTER;
	}
	if (strcmp(program, "gracefuld-worker") != 0)
		return ROLE_OTHER;
	return strcmp(option, "--check") == 0       ? ROLE_CHECKER
	       : strcmp(option, "--accepting") == 0 ? ROLE_LOOKOUT
	                                            : ROLE_WORKER;
}

static void __attribute__((constructor)) begin(int argc, char **argv)
{
	const char *path = getenv("GRACEFULD_FAULTS");
	void *memory;
	int fd;

	for (enum function fn = 0; fn < FN_COUNT; fn++)
		real_of(fn);
	owner = getpid();
	role = role_of(argc, argv);
	fd = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	memory = REAL(mmap)(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REAL(close)(fd);
	if (memory != MAP_FAILED)
		page = memory;
}
