/*
 * The counter page: making and mapping it.
 */
#include "ipc/counters.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct counters) == COUNTERS_SIZE, "one page");

const char *
counters_name(enum counter counter)
{
	static const char *const names[COUNTER_COUNT] = {
		[COUNTER_CONNECTIONS] = "connections",
		[COUNTER_ACCEPTED] = "accepted",
		[COUNTER_REQUESTS] = "requests",
		[COUNTER_FINISHED] = "finished",
		[COUNTER_CUT] = "cut",
		[COUNTER_HANDED_IN] = "handed_in",
		[COUNTER_HANDED_OUT] = "handed_out",
		[COUNTER_RECEIVED] = "received",
		[COUNTER_SENT] = "sent",
		[COUNTER_LOST] = "lost",
	};

	return names[counter];
}

int
counters_create(void)
{
	cleanup_fd int fd = memfd_create("gracefuld-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, COUNTERS_SIZE) < 0)
		return -errno;
	/* a worker that shrank the page would let the master die of SIGBUS as it reads */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	return take_fd(&fd);
}

struct counters *
counters_map(int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_size < COUNTERS_SIZE) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(NULL, COUNTERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

void
counters_unmap(struct counters *counters)
{
	if (counters)
		munmap(counters, COUNTERS_SIZE);
}
