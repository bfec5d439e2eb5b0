/*
 * The control server: its addresses, who comes in, and as what.
 *
 * Three audiences, each with connections of its own, so that none can keep another one out: those who may change things, other local
 * users, and whoever comes by TCP.
 */
#include "control/control.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "control/access.h"
#include "control/commands.h"
#include "control/gate.h"
#include "control/passage.h"
#include "http/server.h"
#include "master/loop.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CONTROL_DEFAULT_FOLDER "/run/gracefuld" /* without systemd's RuntimeDirectory= */
#define CONTROL_SOCKET         "control.sock"

/*
 * However many of an audience ask without pause, what they ask for takes a tenth of a processor: the workers of a reload need
 * one too. Who asks a hundred times in a second does not notice.
 */
#define AUDIENCE_REST      9
#define AUDIENCE_CREDIT_US (100 * US_PER_MS)

enum audience_name { MASTERS, READERS, STRANGERS, AUDIENCES };

struct audience {
	struct control *control;
	const char *name;
	size_t limit; /* connections at a time */
	bool may_change;
	bool full; /* somebody was sent away, and it was said */
	struct http_server *server;
};

struct control {
	struct commands commands;
	struct audience audience[AUDIENCES];
	struct event_base *base;
	gid_t gid;                              /* of control.group; -1: none */
	struct gate *local, *metrics;           /* in use; NULL: none */
	struct gate *next_local, *next_metrics; /* prepared; may be the same ones */
	gid_t next_gid;
	mode_t next_mode;
	bool prepared;
	bool leaving;           /* the daemon ends: only what is under way goes on */
	struct passage passage; /* while another image is about to take over */
};

/* ---- who comes in ---- */

/* A request. Who comes by TCP has no pid. */
static void
on_request(struct http_connection *connection, const struct http_request *request, void *arg)
{
	struct audience *audience = arg;
	struct ucred peer = { 0 };
	char who[64] = "a client by TCP";

	if (access_peer(http_connection_fd(connection), &peer) == 0 && peer.pid > 0)
		snprintf(who, sizeof(who), "user %u (pid %d)", (unsigned)peer.uid, (int)peer.pid);
	commands_serve(&audience->control->commands, connection, request, audience->may_change, who);
}

/* The daemon ends as soon as nobody has anything more to hear. */
static void
leave_if_done(struct control *control, size_t gone)
{
	size_t n = 0;

	for (size_t i = 0; control->leaving && i < AUDIENCES; i++)
		n += control->audience[i].server ? http_server_count(control->audience[i].server) : 0;
	if (control->leaving && n <= gone)
		event_base_loopbreak(control->base);
}

/* A connection is closed; it is still counted. */
static void
on_closed(struct http_connection *connection, enum http_end why, void *arg)
{
	struct audience *audience = arg;

	(void)connection, (void)why;
	leave_if_done(audience->control, 1);
}

/* A stream has ended that began when there was no end in sight: its client would keep the connection. */
static void
on_released(struct http_connection *connection, void *arg)
{
	struct audience *audience = arg;

	(void)connection;
	if (audience->control->leaving)
		http_server_close_idle(audience->server);
}

static const struct http_handler handler = {
	.name = "control",
	.on_request = on_request,
	.on_closed = on_closed,
	.on_released = on_released,
};

static void
admit(struct audience *audience, int fd)
{
	if (http_server_count(audience->server) >= audience->limit) {
		if (!audience->full)
			log_warning("control: %zu connections of %s: no more are let in", audience->limit,
				audience->name);
		audience->full = true;
		close(fd);
		return;
	}
	if (http_server_count(audience->server) < audience->limit / 2)
		audience->full = false;
	if (http_server_accept(audience->server, fd) < 0)
		close(fd);
}

/* A gate_fn. */
static void
on_local(int fd, void *arg)
{
	struct control *control = arg;
	struct ucred peer;

	if (access_peer(fd, &peer) < 0) {
		close(fd);
		return;
	}
	admit(&control->audience[access_may_change(fd, &peer, control->gid) ? MASTERS : READERS], fd);
}

/* A gate_fn. */
static void
on_remote(int fd, void *arg)
{
	struct control *control = arg;

	admit(&control->audience[STRANGERS], fd);
}

/* ---- the life of a configuration ---- */

/* Where it is when the configuration does not say: in the folder that systemd made for us, if it did. */
static char *
default_path(void)
{
	const char *folder = getenv("RUNTIME_DIRECTORY");

	/* systemd separates several by colons: the first */
	if (!folder || *folder != '/')
		folder = CONTROL_DEFAULT_FOLDER;
	return text_format("%.*s/" CONTROL_SOCKET, (int)strcspn(folder, ":"), folder);
}

static bool
find_group(const struct config *config, gid_t *ret, struct problems *problems)
{
	const struct group *group;

	*ret = (gid_t)-1;
	if (!config->control.group)
		return true;
	group = getgrnam(config->control.group);
	if (!group) {
		config_add_problem(
			config, "control.group", problems, "there is no group \"%s\"", config->control.group);
		return false;
	}
	*ret = group->gr_gid;
	return true;
}

/*
 * The UNIX socket. One that nobody asked for by name is no reason not to start: where the default folder is not
 * there and can't be made, the daemon runs without.
 */
static bool
prepare_local(struct control *control, const struct config *config, struct problems *problems)
{
	cleanup_free char *path = config->control.path ? strdup(config->control.path) : default_path();
	const struct config_listen spec = {
		.kind = CONFIG_LISTEN_UNIX,
		.path = path,
		.mode = config->control.mode,
		.group = config->control.group,
		.backlog = 64,
	};

	bool same = path && control->local && strcmp(gate_address(control->local), path) == 0;

	if (same && gate_is_there(control->local)) {
		control->next_local = control->local;
		return true;
	}
	if (!config->control.path && geteuid() == 0 && mkdir(CONTROL_DEFAULT_FOLDER, 0755) == 0)
		log_info("control: made " CONTROL_DEFAULT_FOLDER);
	control->next_local = path ? gate_unix(&spec) : NULL;
	if (control->next_local && same)
		log_notice("control: %s was removed or replaced by somebody: bound anew", path);
	if (control->next_local)
		return true;
	if (!config->control.path) {
		log_warning(
			"control: no socket at %s: %s", path ? path : "the default path", strerror(errno));
		return true;
	}
	config_add_problem(
		config, "control.path", problems, "cannot listen on %s: %s", path, strerror(errno));
	return false;
}

static bool
prepare_metrics(struct control *control, const struct config *config, struct problems *problems)
{
	if (!config->metrics)
		return true;
	if (control->metrics && strcmp(gate_address(control->metrics), config->metrics) == 0) {
		control->next_metrics = control->metrics;
		return true;
	}
	control->next_metrics = gate_tcp(config->metrics);
	if (control->next_metrics)
		return true;
	config_add_problem(config, "metrics", problems, "cannot listen on %s: %s", config->metrics,
		errno == EINVAL ? "write \"127.0.0.1:9125\" or \"[::1]:9125\"" : strerror(errno));
	return false;
}

static void
discard(void *arg)
{
	struct control *control = arg;

	if (control->next_local != control->local)
		gate_close(control->next_local);
	if (control->next_metrics != control->metrics)
		gate_close(control->next_metrics);
	control->next_local = control->next_metrics = NULL;
	control->prepared = false;
}

static void
close_gates(struct control *control)
{
	gate_close(take_ptr(control->local));
	gate_close(take_ptr(control->metrics));
}

static bool
make_audiences(struct control *control)
{
	static const struct audience rows[AUDIENCES] = {
		[MASTERS] = { .name = "those who may change things", .limit = 64, .may_change = true },
		[READERS] = { .name = "other local users", .limit = 32 },
		[STRANGERS] = { .name = "clients by TCP", .limit = 64 },
	};
	struct http_limits limits;

	http_limits_init(&limits);
	limits.head_us = limits.body_us = 5 * US_PER_SEC;
	limits.send_us = 10 * US_PER_SEC;
	limits.idle_us = 60 * US_PER_SEC;
	limits.max_body = 16 * 1024;
	limits.linger_bytes = 64 * 1024;
	limits.turn_requests = 1;
	limits.priority = LOOP_PRIORITY_CLIENTS;
	limits.rest = AUDIENCE_REST;
	limits.rest_credit_us = AUDIENCE_CREDIT_US;
	for (size_t i = 0; i < AUDIENCES; i++) {
		struct audience *audience = &control->audience[i];

		if (audience->server)
			continue;
		*audience = rows[i];
		audience->control = control;
		audience->server = http_server_new(control->base, &limits, &handler, audience);
		if (!audience->server)
			return false;
	}
	return true;
}

/* What can't be opened takes nobody's place. */
static void
replace(struct control *control, struct gate **place, struct gate *next, gate_fn *on_connection)
{
	if (next && gate_open(next, control->base, on_connection, control) < 0) {
		log_error("control: cannot listen on %s: out of memory", gate_address(next));
		if (next != *place)
			gate_close(next);
		return;
	}
	if (*place != next)
		gate_close(*place);
	*place = next;
}

/* The socket stays: who may connect to it may have changed. */
static void
keep_local(const struct control *control)
{
	int r = gate_set_access(control->local, control->next_mode, control->next_gid);

	if (r < 0)
		log_error("control: cannot change mode and group of %s: %s", gate_address(control->local),
			strerror(-r));
}

/* A roll that brings no configuration (of one slot) commits without having prepared. */
static void
commit(void *arg)
{
	struct control *control = arg;

	if (!control->prepared)
		return;
	control->prepared = false;
	control->gid = control->next_gid;
	if (control->local && control->local == control->next_local)
		keep_local(control);
	replace(control, &control->local, control->next_local, on_local);
	replace(control, &control->metrics, control->next_metrics, on_remote);
	control->next_local = control->next_metrics = NULL;
}

/* At the start there is nothing to go back to: who asks is to hear "not ready", and not to wait. */
static bool
begin(struct control *control, struct problems *problems)
{
	bool local = control->next_local, metrics = control->next_metrics;

	commit(control);
	if (local == !!control->local && metrics == !!control->metrics)
		return true;
	problems_add(problems, NULL, 0, "control: out of memory");
	return false;
}

static bool
prepare(struct master *master, const struct config *config, struct problems *problems, void *arg)
{
	struct control *control = arg;
	bool good;

	control->commands.master = master;
	control->base = master_base(master);
	if (!make_audiences(control)) {
		problems_add(problems, NULL, 0, "control: out of memory");
		return false;
	}
	control->prepared = true;
	control->next_mode = config->control.mode;
	good = find_group(config, &control->next_gid, problems);
	good &= prepare_local(control, config, problems);
	good &= prepare_metrics(control, config, problems);
	if (!good)
		discard(control);
	else if (!master_report(master).pool->running)
		good = begin(control, problems);
	return good;
}

/* What is being sent is sent, and ends as it should; new clients find nobody. */
static void
leave(void *arg)
{
	struct control *control = arg;

	control->leaving = true;
	discard(control);
	close_gates(control);
	subscribers_end(&control->commands.subscribers);
	for (size_t i = 0; i < AUDIENCES; i++) {
		if (!control->audience[i].server)
			continue;
		http_server_drain(control->audience[i].server);
		http_server_close_idle(control->audience[i].server);
	}
	leave_if_done(control, 0);
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_NUMBER(struct control, gid, UINT32_MAX),
	HERITAGE_REST("local"), /* gates; null: none */
	HERITAGE_REST("metrics"),
	HERITAGE_REST("clients"), /* of each audience */
	HERITAGE_END,
};

static struct json_t *
save(struct heritage *heritage, bool trial, void *arg)
{
	struct control *control = arg;
	json_t *json = heritage_save(heritage, fields, control), *clients = json_array();

	heritage_set(
		heritage, json, "local", control->local ? gate_save(heritage, control->local) : json_null());
	heritage_set(heritage, json, "metrics",
		control->metrics ? gate_save(heritage, control->metrics) : json_null());
	if (!trial)
		subscribers_end(&control->commands.subscribers);
	for (size_t i = 0; i < AUDIENCES; i++) {
		control->passage.heritage = heritage;
		control->passage.array = json_array();
		if (!trial)
			passage_save(&control->passage, control->audience[i].server);
		heritage_add(heritage, clients, control->passage.array);
	}
	heritage_set(heritage, json, "clients", clients);
	return json;
}

static void
resume(void *arg)
{
	struct control *control = arg;

	passage_resume(&control->passage);
}

static bool
restore_gate(struct control *control, struct heritage *heritage, const json_t *json, struct gate **place,
	gate_fn *on_connection)
{
	if (json_is_null(json))
		return true;
	*place = gate_load(heritage, json);
	if (!*place)
		return false;
	return heritage->trial || gate_open(*place, control->base, on_connection, control) == 0 ||
	       heritage_refuse(heritage, "out of memory");
}

static bool
restore_clients(struct control *control, struct heritage *heritage, const json_t *clients)
{
	if (json_array_size(clients) != AUDIENCES)
		return heritage_refuse(heritage, "the clients are of another number of audiences");
	for (size_t i = 0; i < AUDIENCES; i++)
		if (!passage_load(heritage, json_array_get(clients, i), control->audience[i].server))
			return false;
	return true;
}

static bool
restore(struct master *master, struct heritage *heritage, const json_t *json, void *arg)
{
	struct control *control = arg;

	if (!heritage->trial) {
		control->commands.master = master;
		control->base = master_base(master);
		if (!make_audiences(control))
			return heritage_refuse(heritage, "out of memory");
	}
	return heritage_load(heritage, fields, json, control) &&
	       restore_gate(control, heritage, json_object_get(json, "local"), &control->local, on_local) &&
	       restore_gate(
		       control, heritage, json_object_get(json, "metrics"), &control->metrics, on_remote) &&
	       restore_clients(control, heritage, json_object_get(json, "clients"));
}

static void
done(void *arg)
{
	struct control *control = arg;

	control->leaving = false;
	discard(control);
	close_gates(control);
	subscribers_done(&control->commands.subscribers);
	for (size_t i = 0; i < AUDIENCES; i++)
		http_server_free(control->audience[i].server);
	waiter_done(&control->commands.waiters);
	free(control);
}

struct control *
control_new(void)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	LIST_INIT(&control->commands.waiters);
	subscribers_init(&control->commands.subscribers);
	control->gid = (gid_t)-1;
	return control;
}

struct master_extension
control_extension(struct control *control)
{
	return (struct master_extension){
		.prepare = prepare,
		.commit = commit,
		.discard = discard,
		.leave = leave,
		.save = save,
		.resume = resume,
		.restore = restore,
		.done = done,
		.arg = control,
	};
}
