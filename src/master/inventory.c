/*
 * The description of a whole master.
 */
#include "config.h"

#include "master/inventory.h"

#include "master/pool_heritage.h"

#include <stdlib.h>
#include <unistd.h>

static const struct heritage_field fields[] = {
	HERITAGE_REST("version"), /* these two have been looked at: heritage_open */
	HERITAGE_REST("pid"),
	HERITAGE_REST("writer"), /* for people */
	HERITAGE_REST("master"),
	HERITAGE_REST("passed"),
	HERITAGE_REST("pool"),
	HERITAGE_REST("reload"),
	HERITAGE_REST("recycle"),
	HERITAGE_REST("extension"), /* null: none */
	HERITAGE_END,
};

static const struct heritage_field own_fields[] = {
	HERITAGE_NUMBER(struct inventory_own, started_us, UINT64_MAX),
	HERITAGE_NUMBER(struct inventory_own, started_wall_us, UINT64_MAX),
	HERITAGE_NUMBER(struct inventory_own, begun_us, UINT64_MAX),
	HERITAGE_NUMBER(struct inventory_own, open_files, UINT32_MAX),
	HERITAGE_NUMBER(struct inventory_own, log_lost, UINT32_MAX),
	HERITAGE_STRING(struct inventory_own, program),
	HERITAGE_END,
};

static const struct heritage_field passed_fields[] = {
	HERITAGE_FD(struct listen_fd, fd),
	HERITAGE_STRING(struct listen_fd, name),
	HERITAGE_END,
};

/* Its timer follows from the configuration. */
static const struct heritage_field recycle_fields[] = {
	HERITAGE_NUMBER(struct recycle, last_pid, INT_MAX),
	HERITAGE_NUMBER(struct recycle, not_before_us, UINT64_MAX),
	HERITAGE_END,
};

json_t *
inventory_save(struct heritage *h, const struct inventory *v, bool trial)
{
	json_t *json = json_object(), *passed = json_array();

	heritage_set(h, json, "version", json_integer(HERITAGE_VERSION));
	heritage_set(h, json, "pid", json_integer(getpid()));
	heritage_set(h, json, "writer", json_string(PACKAGE_STRING));
	heritage_set(h, json, "master", heritage_save(h, own_fields, &v->own));
	for (size_t i = 0; i < v->passed->n; i++)
		heritage_add(h, passed, heritage_save(h, passed_fields, &v->passed->fd[i]));
	heritage_set(h, json, "passed", passed);
	heritage_set(h, json, "pool", pool_save(h, v->pool));
	heritage_set(h, json, "reload", reload_save(h, v->reload));
	heritage_set(h, json, "recycle", heritage_save(h, recycle_fields, v->recycle));
	heritage_set(h, json, "extension",
		v->extension ? v->extension->save(h, trial, v->extension->arg) : json_null());
	return json;
}

static bool
load_passed(struct heritage *h, const json_t *passed, struct listen_fds *into)
{
	size_t n = json_array_size(passed);

	if (!json_is_array(passed))
		return heritage_refuse(h, "what systemd passed is no list");
	into->fd = calloc(n + 1, sizeof(*into->fd));
	if (!into->fd)
		return heritage_refuse(h, "out of memory");
	for (size_t i = 0; i < n; i++) {
		into->fd[i].fd = -1;
		into->n++;
		if (!heritage_load(h, passed_fields, json_array_get(passed, i), &into->fd[i]))
			return false;
	}
	return true;
}

static bool
load_extension(struct heritage *h, const json_t *json, const struct master_extension *extension,
	struct master *master)
{
	if (!extension)
		return json_is_null(json) || heritage_refuse(h, "there is an extension that is not known");
	return extension->restore(master, h, json, extension->arg);
}

bool
inventory_load(struct heritage *h, const json_t *json, struct inventory *v, struct master *master)
{
	return heritage_load(h, fields, json, v) &&
	       heritage_load(h, own_fields, json_object_get(json, "master"), &v->own) &&
	       load_passed(h, json_object_get(json, "passed"), v->passed) &&
	       pool_load(h, json_object_get(json, "pool"), v->pool) &&
	       reload_load(h, json_object_get(json, "reload"), v->reload) &&
	       heritage_load(h, recycle_fields, json_object_get(json, "recycle"), v->recycle) &&
	       load_extension(h, json_object_get(json, "extension"), v->extension, master);
}
