/*
 * Files that may be believed.
 */
#include "base/trust.h"

#include <stdio.h>
#include <unistd.h>

static const char *
kind_of_file(mode_t mode)
{
	if (S_ISDIR(mode))
		return "is a directory";
	if (S_ISFIFO(mode))
		return "is a FIFO, not a regular file";
	return "is not a regular file";
}

bool
trust_file(const struct stat *st, char ret_why[TRUST_TEXT_MAX])
{
	const unsigned mode = st->st_mode & 07777;

	if (!S_ISREG(st->st_mode))
		snprintf(ret_why, TRUST_TEXT_MAX, "%s", kind_of_file(st->st_mode));
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		snprintf(ret_why, TRUST_TEXT_MAX,
			"refused: owned by user %u, neither root nor this user (%u)", st->st_uid, geteuid());
	else if (mode & S_IWOTH)
		snprintf(ret_why, TRUST_TEXT_MAX, "refused: writable by others (mode %04o)", mode);
	else if ((mode & S_IWGRP) && st->st_gid != 0 && st->st_gid != getegid())
		snprintf(ret_why, TRUST_TEXT_MAX, "refused: writable by group %u (mode %04o)", st->st_gid,
			mode);
	else
		return true;
	return false;
}
