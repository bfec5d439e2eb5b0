/*
 * Loading shared objects.
 */
#include "service/module/loader.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/trust.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#define SYMBOL       "gracefuld_module"
#define NAME_MAX_LEN 64

/* What a struct had in the first version of the ABI. */
#define SIZE_UP_TO(type, member) \
	(offsetof(type, member) + sizeof(((type *)NULL)->member)) /* NOLINT: of a pointer it is that */
#define MODULE_SIZE SIZE_UP_TO(struct gracefuld_module, ops)
#define OPS_SIZE    SIZE_UP_TO(struct gracefuld_service_ops, adopt)

/* The part of a libevent version that must be the same: 2.1 of 2.1.12. */
#define LIBEVENT_SERIES(version) ((version) >> 16)

static int refuse(char **ret_error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
refuse(char **ret_error, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(ret_error, fmt, ap);
	va_end(ap);
	if (n >= 0)
		return -EINVAL;
	*ret_error = NULL;
	return -ENOMEM;
}

static int
check_file(const char *path, char **ret_error)
{
	/* O_NONBLOCK: a FIFO without a writer must not hold us up */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char why[TRUST_TEXT_MAX];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(ret_error, "%s: %s", path, strerror(errno));
	return trust_file(&st, why) ? 0 : refuse(ret_error, "%s: %s", path, why);
}

/* What the dynamic linker has said; it names the file, or another one that the file needs. */
static int
refuse_linking(const char *path, char **ret_error)
{
	const char *error = dlerror();

	if (!error)
		error = "cannot be loaded";
	return strncmp(error, path, strlen(path)) == 0 ? refuse(ret_error, "%s", error)
	                                               : refuse(ret_error, "%s: %s", path, error);
}

static bool
is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	const size_t len = name ? strnlen(name, NAME_MAX_LEN + 1) : 0;

	return len > 0 && len <= NAME_MAX_LEN && strspn(name, letters) == len;
}

/* The name of a function that must be there and is not; NULL: all are. */
static const char *
missing_function(const struct gracefuld_service_ops *ops)
{
	const struct {
		const char *name;
		bool is_there, needed;
	} functions[] = {
		{ "start", ops->start, true },
		{ "stop", ops->stop, true },
		{ "accept", ops->accept, true },
		{ "cut", ops->cut, true },
		{ "freeze", ops->freeze, ops->handoff_version > 0 },
		{ "thaw", ops->thaw, ops->handoff_version > 0 },
		{ "forget", ops->forget, ops->handoff_version > 0 },
		{ "adopt", ops->adopt, ops->handoff_version > 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (functions[i].needed && !functions[i].is_there)
			return functions[i].name;
	return NULL;
}

/* `abi` before all else: only it tells what the rest means. */
static int
check_module(const char *path, const struct gracefuld_module *module, char **ret_error)
{
	if (module->abi != GRACEFULD_ABI)
		return refuse(ret_error, "%s: built for ABI %u of gracefuld's modules; this is ABI %d", path,
			module->abi, GRACEFULD_ABI);
	if (module->size < MODULE_SIZE)
		return refuse(ret_error, "%s: " SYMBOL " has %u bytes, less than the %zu of ABI %d", path,
			module->size, MODULE_SIZE, GRACEFULD_ABI);
	if (LIBEVENT_SERIES(module->libevent) != LIBEVENT_SERIES(event_get_version_number()))
		return refuse(ret_error, "%s: built for libevent %u.%u; this is %s", path,
			module->libevent >> 24, module->libevent >> 16 & 255, event_get_version());
	if (!is_name(module->name))
		return refuse(ret_error, "%s: its name must be 1 to %d letters, digits, '-', '_' and '.'",
			path, NAME_MAX_LEN);
	if (!module->version)
		return refuse(ret_error, "%s: has no version", path);
	return 0;
}

static int
take_ops(const char *path, const struct gracefuld_service_ops *ops, struct gracefuld_service_ops *ret,
	char **ret_error)
{
	const char *missing;

	if (!ops || ops->size < OPS_SIZE)
		return refuse(ret_error,
			"%s: its struct gracefuld_service_ops has %u bytes, less than the %zu of ABI %d",
			path, ops ? ops->size : 0, OPS_SIZE, GRACEFULD_ABI);
	*ret = (struct gracefuld_service_ops){ .size = 0 };
	memcpy(ret, ops, ops->size < sizeof(*ret) ? ops->size : sizeof(*ret));
	missing = missing_function(ret);
	return missing ? refuse(ret_error, "%s: has no function \"%s\"", path, missing) : 0;
}

int
loader_load(const char *path, struct loader_module *ret, char **ret_error)
{
	const struct gracefuld_module *module;
	struct loader_module loaded;
	void *handle;
	int r;

	if (path[0] != '/')
		return refuse(ret_error, "\"%s\" is no absolute path", path);
	r = check_file(path, ret_error);
	if (r < 0)
		return r;
	/* NOW: what it lacks is to show here, not in front of a client */
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle)
		return refuse_linking(path, ret_error);
	module = dlsym(handle, SYMBOL);
	if (!module)
		r = refuse(ret_error, "%s: is no module: has no symbol " SYMBOL, path);
	else
		r = check_module(path, module, ret_error);
	if (r == 0)
		r = take_ops(path, module->ops, &loaded.ops, ret_error);
	if (r == 0) {
		loaded.name = module->name;
		loaded.version = module->version;
		*ret = loaded;
	}
	dlclose(handle);
	return r;
}
