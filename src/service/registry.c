/*
 * The list of services, and the check of the section that names one.
 */
#include "service/services.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "config/option.h"

#include <string.h>

typedef const struct service_ops *service_fn(void);

static service_fn *const services[] = { service_hello, service_echo, service_http, service_proxy,
	service_module, service_exec };

const struct service_ops *
service_find(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		if (strcmp(services[i]()->type, type) == 0)
			return services[i]();
	return NULL;
}

/* The type that was probably meant, or NULL. */
static const char *
guess_type(const char *type)
{
	enum { FAR = 3 }; /* letters that are wrong; beyond that it is another word */
	const char *best = NULL;
	size_t nearest = FAR;

	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		size_t distance = text_distance(type, services[i]()->type);

		if (distance < nearest) {
			nearest = distance;
			best = services[i]()->type;
		}
	}
	return best;
}

/* For a service that has no options of its own: whatever is given is unknown. */
static void
check_no_options(const struct config *config, struct problems *problems)
{
	static const struct option_table none = { .n = 0 };

	if (config_read_service(config, &none, NULL, problems) < 0)
		config_add_problem(config, "service", problems, "out of memory");
}

void
service_check(const struct config *config, struct problems *problems)
{
	const struct service_ops *ops = service_find(config->service_type);
	const char *guess;

	if (ops && ops->check)
		ops->check(config, problems);
	else if (ops)
		check_no_options(config, problems);
	if (ops)
		return;
	guess = guess_type(config->service_type);
	if (guess)
		config_add_problem(config, "service.type", problems,
			"there is no service \"%s\"; did you mean \"%s\"?", config->service_type, guess);
	else
		config_add_problem(
			config, "service.type", problems, "there is no service \"%s\"", config->service_type);
}
