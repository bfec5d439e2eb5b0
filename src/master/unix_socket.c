/*
 * A listening UNIX socket in the file system.
 */
#include "master/unix_socket.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Is there something at the path that must not be replaced? 0 when not, else negative errno. */
static int
check_vacant(const struct sockaddr_un *address)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN: somebody listens, and the queue is full */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return 0;
}

int
unix_socket_give(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	/* the path is followed once; from then on it is known by a descriptor */
	cleanup_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char known[32];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	/* what is so already is left alone: a unit's filter refuses even to ask for it */
	if (((uid != (uid_t)-1 && uid != st.st_uid) || (gid != (gid_t)-1 && gid != st.st_gid)) &&
		fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if ((st.st_mode & ALLPERMS) == mode)
		return 0;
	/* (fchmod takes no such descriptor) */
	snprintf(known, sizeof(known), "/proc/self/fd/%d", fd);
	return chmod(known, mode) < 0 ? -errno : 0;
}

int
unix_socket_set_access(const char *path, const struct config_listen *spec)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (spec->user) {
		const struct passwd *pw = getpwnam(spec->user);

		if (!pw)
			return -ENOENT;
		uid = pw->pw_uid;
	}
	if (spec->group) {
		const struct group *gr = getgrnam(spec->group);

		if (!gr)
			return -ENOENT;
		gid = gr->gr_gid;
	}
	return unix_socket_give(path, uid, gid, spec->mode);
}

/* From the bound socket under its temporary name to a listening one under its own. */
static int
publish(int fd, const char *temporary, const struct config_listen *spec, ino_t *ret_inode)
{
	struct stat st;
	int r = unix_socket_set_access(temporary, spec);

	if (r < 0)
		return r;
	if (listen(fd, spec->backlog) < 0 || lstat(temporary, &st) < 0 || rename(temporary, spec->path) < 0)
		return -errno;
	*ret_inode = st.st_ino;
	return 0;
}

int
unix_socket_listen(const struct config_listen *spec, ino_t *ret_inode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX }, temporary = address;
	cleanup_fd int fd = -1;
	mode_t mask;
	int r, n;

	n = snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%s.%d", spec->path, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(temporary.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, spec->path, strlen(spec->path) + 1);
	r = check_vacant(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(temporary.sun_path); /* of a former process with our pid that died just here */
	mask = umask(0177);         /* nobody's until its mode is set */
	r = bind(fd, (const struct sockaddr *)&temporary, sizeof(temporary)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	r = publish(fd, temporary.sun_path, spec, ret_inode);
	if (r < 0) {
		unlink(temporary.sun_path);
		return r;
	}
	return take_fd(&fd);
}

/* 1: it is that socket, 0: it is not, negative errno: nobody can tell. */
static int
look_at(const char *path, ino_t inode)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	/* the number is nobody else's as long as we have the socket open, even when the path is gone */
	return S_ISSOCK(st.st_mode) && st.st_ino == inode;
}

bool
unix_socket_is_there(const char *path, ino_t inode)
{
	return look_at(path, inode) != 0;
}

void
unix_socket_unlink(const char *path, ino_t inode)
{
	if (look_at(path, inode) == 1)
		unlink(path);
}
