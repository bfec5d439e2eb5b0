/*
 * The service `module`: a shared object that somebody else has written against gracefuld/service.h. What is here stands between the two: to
 * the worker it is a service like others, to the module it is the host. So neither depends on how the other one looks inside.
 */
#include "service/services.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "service/module/loader.h"
#include "service/module/options.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* Tags are numbers of 16 bits; those of a module come behind ours. */
#define TAG_MAX 65000
_Static_assert(TAG_MAX + HANDOFF_TAG_SERVICE_FIRST <= UINT16_MAX, "a module's tags are numbers of 16 bits");

_Static_assert((int)GRACEFULD_COUNTER_REQUESTS == (int)COUNTER_REQUESTS &&
		       (int)GRACEFULD_COUNTER_RECEIVED == (int)COUNTER_RECEIVED &&
		       (int)GRACEFULD_COUNTER_SENT == (int)COUNTER_SENT,
	"the counters of modules are ours");

struct module {
	struct gracefuld_host seen; /* first: what the module is given */
	struct service_host *worker;
	struct module_options options;
	struct loader_module loaded;
	char *type;    /* "module:NAME", of its connections */
	void *service; /* the module's own */
	bool cutting;  /* the module was asked to cut a connection, and has not ended it yet */
};

struct gracefuld_connection {
	struct service_connection host; /* first: the worker's part */
	struct module *module;
	void *own;      /* the module's */
	bool abandoned; /* has ended without the module's doing; it may not know */
};

struct gracefuld_writer {
	struct handoff_writer *to;
};

struct gracefuld_record {
	struct handoff_record *from;
};

static struct module *
module_of(const struct gracefuld_host *seen)
{
	return (struct module *)seen;
}

static struct gracefuld_connection *
connection_of(struct service_connection *host)
{
	return (struct gracefuld_connection *)host;
}

/* What a module returns, where only 0 and negative errno have a meaning. */
static int
result_of(int r)
{
	return r > 0 ? -EINVAL : r;
}

/* ---- what the module calls ---- */

static void
host_ended(struct gracefuld_connection *connection, bool cut)
{
	struct module *module = connection->module;

	if (connection->abandoned)
		return;
	module->cutting = false;
	module->worker->ended(module->worker, &connection->host, cut);
	free(connection);
}

static void
host_movable(struct gracefuld_connection *connection)
{
	struct module *module = connection->module;

	if (!connection->abandoned)
		module->worker->movable(module->worker, &connection->host);
}

static void
host_close_client(struct gracefuld_connection *connection, int fd)
{
	service_close(&connection->host, fd);
}

static void
host_count(const struct gracefuld_host *seen, enum gracefuld_counter counter, uint64_t n)
{
	switch (counter) {
	case GRACEFULD_COUNTER_REQUESTS:
	case GRACEFULD_COUNTER_RECEIVED:
	case GRACEFULD_COUNTER_SENT:
		counters_add(module_of(seen)->worker->counters, (enum counter)counter, n);
	}
}

static void __attribute__((format(printf, 3, 4)))
host_log(const struct gracefuld_host *seen, int level, const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	va_list ap;

	if (level < LOG_ERR)
		level = LOG_ERR;
	if (level > LOG_DEBUG)
		level = LOG_DEBUG;
	if (!log_is_wanted(level))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_msg(level, "%s: %s", module_of(seen)->loaded.name, text);
}

static void
host_put_fd(struct gracefuld_writer *writer, int fd)
{
	handoff_put_fd(writer->to, fd);
}

static void
host_put_bytes(struct gracefuld_writer *writer, unsigned tag, const void *data, size_t len)
{
	if (tag > TAG_MAX)
		writer->to->error = -EINVAL;
	handoff_put_bytes(writer->to, HANDOFF_TAG_SERVICE_FIRST + tag, data, len);
}

static void
host_put_number(struct gracefuld_writer *writer, unsigned tag, uint64_t value)
{
	if (tag > TAG_MAX)
		writer->to->error = -EINVAL;
	handoff_put_number(writer->to, HANDOFF_TAG_SERVICE_FIRST + tag, value);
}

static size_t
host_n_fds(const struct gracefuld_record *record)
{
	return record->from->n_fds;
}

static int
host_take_fd(struct gracefuld_record *record, size_t n)
{
	if (n >= record->from->n_fds || record->from->fd[n] < 0)
		return -EBADMSG;
	return take_fd(&record->from->fd[n]);
}

static int
host_next_field(struct gracefuld_record *record, unsigned *ret_tag, const void **ret_data, size_t *ret_len)
{
	struct handoff_field field;
	int r = handoff_next(record->from, &field);

	if (r <= 0)
		return r;
	if (field.tag < HANDOFF_TAG_SERVICE_FIRST || field.tag - HANDOFF_TAG_SERVICE_FIRST > TAG_MAX)
		return -EBADMSG;
	*ret_tag = field.tag - HANDOFF_TAG_SERVICE_FIRST;
	*ret_data = field.data;
	*ret_len = field.len;
	return 1;
}

static int
host_read_number(const void *data, size_t len, uint64_t *ret)
{
	return handoff_field_number(&(struct handoff_field){ .data = data, .len = len }, ret);
}

/* ---- life ---- */

static void
module_check(const struct config *config, struct problems *problems)
{
	cleanup_free char *path = module_options_path(config, problems), *error = NULL;
	struct loader_module loaded;
	struct module_options options;

	if (!path)
		return;
	if (loader_load(path, &loaded, &error) < 0) {
		config_add_problem(config, "service.path", problems, "%s", error ? error : strerror(ENOMEM));
		return;
	}
	module_options_init(&options, config, loaded.name, problems);
	if (loaded.ops.check)
		loaded.ops.check(&options.seen);
	module_options_check_unknown(&options);
	module_options_done(&options);
}

static void
module_free(struct module *module)
{
	module_options_done(&module->options);
	free(module->type);
	free(module);
}

/* Loads it, which `check` has done before; but the file may be another one since. */
static int
load(struct module *module, const struct config *config)
{
	cleanup_free char *path = NULL, *error = NULL;
	struct problems problems; /* `check` has told them */
	int r = -EINVAL;

	problems_init(&problems);
	path = module_options_path(config, &problems);
	problems_done(&problems);
	if (path)
		r = loader_load(path, &module->loaded, &error);
	if (r < 0) {
		log_error("module: %s", error ? error : strerror(-r));
		return r;
	}
	module->type = text_format("module:%s", module->loaded.name);
	if (!module->type)
		return -ENOMEM;
	log_info("%s %s: loaded from %s", module->loaded.name, module->loaded.version, path);
	return 0;
}

static struct module *
module_new(struct service_host *worker)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	module->worker = worker;
	module->seen = (struct gracefuld_host){
		.size = sizeof(module->seen),
		.base = worker->base,
		.config = &module->options.seen,
		.slot = worker->slot,
		.generation = worker->generation,
		.ended = host_ended,
		.movable = host_movable,
		.close_client = host_close_client,
		.count = host_count,
		.log = host_log,
		.put_fd = host_put_fd,
		.put_number = host_put_number,
		.put_bytes = host_put_bytes,
		.n_fds = host_n_fds,
		.take_fd = host_take_fd,
		.next_field = host_next_field,
		.read_number = host_read_number,
	};
	return module;
}

static int
module_start(struct service_host *worker, void **ret_service)
{
	struct module *module = module_new(worker);
	int r;

	if (!module)
		return -ENOMEM;
	r = load(module, worker->config);
	if (r == 0) {
		module_options_init(&module->options, worker->config, module->loaded.name, NULL);
		r = result_of(module->loaded.ops.start(&module->seen, &module->service));
	}
	if (r < 0) {
		module_free(module);
		return r;
	}
	*ret_service = module;
	return 0;
}

static void
module_stop(void *service)
{
	struct module *module = service;

	module->loaded.ops.stop(module->service);
	module_free(module);
}

static void
module_identify(void *service, struct service_identity *ret)
{
	const struct module *module = service;

	*ret = (struct service_identity){ module->type, module->loaded.ops.handoff_version };
}

/* ---- connections ---- */

static struct gracefuld_connection *
connection_new(struct module *module)
{
	struct gracefuld_connection *connection = calloc(1, sizeof(*connection));

	if (connection)
		connection->module = module;
	return connection;
}

static int
module_accept(void *service, int fd, struct service_connection **ret)
{
	struct module *module = service;
	cleanup_free struct gracefuld_connection *connection = connection_new(module);
	int r;

	if (!connection)
		return -ENOMEM;
	r = result_of(module->loaded.ops.accept(module->service, connection, fd, &connection->own));
	if (r == 0)
		*ret = &take_ptr(connection)->host;
	return r;
}

static void
module_retire(struct service_connection *host)
{
	struct gracefuld_connection *connection = connection_of(host);

	if (connection->module->loaded.ops.retire)
		connection->module->loaded.ops.retire(connection->own);
}

/* A module that does not end it must not keep the worker: it is on its way out. */
static void
module_cut(struct service_connection *host)
{
	struct gracefuld_connection *connection = connection_of(host);
	struct module *module = connection->module;

	module->cutting = true;
	module->loaded.ops.cut(connection->own);
	if (!module->cutting)
		return;
	log_error("%s: cut has not ended its connection", module->loaded.name);
	module->cutting = false;
	connection->abandoned = true; /* and not freed, since the module has it still */
	module->worker->ended(module->worker, host, true);
}

/* ---- handing over ---- */

static int
module_freeze(struct service_connection *host, struct handoff_writer *writer)
{
	struct gracefuld_connection *connection = connection_of(host);
	struct gracefuld_writer seen = { writer };
	int r;

	handoff_writer_service(writer);
	r = result_of(connection->module->loaded.ops.freeze(connection->own, &seen));
	/* the other side would take a record without a descriptor for the end of the world */
	if (r == 0 && writer->n_fds == writer->record_fds)
		writer->error = -EINVAL;
	return r;
}

static void
module_thaw(struct service_connection *host)
{
	struct gracefuld_connection *connection = connection_of(host);

	connection->module->loaded.ops.thaw(connection->own);
}

static void
module_forget(struct service_connection *host)
{
	struct gracefuld_connection *connection = connection_of(host);

	connection->module->loaded.ops.forget(connection->own);
	free(connection);
}

/* Has the module taken all that there was? */
static bool
is_used_up(struct handoff_record *record)
{
	struct handoff_field field;

	for (size_t i = 0; i < record->n_fds; i++)
		if (record->fd[i] >= 0)
			return false;
	return handoff_next(record, &field) == 0;
}

static int
module_adopt(void *service, struct handoff_record *record, struct service_connection **ret)
{
	struct module *module = service;
	cleanup_free struct gracefuld_connection *connection = connection_new(module);
	struct gracefuld_record seen = { record };
	int r;

	if (!connection)
		return -ENOMEM;
	r = result_of(module->loaded.ops.adopt(module->service, connection, &seen, &connection->own));
	if (r == 0 && !is_used_up(record)) {
		module->loaded.ops.forget(connection->own);
		r = -EBADMSG;
	}
	if (r == 0)
		*ret = &take_ptr(connection)->host;
	return r;
}

const struct service_ops *
service_module(void)
{
	static const struct service_ops ops = {
		.type = "module",
		.needs = SERVICE_NEEDS_UNKNOWN,
		.check = module_check,
		.start = module_start,
		.accept = module_accept,
		.retire = module_retire,
		.cut = module_cut,
		.stop = module_stop,
		.identify = module_identify,
		.freeze = module_freeze,
		.thaw = module_thaw,
		.forget = module_forget,
		.adopt = module_adopt,
	};

	return &ops;
}
