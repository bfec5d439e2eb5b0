/*
 * Who may change things, by the credentials that the kernel noted when the peer connected.
 */
#include "control/access.h"

#include "base/cleanup.h"

int
access_peer(int fd, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) < 0 ? -errno : 0;
}

/* Is the group among the peer's supplementary ones? */
static bool
is_member(int fd, gid_t gid)
{
	socklen_t len = 0;
	cleanup_free gid_t *groups = NULL;

	/* first how many there are: ERANGE, with the length */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return false;
	groups = malloc(len);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

bool
access_may_change(int fd, const struct ucred *peer, gid_t gid)
{
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	return gid != (gid_t)-1 && (peer->gid == gid || is_member(fd, gid));
}
