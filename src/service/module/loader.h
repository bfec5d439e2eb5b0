/*
 * A module's shared object: loaded, and found to be one that this program can talk to.
 */
#ifndef SERVICE_MODULE_LOADER_H
#define SERVICE_MODULE_LOADER_H

#include <gracefuld/service.h>

struct loader_module {
	const char *name, *version;       /* the module's own */
	struct gracefuld_service_ops ops; /* as far as the module has them; else zero */
};

/*
 * Loads. The object stays for as long as the process does: what it may have left behind (threads, handlers at exit) needs its code. 0; or
 * -EINVAL, or -ENOMEM, with *ret_error (to be freed; NULL: no memory), which names the file.
 */
int loader_load(const char *path, struct loader_module *ret, char **ret_error);

#endif
