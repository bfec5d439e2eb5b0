/*
 * What systemd is told: datagrams to NOTIFY_SOCKET, as sd_notify(3) describes them. Not by that function, which waits without end when systemd
 * does not read: the master must go on reaping and reloading then.
 */
#include "systemd/notify.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

/* How long a change of state may wait for a place in systemd's queue. What comes again and again waits for none. */
#define STATE_WAIT_MS 100

/* The address in NOTIFY_SOCKET: a path, or with '@' an abstract name. Its length; 0: nobody listens. */
static socklen_t
find_address(struct sockaddr_un *ret)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name ? strlen(name) : 0;

	if (len < 2 || len >= sizeof(ret->sun_path) || (*name != '/' && *name != '@'))
		return 0;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, name, len);
	if (*name == '@')
		ret->sun_path[0] = '\0';
	/* a path ends in a NUL, an abstract name is as long as it is */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name == '/'));
}

static void __attribute__((format(printf, 2, 3))) notify(int wait_ms, const char *fmt, ...)
{
	struct sockaddr_un address;
	socklen_t len = find_address(&address);
	cleanup_fd int fd = len > 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	struct pollfd writable = { .fd = fd, .events = POLLOUT };
	char text[512];
	va_list ap;
	int n;

	/* connected, so that poll tells about systemd's queue and not about our own */
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0 && errno == EAGAIN && wait_ms > 0 &&
		poll(&writable, 1, wait_ms) == 1)
		(void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

bool
notify_is_heard(void)
{
	struct sockaddr_un address;

	return find_address(&address) > 0;
}

void
notify_status(const char *text)
{
	static char last[256];

	if (strncmp(last, text, sizeof(last) - 1) == 0)
		return;
	snprintf(last, sizeof(last), "%s", text);
	notify(0, "STATUS=%s", last);
}

void
notify_ready(void)
{
	notify(STATE_WAIT_MS, "READY=1");
}

void
notify_reloading(void)
{
	notify(STATE_WAIT_MS, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_us());
}

void
notify_stopping(void)
{
	notify(STATE_WAIT_MS, "STOPPING=1");
}

void
notify_extend_timeout(uint64_t us)
{
	notify(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, us);
}

void
notify_errno(int error)
{
	notify(STATE_WAIT_MS, "ERRNO=%d", error);
}

void
notify_watchdog(void)
{
	notify(0, "WATCHDOG=1");
}

uint64_t
notify_watchdog_interval_us(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}
