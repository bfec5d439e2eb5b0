/*
 * A generation: one accepted configuration and what its workers are born with.
 */
#include "master/generation.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

#include <errno.h>
#include <sha2.h>
#include <string.h>

/* What is wrong with them is for the check to say; then nothing of this is ever started. */
static int
read_exec(struct generation *generation)
{
	struct problems problems;
	int r;

	if (strcmp(generation->config->service_type, EXEC_SERVICE) != 0)
		return 0;
	generation->exec = calloc(1, sizeof(*generation->exec));
	if (!generation->exec)
		return -ENOMEM;
	problems_init(&problems);
	r = exec_options_read(generation->exec, generation->config, &problems);
	problems_done(&problems);
	return r;
}

/* Takes all three; the descriptor may be -1 for none. */
static struct generation *
make(struct config *config, struct identity identity, int config_fd)
{
	struct generation *generation = calloc(1, sizeof(*generation));

	if (!generation) {
		config_free(config);
		identity_done(&identity);
		fd_close(&config_fd);
		return NULL;
	}
	*generation = (struct generation){
		.refs = 1, .config = config, .config_fd = config_fd, .identity = identity
	};
	generation->loaded_wall_us = clock_wall_us();
	SHA256Data((const uint8_t *)config->text, config->text_len, generation->sha256);
	generation->addresses = calloc(config->n_listen + 1, sizeof(*generation->addresses));
	if (!generation->addresses || read_exec(generation) < 0)
		goto fail;
	for (size_t i = 0; i < config->n_listen; i++)
		if (!(generation->addresses[i] = config_listen_text(&config->listen[i])))
			goto fail;
	return generation;
fail:
	generation_unref(generation);
	return NULL;
}

struct generation *
generation_new(struct config *config, struct identity identity)
{
	int fd = fd_sealed_memfd("gracefuld-config", config->text, config->text_len);

	if (fd >= 0)
		return make(config, identity, fd);
	config_free(config);
	identity_done(&identity);
	errno = -fd;
	return NULL;
}

struct generation *
generation_ref(struct generation *generation)
{
	generation->refs++;
	return generation;
}

void
generation_unref(struct generation *generation)
{
	if (!generation || --generation->refs > 0)
		return;
	fd_close(&generation->config_fd);
	for (size_t i = 0; generation->addresses && i < generation->config->n_listen; i++)
		free(generation->addresses[i]);
	free(generation->addresses);
	if (generation->exec)
		exec_options_done(generation->exec);
	free(generation->exec);
	identity_done(&generation->identity);
	config_free(generation->config);
	free(generation);
}

void
generation_set(struct generation **place, struct generation *generation)
{
	if (generation)
		generation_ref(generation);
	generation_unref(*place);
	*place = generation;
}

const struct config_listen *
generation_find_listen(const struct generation *generation, const char *address)
{
	for (size_t i = 0; i < generation->config->n_listen; i++)
		if (text_equal(generation->addresses[i], address))
			return &generation->config->listen[i];
	return NULL;
}

bool
generation_covers(const struct generation *generation, const struct listener *listener)
{
	const struct config *config = generation->config;

	for (size_t i = 0; i < config->n_listen; i++)
		if (config_listen_covers(&config->listen[i], &listener->where))
			return true;
	return false;
}

bool
generation_serves(const struct generation *generation, const struct listener *listener)
{
	return listener->orphaned || generation_find_listen(generation, listener->address) ||
	       (listener->n_committed > 0 && generation_covers(generation, listener));
}

/* ---- heritage ---- */

static const struct heritage_field fields[] = {
	HERITAGE_NUMBER(struct generation, number, UINT64_MAX),
	HERITAGE_NUMBER(struct generation, loaded_wall_us, UINT64_MAX),
	HERITAGE_TEXT(struct generation, sha256),
	HERITAGE_REST("config"),  /* the memfd with its text … */
	HERITAGE_REST("workers"), /* … which does not know what a scale or "auto" has come to */
	HERITAGE_REST("identity"),
	HERITAGE_END,
};

static const struct heritage_field identity_fields[] = {
	HERITAGE_BOOL(struct identity, change),
	HERITAGE_NUMBER(struct identity, uid, UINT32_MAX),
	HERITAGE_NUMBER(struct identity, gid, UINT32_MAX),
	HERITAGE_REST("groups"),
	HERITAGE_END,
};

static json_t *
save_identity(struct heritage *h, const struct identity *identity)
{
	json_t *json = heritage_save(h, identity_fields, identity), *groups = json_array();

	for (size_t i = 0; i < identity->n_groups; i++)
		heritage_add(h, groups, json_integer(identity->groups[i]));
	heritage_set(h, json, "groups", groups);
	return json;
}

json_t *
generation_save(struct heritage *h, const struct generation *generation)
{
	json_t *json = heritage_save(h, fields, generation);

	heritage_set(h, json, "config", heritage_fd(h, generation->config_fd, true));
	heritage_set(h, json, "workers", json_integer(generation->config->workers));
	heritage_set(h, json, "identity", save_identity(h, &generation->identity));
	return json;
}

static bool
load_groups(struct heritage *h, const json_t *groups, struct identity *identity)
{
	size_t n = json_array_size(groups);

	if (!json_is_array(groups))
		return heritage_refuse(h, "the groups of an account are no list");
	identity->groups = calloc(n + 1, sizeof(*identity->groups));
	if (!identity->groups)
		return heritage_refuse(h, "out of memory");
	for (size_t i = 0; i < n; i++) {
		json_int_t gid = json_integer_value(json_array_get(groups, i));

		if (!json_is_integer(json_array_get(groups, i)) || gid < 0 || gid > UINT32_MAX)
			return heritage_refuse(h, "a group is none");
		identity->groups[identity->n_groups++] = (gid_t)gid;
	}
	return true;
}

/* The configuration is made from its text again. That must be good for this program too, which may be another version. */
static struct config *
load_config(struct heritage *h, const json_t *json, uint64_t number)
{
	const json_t *workers = json_object_get(json, "workers");
	json_int_t n = json_is_integer(workers) ? json_integer_value(workers) : 0;
	cleanup_free char *text = NULL;
	struct config *config = NULL;
	struct problems problems;
	size_t len;
	int r = fd_read_all(heritage_look_fd(json_object_get(json, "config")), CONFIG_TEXT_MAX, &text, &len);

	problems_init(&problems);
	if (r == 0)
		r = config_load_text(text, len, &config, &problems);
	if (r < 0)
		heritage_refuse(h, "the configuration of generation %lu: %s", (unsigned long)number,
			problems_kept(&problems) > 0 ? problems.text[0] : strerror(-r));
	problems_done(&problems);
	if (r < 0)
		return NULL;
	config->workers = (unsigned)n;
	if (n >= 1 && n <= CONFIG_WORKERS_MAX)
		return config;
	heritage_refuse(h, "%lld workers are too few or too many", (long long)n);
	config_free(config);
	return NULL;
}

struct generation *
generation_load(struct heritage *h, const json_t *json)
{
	struct generation said = { 0 }, *generation = NULL;
	struct identity identity = { 0 };
	const json_t *account = json_object_get(json, "identity");
	struct config *config = NULL;
	int fd = -1;

	if (heritage_load(h, fields, json, &said) && heritage_load(h, identity_fields, account, &identity) &&
		load_groups(h, json_object_get(account, "groups"), &identity))
		config = load_config(h, json, said.number);
	if (config && heritage_load_fd(h, json_object_get(json, "config"), &fd)) {
		generation = make(config, identity, fd);
		if (!generation)
			heritage_refuse(h, "out of memory");
	} else {
		config_free(config);
		identity_done(&identity);
	}
	if (!generation)
		return NULL;
	generation->number = said.number;
	generation->loaded_wall_us = said.loaded_wall_us;
	if (strcmp(generation->sha256, said.sha256) == 0)
		return generation;
	heritage_refuse(h, "the configuration of generation %lu is another one", (unsigned long)said.number);
	generation_unref(generation);
	return NULL;
}
