/*
 * As whom workers run, and what the master keeps of root's powers.
 */
#include "master/identity.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/*
 * What root's master goes on needing; each is why:
 *	SETUID, SETGID    workers become another account
 *	KILL              … and are signalled all the same
 *	NET_BIND_SERVICE  a reload may bind a port below 1024
 *	CHOWN, FOWNER     UNIX sockets get their owner and mode
 *	DAC_OVERRIDE      … in folders that belong to others; the configuration may be readable by its group only
 *	SETPCAP           workers of our own lose all of these, and the way to any
 */
static const unsigned needed[] = {
	CAP_SETUID,
	CAP_SETGID,
	CAP_KILL,
	CAP_NET_BIND_SERVICE,
	CAP_CHOWN,
	CAP_FOWNER,
	CAP_DAC_OVERRIDE,
	CAP_SETPCAP,
};

static int
find_groups(const char *user, struct identity *identity)
{
	int n = 16;

	for (;;) {
		int room = n;
		cleanup_free gid_t *groups = calloc((size_t)room, sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		if (getgrouplist(user, identity->gid, groups, &n) >= 0) {
			identity->groups = take_ptr(groups);
			identity->n_groups = (size_t)n;
			return 0;
		}
		if (n <= room) /* no larger room is asked for: it can't be had */
			return -EIO;
	}
}

/* The account for workers of root; NULL when there is none, said in `problems`. */
static const struct passwd *
find_user(const struct config *config, const char **ret_warning, struct problems *problems)
{
	const struct passwd *pw;

	if (config->user) {
		pw = getpwnam(config->user);
		if (!pw)
			config_add_problem(
				config, "user", problems, "there is no account \"%s\"", config->user);
		return pw;
	}
	pw = getpwnam(IDENTITY_DEFAULT_USER);
	if (pw)
		return pw;
	pw = getpwnam(IDENTITY_FALLBACK_USER);
	if (pw)
		*ret_warning = "there is no account \"" IDENTITY_DEFAULT_USER
			       "\": workers run as \"" IDENTITY_FALLBACK_USER "\"";
	else
		config_add_problem(config, "user", problems,
			"neither the account \"" IDENTITY_DEFAULT_USER "\" nor \"" IDENTITY_FALLBACK_USER
			"\" exists");
	return pw;
}

/* An ordinary user has one identity only; saying its own name is fine. */
static int
check_ordinary(const struct config *config, struct problems *problems)
{
	const struct passwd *pw = config->user ? getpwnam(config->user) : NULL;
	const struct group *gr = config->group ? getgrnam(config->group) : NULL;

	if (config->user && (!pw || pw->pw_uid != geteuid()))
		config_add_problem(
			config, "user", problems, "only root can run workers as \"%s\"", config->user);
	else if (config->group && (!gr || gr->gr_gid != getegid()))
		config_add_problem(
			config, "group", problems, "only root can run workers as \"%s\"", config->group);
	else
		return 0;
	return -EINVAL;
}

int
identity_find(const struct config *config, struct identity *ret, const char **ret_warning,
	struct problems *problems)
{
	struct identity found = { .change = true };
	const struct passwd *pw;
	int r;

	*ret_warning = NULL;
	*ret = (struct identity){ 0 };
	if (geteuid() != 0)
		return check_ordinary(config, problems);
	pw = find_user(config, ret_warning, problems);
	if (!pw)
		return -EINVAL;
	found.uid = pw->pw_uid;
	found.gid = pw->pw_gid;
	if (config->group) {
		const struct group *gr = getgrnam(config->group);

		if (!gr) {
			config_add_problem(
				config, "group", problems, "there is no group \"%s\"", config->group);
			return -EINVAL;
		}
		found.gid = gr->gr_gid;
	}
	r = find_groups(pw->pw_name, &found);
	if (r < 0)
		return r;
	*ret = found;
	return 0;
}

/* From now on no program that is executed, whatever its owner and bits, can have one. EPERM: we may not, being in somebody else's sandbox. */
static int
drop_bounds(void)
{
	/* SETPCAP, which this takes, is the last */
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (prctl(PR_CAPBSET_DROP, needed[i], 0, 0, 0) < 0)
			return errno == EPERM ? 0 : -errno;
	return 0;
}

int
identity_assume(const struct identity *identity, bool is_ours)
{
	/* what systemd gave a master that is not root (AmbientCapabilities=) is not for workers; EINVAL: an old kernel */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (!identity->change)
		return 0;
	if (is_ours) {
		int r = drop_bounds();

		if (r < 0)
			return r;
	}
	if (setgroups(identity->n_groups, identity->groups) < 0 ||
		setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
		setresuid(identity->uid, identity->uid, identity->uid) < 0)
		return -errno;
	return 0;
}

void
identity_done(struct identity *identity)
{
	free(identity->groups);
	*identity = (struct identity){ 0 };
}

static bool
is_needed(unsigned capability)
{
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (needed[i] == capability)
			return true;
	return false;
}

int
identity_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (geteuid() != 0)
		return 0;
	/*
	 * EINVAL: the kernel knows no capability of this number, so all have been seen. EPERM: we lack
	 * SETPCAP, as in systemd's sandbox, whose own bounding set does the work.
	 */
	for (unsigned c = 0; c < 64; c++)
		if (!is_needed(c) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			break;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned c = 0; c < 64; c++) {
		uint32_t bit = UINT32_C(1) << (c % 32);

		if (is_needed(c))
			continue;
		data[c / 32].effective &= ~bit;
		data[c / 32].permitted &= ~bit;
		data[c / 32].inheritable &= ~bit;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}
