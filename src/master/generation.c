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

struct generation *
generation_new(struct config *config, struct identity identity)
{
	struct generation *generation = calloc(1, sizeof(*generation));

	if (!generation) {
		config_free(config);
		identity_done(&identity);
		return NULL;
	}
	*generation =
		(struct generation){ .refs = 1, .config = config, .config_fd = -1, .identity = identity };
	generation->loaded_wall_us = clock_wall_us();
	SHA256Data((const uint8_t *)config->text, config->text_len, generation->sha256);
	generation->config_fd = fd_sealed_memfd("gracefuld-config", config->text, config->text_len);
	if (generation->config_fd < 0) {
		errno = -generation->config_fd;
		goto fail;
	}
	generation->addresses = calloc(config->n_listen + 1, sizeof(*generation->addresses));
	if (!generation->addresses)
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
generation_serves(const struct generation *generation, const struct listener *listener)
{
	const struct config *config = generation->config;

	if (generation_find_listen(generation, listener->address))
		return true;
	for (size_t i = 0; i < config->n_listen; i++)
		if (config_listen_covers(&config->listen[i], &listener->where))
			return true;
	return false;
}
