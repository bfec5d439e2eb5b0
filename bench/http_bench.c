/*
 * What a request costs the HTTP layer: CPU time and system calls, with a reply as small as can be.
 *
 *	http_bench [SECONDS [CONNECTIONS]]      the load generator is $HAMMER
 *
 * The system calls are counted by standing in the way of libc's functions, for libevent's calls too: the dynamic
 * linker finds the program's own functions first.
 */
#include "base/cleanup.h"
#include "http/reply.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>

enum call {
	CALL_RECV,
	CALL_SEND,
	CALL_SENDFILE,
	CALL_EPOLL_WAIT,
	CALL_EPOLL_CTL,
	CALL_ACCEPT,
	CALL_CLOSE,
	CALL_COUNT
};

static const char *const call_names[CALL_COUNT] = { "recv", "send", "sendfile", "epoll_wait", "epoll_ctl",
	"accept4", "close" };

/* Libc's functions have no argument for this. */
static unsigned long calls[CALL_COUNT];

ssize_t
recv(int fd, void *data, size_t len, int flags)
{
	calls[CALL_RECV]++;
	return syscall(SYS_recvfrom, fd, data, len, flags, NULL, NULL);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	calls[CALL_SEND]++;
	return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}

ssize_t
sendfile(int out, int in, off_t *offset, size_t len)
{
	calls[CALL_SENDFILE]++;
	return syscall(SYS_sendfile, out, in, offset, len);
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	calls[CALL_EPOLL_WAIT]++;
	return (int)syscall(SYS_epoll_pwait, fd, events, max, timeout, NULL, 0);
}

int
epoll_ctl(int fd, int op, int target, struct epoll_event *event)
{
	calls[CALL_EPOLL_CTL]++;
	return (int)syscall(SYS_epoll_ctl, fd, op, target, event);
}

int
accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
	calls[CALL_ACCEPT]++;
	return (int)syscall(SYS_accept4, fd, address, len, flags);
}

int
close(int fd)
{
	calls[CALL_CLOSE]++;
	return (int)syscall(SYS_close, fd);
}

struct bench {
	struct event_base *base;
	struct http_server *server;
	int file; /* of as many bytes as a small page has */
	pid_t hammer;
};

#define FILE_LEN 4096

static void
on_request(struct http_connection *connection, const struct http_request *request, void *arg)
{
	struct bench *bench = arg;

	http_reply_start(connection, 200);
	http_reply_field(connection, HTTP_TEXT("Content-Type"), HTTP_TEXT("text/plain"));
	if (http_text_equal(request->path, HTTP_TEXT("/file")))
		http_reply_file(connection, fcntl(bench->file, F_DUPFD_CLOEXEC, 0), 0, FILE_LEN);
	else
		http_reply_bytes(connection, "hello world\n", strlen("hello world\n"));
}

/* event: somebody connects */
static void
on_connect(evutil_socket_t listener, short what, void *arg)
{
	struct bench *bench = arg;
	int fd;

	(void)what;
	for (int i = 0; i < 16; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		if (http_server_accept(bench->server, fd) < 0)
			close(fd);
	}
}

/* event: the load generator has ended, and with it the pipe from it */
static void
on_hammer_end(evutil_socket_t fd, short what, void *arg)
{
	struct bench *bench = arg;
	char said[4096];

	(void)what;
	if (read(fd, said, sizeof(said)) <= 0)
		event_base_loopbreak(bench->base);
}

static int
listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		err(EX_OSERR, "listen");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* Starts the load generator. The end of a pipe on which it says its results. */
static int
start_hammer(struct bench *bench, uint16_t port, const char *const *options, const char *seconds,
	const char *connections)
{
	const char *hammer = getenv("HAMMER") ? getenv("HAMMER") : "tests/hammer";
	char address[32];
	int ends[2];

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	if (pipe2(ends, O_CLOEXEC) < 0)
		err(EX_OSERR, "pipe2");
	bench->hammer = fork();
	if (bench->hammer < 0)
		err(EX_OSERR, "fork");
	if (bench->hammer == 0) {
		if (dup2(ends[1], STDOUT_FILENO) >= 0)
			execl(hammer, hammer, "-a", address, "-d", seconds, "-c", connections, "--mode",
				options[0], "--path", options[1], (char *)NULL);
		err(EX_UNAVAILABLE, "%s", hammer);
	}
	syscall(SYS_close, ends[1]);
	return ends[0];
}

static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
print_results(const struct bench *bench, const char *const *options, double cpu)
{
	double requests = (double)http_server_stats(bench->server)->requests, sum = 0;

	if (requests < 1)
		errx(EX_UNAVAILABLE, "no request came");
	for (int i = 0; i < CALL_COUNT; i++)
		sum += (double)calls[i];
	printf("%-9s  %-5s  %9.0f requests  %5.2f us of CPU  %4.2f system calls:", options[0], options[1],
		requests, cpu * 1e6 / requests, sum / requests);
	for (int i = 0; i < CALL_COUNT; i++)
		if ((double)calls[i] / requests >= 0.005)
			printf("  %s %.2f", call_names[i], (double)calls[i] / requests);
	printf("\n");
}

static void
measure(const char *const *options, const char *seconds, const char *connections)
{
	static const struct http_handler handler = { .name = "bench", .on_request = on_request };
	struct bench bench = { .base = event_base_new() };
	struct http_limits limits;
	uint16_t port;
	cleanup_fd int listener = listen_somewhere(&port);
	cleanup_fd int hammer = start_hammer(&bench, port, options, seconds, connections);
	struct event *accepting, *end;
	double begun;

	http_limits_init(&limits);
	bench.server = http_server_new(bench.base, &limits, &handler, &bench);
	bench.file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	accepting = event_new(bench.base, listener, EV_READ | EV_PERSIST, on_connect, &bench);
	end = event_new(bench.base, hammer, EV_READ | EV_PERSIST, on_hammer_end, &bench);
	if (!bench.server || bench.file < 0 || event_add(accepting, NULL) < 0 || event_add(end, NULL) < 0)
		errx(EX_OSERR, "cannot begin");
	memset(calls, 0, sizeof(calls));
	begun = cpu_seconds();
	event_base_dispatch(bench.base);
	print_results(&bench, options, cpu_seconds() - begun);
	waitpid(bench.hammer, NULL, 0);
	event_free(accepting);
	event_free(end);
	http_server_free(bench.server);
	close(bench.file);
	event_base_free(bench.base);
}

int
main(int argc, char **argv)
{
	static const char *const options[][2] = { { "keepalive", "/" }, { "keepalive", "/file" },
		{ "new", "/" } };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		measure(options[i], argc > 1 ? argv[1] : "3", argc > 2 ? argv[2] : "64");
	return EX_OK;
}
