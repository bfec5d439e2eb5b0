/*
 * Looking whether a program accepts connections.
 *
 * A listening socket is shared by incumbents and successors, so a connection that is answered tells nothing. But the kernel tells what
 * a process waits for: an epoll set names its sockets, and who sleeps in accept(2) is seen to. Of who sleeps in poll(2) or select(2),
 * nobody can say what for.
 */
#include "worker/lookout.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_US (5 * US_PER_MS) /* between two looks: the kernel has no event for it */

struct lookout {
	pid_t session;
	uint64_t inode;
};

/* Does this epoll set have the socket? */
static bool
is_watched(const char *pid, const char *fd, uint64_t inode)
{
	char path[64], line[256];
	cleanup_file FILE *file = NULL;
	unsigned long long found;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s", pid, fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		at = strncmp(line, "tfd:", 4) == 0 ? strstr(line, " ino:") : NULL;
		if (at && sscanf(at, " ino:%llx", &found) == 1 && found == inode)
			return true;
	}
	return false;
}

static bool
sleeps_in_accept(const char *pid)
{
	char path[64], name[64] = "";
	cleanup_file FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%.20s/wchan", pid);
	file = fopen(path, "re");
	return file && fgets(name, sizeof(name), file) &&
	       (strstr(name, "_accept") || strstr(name, "wait_for_connect") || strstr(name, "unix_accept"));
}

/* Of one descriptor: is it the socket, or an epoll set that has it? */
static void
look_at_descriptor(const struct lookout *lookout, const char *pid, const char *fd, bool *has, bool *watches)
{
	char path[64], target[64] = "", wanted[64];

	snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", pid, fd);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return;
	snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)lookout->inode);
	if (strcmp(target, wanted) == 0)
		*has = true;
	else if (strcmp(target, "anon_inode:[eventpoll]") == 0)
		*watches |= is_watched(pid, fd, lookout->inode);
}

static bool
process_accepts(const struct lookout *lookout, const char *pid)
{
	bool has = false, watches = false;
	const struct dirent *entry;
	char path[64];
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	while (fds && !watches && (entry = readdir(fds)))
		look_at_descriptor(lookout, pid, entry->d_name, &has, &watches);
	if (fds)
		closedir(fds);
	return watches || (has && sleeps_in_accept(pid));
}

static bool
somebody_accepts(const struct lookout *lookout)
{
	const struct dirent *entry;
	DIR *processes = opendir("/proc");
	bool found = false;
	uint64_t pid;

	while (processes && !found && (entry = readdir(processes)))
		if (text_parse_u64(entry->d_name, &pid) == 0 && pid <= INT_MAX &&
			getsid((pid_t)pid) == lookout->session)
			found = process_accepts(lookout, entry->d_name);
	if (processes)
		closedir(processes);
	return found;
}

int
lookout_run(const char *session, const char *inode)
{
	const struct timespec pause = { .tv_nsec = (long)(PAUSE_US * 1000) };
	struct lookout lookout = { 0 };
	pid_t master = getppid();
	uint64_t number;

	if (text_parse_u64(session, &number) < 0 || number == 0 || number > INT_MAX ||
		text_parse_u64(inode, &lookout.inode) < 0)
		return EX_USAGE;
	lookout.session = (pid_t)number;
	while (!somebody_accepts(&lookout)) {
		/* (EPERM: it has not changed its account yet) */
		if ((kill(lookout.session, 0) < 0 && errno == ESRCH) || getppid() != master)
			return EX_UNAVAILABLE;
		nanosleep(&pause, NULL);
	}
	return EX_OK;
}
