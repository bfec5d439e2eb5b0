/*
 * Opens files that lie beneath a folder. The kernel can see to that (openat2 with RESOLVE_BENEATH). Where it is too old, or a
 * sandbox forbids it, we walk ourselves: systemd's RestrictSUIDSGID= does so, since a filter can't look into the
 * arguments of openat2.
 */
#include "service/http/beneath.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A rename beside the file at the same time makes the kernel ask for another try. */
#define OPEN_TRIES 8

#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/*
 * Each folder is opened from the one above it, without following links, and ".." goes back to the one that we came
 * from. So no folder that is moved away on the way, and no link, leads out of the first one.
 */
struct walk {
	int folder[BENEATH_DEPTH_MAX + 1]; /* [0] is the root, and not ours */
	unsigned depth;
	unsigned links; /* followed so far */
	char rest[PATH_MAX];
};

static void
leave_folder(struct walk *w)
{
	fd_close(&w->folder[w->depth--]);
}

/* Moves the next part of the rest into `part`; false when there is none. Empty ones and "." are left out. */
static bool
take_part(struct walk *w, char part[NAME_MAX + 1], int *ret_error)
{
	const char *start = w->rest;
	size_t len;

	do {
		start += strspn(start, "/");
		len = strcspn(start, "/");
		if (len != 1 || *start != '.')
			break;
		start++;
	} while (true);
	*ret_error = len > NAME_MAX ? -ENAMETOOLONG : 0;
	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(part, start, len);
	part[len] = '\0';
	memmove(w->rest, start + len, strlen(start + len) + 1);
	return true;
}

/* What the link says comes before the rest. 0 or negative errno. */
static int
follow_link(struct walk *w, int link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (*target == '/')
		return -EXDEV;
	if (++w->links > BENEATH_LINKS_MAX)
		return -ELOOP;
	if (snprintf(rest, sizeof(rest), "%s%s", target, w->rest) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, strlen(rest) + 1);
	return 0;
}

/* Into a folder, along a link, or to the end. 0 to go on, the descriptor of what was looked for, or negative errno. */
static int
step(struct walk *w, const char *part)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (strcmp(part, "..") == 0) {
		if (w->depth == 0)
			return -EXDEV;
		leave_folder(w);
		return 0;
	}
	fd = openat(w->folder[w->depth], part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow_link(w, fd);
	if (S_ISDIR(st.st_mode)) {
		if (w->depth == BENEATH_DEPTH_MAX)
			return -ENAMETOOLONG;
		w->folder[++w->depth] = take_fd(&fd);
		return 0;
	}
	if (*w->rest)
		return -ENOTDIR;
	/* by its name, since an O_PATH descriptor can't be read; that it may be another file by now is no matter */
	fd_close(&fd);
	fd = openat(w->folder[w->depth], part, READ_FLAGS | O_NOFOLLOW);
	return fd < 0 ? -errno : take_fd(&fd);
}

int
beneath_walk(int root, const char *name)
{
	struct walk w = { .folder = { root } };
	char part[NAME_MAX + 1];
	int r = 0;

	if (*name == '/')
		return -EXDEV;
	if (!*name)
		return -ENOENT;
	if (strlen(name) >= sizeof(w.rest))
		return -ENAMETOOLONG;
	memcpy(w.rest, name, strlen(name) + 1);
	while (r == 0 && take_part(&w, part, &r))
		r = step(&w, part);
	if (r == 0) {
		r = openat(w.folder[w.depth], ".", READ_FLAGS);
		if (r < 0)
			r = -errno;
	}
	while (w.depth > 0)
		leave_folder(&w);
	return r;
}

int
beneath_open(int root, const char *name)
{
	static const struct open_how how = {
		.flags = READ_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < OPEN_TRIES && fd < 0; i++) {
		fd = syscall(SYS_openat2, root, name, &how, sizeof(how));
		if (fd < 0 && errno == ENOSYS)
			return beneath_walk(root, name);
		if (fd < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return fd < 0 ? -EAGAIN : (int)fd;
}
