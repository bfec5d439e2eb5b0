/*
 * As whom workers run, and what the master itself keeps of root's powers.
 */
#ifndef MASTER_IDENTITY_H
#define MASTER_IDENTITY_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define IDENTITY_DEFAULT_USER  "gracefuld" /* made by sysusers.d */
#define IDENTITY_FALLBACK_USER "nobody"

struct identity {
	bool change; /* false: workers run as the master does */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary */
	size_t n_groups;
};

/*
 * Finds the account that the configuration names, or the default ones. As root only; an ordinary user's
 * workers are that user's, and naming another account is an error. 0 with *ret; -EINVAL with the reason in
 * `problems`; or negative errno. *ret_warning is set to a constant text when the fallback had to be taken,
 * else to NULL.
 */
int identity_find(const struct config *config, struct identity *ret, const char **ret_warning,
	struct problems *problems);

/*
 * Becomes that account, for good, and gives up ambient capabilities; a program of our own (`is_ours`) those that others could give it by
 * their files, too. In the child, before exec. 0, or negative errno.
 */
int identity_assume(const struct identity *identity, bool is_ours);

void identity_done(struct identity *identity);

/*
 * Drops every capability that the master does not need, for itself and its children. 0, also for an ordinary
 * user; or negative errno.
 */
int identity_drop_capabilities(void);

#endif
